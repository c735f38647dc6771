"""From a Bulk Data export to NDJSON files."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from wardround.airflow.operators.base import FhirOperator
from wardround.errors import SettingsError
from wardround.fhir.client import FhirClient


class FhirBulkExportOperator(FhirOperator):
    """Starts a Bulk Data export ($export), waits for it, and fetches its files into a folder.

    Another attempt into the same folder continues the same export and fetches only the files that are missing; once all
    are there it does nothing. So give each export a folder of its own, such as one with `{{ run_id }}`. Returns
    `folder`, in which the files are, and their names (`files`).

    Args:
        folder: a path or fsspec URL.
        types: the resource types, such as `["Patient", "Observation"]`.
        group: the id of a Group; empty for the whole server.
        since: only what changed since then: ISO 8601 with a UTC offset; empty for everything.
        deadline: how long to wait for the server. The task holds its worker slot meanwhile.
    """

    template_fields: Sequence[str] = (*FhirOperator.template_fields, "folder", "types", "group", "since")

    def __init__(
        self,
        *,
        folder: str,
        types: Sequence[str],
        group: str | None = None,
        since: str | None = None,
        deadline: timedelta = timedelta(hours=2),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.folder = folder
        self.types = types
        self.group = group
        self.since = since
        self.deadline = deadline

    def work(self, client: FhirClient) -> dict[str, Any]:
        from wardround.adapters.files.run_folder import RunFolder
        from wardround.core import run_files
        from wardround.fhir.bulk_export import ExportOrder, export

        folder = RunFolder(self.folder)
        order = ExportOrder(tuple(self.types), self.group or None, _time(self.since), self.deadline)
        export(client, order, folder, self.progress)
        place = folder.location(run_files.EXPORT)
        return {"folder": place, "files": [name.rpartition("/")[2] for name in folder.list(run_files.EXPORT)]}


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    with suppress(ValueError):
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time
    raise SettingsError(f"since: {text!r}, expected a time with its UTC offset, such as 2026-01-02T05:00:00Z")
