"""Copies the resources in a folder of FHIR files to a FHIR server, with the same ids."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from wardround.core.progress import Progress
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource
from wardround.fhir.write_outcome import status_of
from wardround.sources.fhir_folder.bundles import Account
from wardround.sources.fhir_folder.resources import Current, FhirFolder

# Resources that others refer to come first; types not named here come after Encounter and before derived ones.
_RANKS: Final = {
    "Organization": 0, "Practitioner": 1, "Location": 1, "Medication": 1, "Device": 1, "Patient": 2, "Encounter": 3,
    "RiskAssessment": 5, "Provenance": 6,
}  # fmt: skip
_UNRANKED: Final = 4

_TRIES: Final = 3
_PASSING: Final = (409, 412, 429, 500, 502, 503, 504)
"""Statuses of an entry that a retry may resolve, such as two writers at the same time."""

Level = tuple[int, bool]
Group = tuple[Level, str]


@dataclass(frozen=True)
class Seeded:
    """Resources written per type, resources of types that the server does not store, and what else the folder holds."""

    written: dict[str, int]
    skipped: dict[str, int]
    beside: Account = field(default_factory=Account)


def seed(client: FhirClient, data: Path | str, progress: Progress) -> Seeded:
    """Writes every resource in a folder to the server under its own id, in batches; doing it again changes nothing.

    `data` is a path or an fsspec URL. Of several versions of one id, only the one that counts is written. Resources
    that the folder marks as deleted are not written, and stay unchanged on the server. A resource is written before
    those that refer to it, also within a type (`partOf`). `progress` is told of the step `resources`: how many are
    written, and how many there are. Raises SourceDataError for a damaged file, before anything is written; FhirError if
    the server refuses a resource or gives it another id.
    """
    folder = Current(FhirFolder(data), _group)
    types: Counter[str] = Counter()
    for groups in folder.counts.values():
        for (_, name), count in groups.items():
            types[name] += count
    kept = _kept_types(client, types)
    total = sum(count for name, count in types.items() if name in kept)
    done = 0
    with ThreadPoolExecutor(client.source.threads) as pool:
        for level in sorted({level for groups in folder.counts.values() for level, _ in groups}):
            for group in _groups(_at_level(folder, level, kept), client):
                done += sum(pool.map(lambda batch: _put(client, batch), group))
                progress("resources", done, total)
    counted = {name: types[name] for name in sorted(types) if types[name]}
    skipped = {name: count for name, count in counted.items() if name not in kept}
    written = {name: count for name, count in counted.items() if name in kept}
    return Seeded(written, skipped, folder.account)


def _group(resource: Resource) -> Group:
    name = resource["resourceType"]
    return (_RANKS.get(name, _UNRANKED), "partOf" in resource), name


def _at_level(folder: Current[Group], level: Level, kept: set[str]) -> Iterator[Resource]:
    return (resource for _, resource in folder.resources(lambda group: group[0] == level and group[1] in kept))


def _kept_types(client: FhirClient, types: Counter[str]) -> set[str]:
    """Returns the types that the server says it stores, or all if it does not say; FhirError if it assigns ids."""
    stated = [item for rest in client.capabilities().get("rest", []) for item in rest.get("resource", [])]
    for item in stated:
        if item.get("type") in types and item.get("updateCreate") is False:
            raise FhirError(_own_ids(client, str(item["type"])))
    names = {item.get("type") for item in stated}
    return {name for name in types if name in names or not names}


def _own_ids(client: FhirClient, what: str) -> str:
    return (
        f"{client.source.base_url}: assigns its own id to {what}, expected a server that keeps the ids of its clients"
        " (CapabilityStatement updateCreate); choose such a server, or enable this there"
    )


def _groups(resources: Iterator[Resource], client: FhirClient) -> Iterator[list[list[Resource]]]:
    """Yields as many batches at a time as the client has threads."""
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
            if not _accepted(client, resource, answer, last=trial == _TRIES)
        ]
        if not again:
            break
        waiting = again
    return len(resources)


def _entry(resource: Resource) -> Resource:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "request": {"method": "PUT", "url": url}}


def _accepted(client: FhirClient, resource: Resource, answer: Resource, last: bool) -> bool:
    """Returns whether the resource is stored under its id; False if a retry may help. Raises FhirError otherwise."""
    name = f"{resource['resourceType']}/{resource['id']}"
    status = status_of(answer)
    if status in (200, 201):
        location = str(answer["response"].get("location", name))
        if name not in location:
            raise FhirError(_own_ids(client, name))
        return True
    if status == 405:
        raise FhirError(_own_ids(client, name))
    if status in _PASSING and not last:
        return False
    raise FhirError(
        f"{client.source.base_url}: {name} was refused with status {status or 'none'}, expected 200 or 201;"
        " correct the resource or the server's rules, and run seed again"
    )
