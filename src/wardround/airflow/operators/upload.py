"""From a folder of FHIR files to a server."""

from collections.abc import Sequence
from typing import Any

from wardround.airflow.operators.base import FhirOperator
from wardround.fhir.client import FhirClient


class FhirUploadOperator(FhirOperator):
    """Writes every resource of a folder to the server under its own id; running it again changes nothing.

    What others refer to is written first, and of several versions of one id only the one that counts. Before anything
    is written it is refused if a file is damaged, or if the server does not keep the ids of its clients. Returns the
    number of resources `written` per type, and of those `skipped` because the server does not store their type.

    Args:
        data: a folder of *.ndjson, *.ndjson.gz and *.json: a path or fsspec URL.
    """

    template_fields: Sequence[str] = (*FhirOperator.template_fields, "data")

    def __init__(self, *, data: str, **options: Any) -> None:
        super().__init__(**options)
        self.data = data

    def work(self, client: FhirClient) -> dict[str, Any]:
        from wardround.workflows.seed import seed

        seeded = seed(client, self.data, self.progress)
        return {"written": seeded.written, "skipped": seeded.skipped}
