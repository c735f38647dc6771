"""Reads the visits that notifications announce from a FHIR server: each as a whole, with its parts and its Patient.

Always from the server, never from a notification: that may be old, and anybody who knows the secret could have written
it. It sees patient values; it never logs.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource, id_in, is_id, patient_of
from wardround.fhir.times import micros_of, no_earlier_than
from wardround.fhir.versions import last_updated, newest_of

CHANGED_WITHIN: Final = timedelta(minutes=5)
"""How far back a server is asked what has changed, for a notification that names nothing."""
_DEEPEST: Final = 5  # Encounters that are parts of one another


class Visit(NamedTuple):
    """An Encounter that is part of no other one, its parts, and its Patient."""

    encounter: Resource
    parts: tuple[Resource, ...]
    patient: Resource


class Found(NamedTuple):
    """The visits, the one that changed first first, and the ids of Encounters that the server does not have."""

    visits: tuple[Visit, ...]
    missing: frozenset[str]


def changed_since(client: FhirClient, received: datetime) -> set[str]:
    """Returns the ids of the Encounters that have changed lately, as of a receipt. Raises FhirError."""
    asked = {"_lastUpdated": no_earlier_than(received - CHANGED_WITHIN)}
    found = client.search("Encounter", asked)
    return {str(one["id"]) for one in found if one.get("resourceType") == "Encounter" and is_id(one.get("id"))}


def visits_of(client: FhirClient, encounters: Collection[str]) -> Found:
    """Returns the visits that Encounters belong to, each once. Raises FhirError."""
    known = _read(client, "Encounter", encounters)
    missing = frozenset(encounters) - known.keys()
    for _ in range(_DEEPEST):
        above = {parent for one in known.values() if (parent := _parent(one))} - known.keys()
        if not above:
            break
        known |= _read(client, "Encounter", above)
    roots = {_root(key, known) for key in known}
    parts = _parts(client, roots)
    patients = _read(client, "Patient", {key for root in roots if (key := patient_of(known[root]))})
    visits = [
        Visit(known[root], tuple(parts.get(root, ())), patients[patient])
        for root in roots
        if (patient := patient_of(known[root])) in patients
    ]
    return Found(tuple(sorted(visits, key=_changed)), missing)


def _changed(visit: Visit) -> tuple[int, str]:
    return max(micros_of(last_updated(one)) for one in (visit.encounter, *visit.parts)), str(visit.encounter["id"])


def _read(client: FhirClient, kind: str, ids: Collection[str]) -> dict[str, Resource]:
    return _newest(client, kind, [("_id", sorted(ids))]) if ids else {}


def _parts(client: FhirClient, roots: Collection[str]) -> dict[str, list[Resource]]:
    """Returns the parts of each visit; parts of parts are not looked for."""
    found: dict[str, list[Resource]] = {}
    if roots:
        for one in _newest(
            client, "Encounter", [("part-of", [f"Encounter/{root}" for root in sorted(roots)])]
        ).values():
            found.setdefault(_parent(one), []).append(one)
    return found


def _newest(client: FhirClient, kind: str, params: list[tuple[str, list[str]]]) -> dict[str, Resource]:
    return newest_of(kind, client.search(kind, params), client.source.bases)


def _parent(encounter: Resource) -> str:
    return id_in(encounter.get("partOf"), "Encounter")


def _root(key: str, known: Mapping[str, Resource]) -> str:
    for _ in range(_DEEPEST):
        parent = _parent(known[key])
        if parent not in known:
            break
        key = parent
    return key
