"""A folder of FHIR files in, the same resources under the same ids on a FHIR server out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_files import files_of, resources_of
from wardround.adapters.fhir_places import Places
from wardround.adapters.fhir_references import Resource
from wardround.adapters.fhir_versions import last_updated
from wardround.errors import FhirError

# What others refer to goes first; types that are not named here come after Encounter and before what is derived.
_RANKS: Final = {
    "Organization": 0, "Practitioner": 1, "Location": 1, "Medication": 1, "Device": 1, "Patient": 2, "Encounter": 3,
    "RiskAssessment": 5, "Provenance": 6,
}  # fmt: skip
_UNRANKED: Final = 4

_TRIES: Final = 3
_PASSING: Final = ("409", "412", "429", "500", "502", "503", "504")
"""Statuses of an entry that another try may mend, such as two writers who met."""

Level = tuple[int, bool]
Outdated = dict[Path, set[str]]  # the places in each file that hold an older version


@dataclass(frozen=True)
class Seeded:
    """Resources written per type, and those of types that the server does not keep."""

    written: dict[str, int]
    skipped: dict[str, int]


def seed(client: FhirClient, data: Path, progress: Callable[[str, int, int], None]) -> Seeded:
    """Puts every resource of `data` onto the server by its own id, in batches; running it again changes nothing.

    Of several versions of one id the one that counts is put there. What is referred to is there before what refers to
    it, also inside a type (`partOf`). `progress` hears of the step `resources`: how many are written, and how many
    there are. Raises SourceDataError for a broken file, before anything is written; FhirError if the server refuses a
    resource or gives it another id.
    """
    contents, types, outdated = _survey(data)
    kept = _kept_types(client, types)
    total = sum(count for name, count in types.items() if name in kept)
    done = 0
    with ThreadPoolExecutor(client.source.threads) as pool:
        for level in sorted({level for levels in contents.values() for level in levels}):
            files = [file for file, levels in contents.items() if level in levels]
            for group in _groups(_at_level(files, level, kept, outdated), client):
                done += sum(pool.map(lambda batch: _put(client, batch), group))
                progress("resources", done, total)
    skipped = {name: count for name, count in sorted(types.items()) if name not in kept}
    return Seeded({name: count for name, count in sorted(types.items()) if name in kept}, skipped)


def _survey(data: Path) -> tuple[dict[Path, set[Level]], Counter[str], Outdated]:
    """The levels that each file holds, the number of resources per type, and which are older versions of others."""
    contents: dict[Path, set[Level]] = {}
    types: Counter[str] = Counter()
    places = Places()
    for file in files_of(data):
        contents[file] = set()
        for _, resource in resources_of(file):
            contents[file].add(_level(resource))
            types[resource["resourceType"]] += 1
            places.note(_reference(resource))
    outdated = set(places.outdated(lambda: (one for _, _, one in _everything(contents)), _version).tolist())
    found: Outdated = {}
    for number, (file, place, resource) in enumerate(_everything(contents) if outdated else ()):
        if number in outdated:
            found.setdefault(file, set()).add(place)
            types[resource["resourceType"]] -= 1
    return contents, types, found


def _everything(files: Iterable[Path]) -> Iterator[tuple[Path, str, Resource]]:
    return ((file, place, resource) for file in files for place, resource in resources_of(file))


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _version(resource: Resource) -> tuple[str, object]:
    return _reference(resource), last_updated(resource)


def _level(resource: Resource) -> Level:
    return _RANKS.get(resource["resourceType"], _UNRANKED), "partOf" in resource


def _kept_types(client: FhirClient, types: Counter[str]) -> set[str]:
    """The types that the server says it keeps, all if it says nothing; raises FhirError if it assigns ids itself."""
    stated = [item for rest in client.capabilities().get("rest", []) for item in rest.get("resource", [])]
    for item in stated:
        if item.get("type") in types and item.get("updateCreate") is False:
            raise FhirError(_own_ids(client, str(item["type"])))
    names = {item.get("type") for item in stated}
    return {name for name in types if name in names or not names}


def _own_ids(client: FhirClient, what: str) -> str:
    return (
        f"{client.source.base_url}: assigns its own id to {what}, expected a server that keeps the ids of its clients"
        " (CapabilityStatement updateCreate); choose such a server, or switch it on there"
    )


def _at_level(files: Sequence[Path], level: Level, kept: set[str], outdated: Outdated) -> Iterator[Resource]:
    for file, place, resource in _everything(files):
        if resource["resourceType"] in kept and _level(resource) == level and place not in outdated.get(file, ()):
            yield resource


def _groups(resources: Iterator[Resource], client: FhirClient) -> Iterator[list[list[Resource]]]:
    """As many batches at a time as the client has threads."""
    size = client.source.entries_per_batch
    while group := [b for b in (list(islice(resources, size)) for _ in range(client.source.threads)) if b]:
        yield group


def _put(client: FhirClient, resources: list[Resource]) -> int:
    waiting = resources
    for trial in range(1, _TRIES + 1):
        answers = client.batch([_entry(resource) for resource in waiting])
        again = [
            resource
            for resource, answer in zip(waiting, answers, strict=True)
            if not _accepted(client, resource, answer.get("response", {}), last=trial == _TRIES)
        ]
        if not again:
            break
        waiting = again
    return len(resources)


def _entry(resource: Resource) -> Resource:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "request": {"method": "PUT", "url": url}}


def _accepted(client: FhirClient, resource: Resource, response: Resource, last: bool) -> bool:
    """Whether the resource is there under its id; False if it is worth another try. Raises FhirError if it is not."""
    name = f"{resource['resourceType']}/{resource['id']}"
    status = str(response.get("status", ""))[:3]
    if status in ("200", "201"):
        location = str(response.get("location", name))
        if name not in location:
            raise FhirError(_own_ids(client, name))
        return True
    if status == "405":
        raise FhirError(_own_ids(client, name))
    if status in _PASSING and not last:
        return False
    raise FhirError(
        f"{client.source.base_url}: {name} was refused with status {status or 'none'}, expected 200 or 201;"
        " correct the resource or the server's rules, and run seed again"
    )
