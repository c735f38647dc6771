"""Opens what the sandbox is given: prefetch files, hook requests, Bundles, folders of FHIR files, and FHIR servers.

Files of Bundles and folders are loaded into the embedded FHIR server, which then answers as any other. A prefetch and
a hook request are sent as they are. It sees patient values; it never logs.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from wardround.adapters.files.scratch import scratch_folder
from wardround.demo.sandbox.charts import Chart, Prefetch, latest_encounter
from wardround.demo.sandbox.embedded import served
from wardround.demo.sandbox.services import Service
from wardround.errors import SourceDataError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.references import Resource, is_id
from wardround.settings import Settings
from wardround.workflows.servers import is_server, server_at


@dataclass(frozen=True)
class FromFile:
    """A patient of a file: a prefetch, or the whole of a hook request, whose hook and context are then kept."""

    name: str
    patient_id: str
    encounter_id: str | None
    content: dict[str, Any]
    request: dict[str, Any] | None = None

    def prefetch(self, _service: Service, _context: dict[str, Any], _today: date) -> Prefetch:
        """Returns the prefetch as it is in the file."""
        return Prefetch(self.content)


@dataclass(frozen=True)
class FromChart:
    """A patient of a FHIR server."""

    chart: Chart
    patient_id: str
    request: None = None

    @property
    def name(self) -> str:
        """The id of the Patient."""
        return self.patient_id

    @property
    def encounter_id(self) -> str | None:
        """The Encounter in progress that began last."""
        return self.chart.encounter_of(self.patient_id)

    def prefetch(self, service: Service, context: dict[str, Any], today: date) -> Prefetch:
        """Returns what the service asks for."""
        return self.chart.prefetch(service.prefetch, context, today)


Patient = FromFile | FromChart


@contextmanager
def opened(places: Sequence[str], settings: Settings, most: int | None = None) -> Iterator[list[Patient]]:
    """Gives the patients of all places, at most so many of each server or folder.

    Raises:
        SourceDataError: a file that is neither a prefetch, a hook request nor a Bundle, or that is about nobody.
        FhirError: a server that cannot be used.
    """
    with ExitStack() as stack:
        patients: list[Patient] = []
        bundles: list[Path] = []
        for place in places:
            if is_server(place, settings):
                patients += _of_server(server_at(place, settings), stack, most)
            elif (path := Path(place)).is_dir():
                patients += _of_folder(path, settings, stack, most)
            else:
                found = _file(path)
                patients += [found] if found else []
                bundles += [] if found else [path]
        if bundles:
            folder = stack.enter_context(scratch_folder()) / "bundles"
            folder.mkdir()
            for number, path in enumerate(bundles):
                shutil.copyfile(path, folder / f"{number}.json")
            patients += _of_folder(folder, settings, stack, most)
        yield patients


def _of_folder(folder: Path, settings: Settings, stack: ExitStack, most: int | None) -> list[Patient]:
    return _of_server(stack.enter_context(served(folder, settings)), stack, most)


def _of_server(source: FhirEndpoint, stack: ExitStack, most: int | None) -> list[Patient]:
    chart = Chart(stack.enter_context(FhirClient(source)))
    return [FromChart(chart, patient_id) for patient_id in chart.patients(most)]


def _file(path: Path) -> FromFile | None:
    """Returns the patient of a prefetch or a hook request; None for a Bundle."""
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        raise _unusable(path, "is not JSON") from None
    if not isinstance(found, dict):
        raise _unusable(path, "is not a JSON object")
    if found.get("resourceType") == "Bundle":
        return None
    is_request = isinstance(found.get("context"), dict) and "hook" in found
    content = found.get("prefetch", {}) if is_request or "prefetch" in found else found
    if not isinstance(content, dict) or "resourceType" in found:
        raise _unusable(path, "is something else")
    resources = list(resources_of(content))
    known = found["context"].get("patientId") if is_request else _only_patient(resources)
    if not is_id(known):
        raise _unusable(path, "does not say which one Patient it is about")
    return FromFile(path.stem, str(known), latest_encounter(iter(resources)), content, found if is_request else None)


def resources_of(prefetch: dict[str, Any]) -> Iterator[Resource]:
    """Yields the resources of a prefetch, those in its Bundles one by one."""
    for value in [prefetch, *prefetch.values()]:
        if not isinstance(value, dict):
            continue
        if value.get("resourceType") == "Bundle":
            entries = value.get("entry", [])
            found = (
                [one.get("resource") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
            )
            yield from (one for one in found if isinstance(one, dict))
        elif "resourceType" in value:
            yield value


def _only_patient(resources: list[Resource]) -> object:
    ids = {str(one.get("id")) for one in resources if one.get("resourceType") == "Patient"}
    return ids.pop() if len(ids) == 1 else None


def _unusable(path: Path, what: str) -> SourceDataError:
    return SourceDataError(
        f"{path}: {what}, expected a prefetch (an object of resources and Bundles with one Patient), a hook request or"
        " a Bundle; correct it, or leave it out"
    )
