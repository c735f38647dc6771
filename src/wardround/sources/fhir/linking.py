"""Links a visit that a message names by its numbers to the Patient and the Encounter that a FHIR server has of it.

A number alone decides nothing: of two Patients with one number none is chosen, and an Encounter counts only if it is
the same patient's. Ids are looked up each time and never kept, because a merge changes them. This code sees record
numbers; it never logs.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from wardround.core.exclusion import TOOK_PLACE
from wardround.core.identifier import Identifier
from wardround.fhir.client import FhirClient
from wardround.fhir.identified import with_identifiers
from wardround.fhir.page import dicts
from wardround.fhir.periods import began
from wardround.fhir.references import Resource, id_in, patient_of
from wardround.fhir.versions import newest_of

AMBIGUOUS_PATIENT: Final = "ambiguous_patient"  # several Patients in use carry the numbers
PATIENT_UNKNOWN: Final = "patient_not_there"
VISIT_OF_ANOTHER: Final = "visit_of_another_patient"  # the number is on the Encounters of others alone
_MOST_MERGES: Final = 10  # records that replace one another


class Announced(NamedTuple):
    """A visit as a message names it: the patient's numbers, any of which may be known, and the visit's."""

    patients: tuple[Identifier, ...]
    visit: Identifier


@dataclass(frozen=True)
class Linked:
    """The one Patient with these numbers, and the Encounter with the visit's number; empty if the server has none."""

    patient_id: str
    encounter_id: str


@dataclass(frozen=True)
class NotYet:
    """The server does not know the visit, or not yet; the reason is one of the above."""

    reason: str


@dataclass(frozen=True)
class Ambiguous:
    """The server knows several patients with these numbers. Waiting does not help: somebody must merge them."""

    reason: str = AMBIGUOUS_PATIENT


Link = Linked | NotYet | Ambiguous


def link(client: FhirClient, patients: Sequence[Identifier], visit: Identifier) -> Link:
    """Returns what the server has of one visit. Raises FhirError."""
    return link_all(client, [Announced(tuple(patients), visit)])[0]


def link_all(client: FhirClient, announced: Sequence[Announced]) -> list[Link]:
    """Returns what the server has of each visit, in order; with few searches for all of them together.

    The Encounter may be that of the unit or that of the hospital. Servers that find Encounters by patient only are not
    asked for it. Raises FhirError.
    """
    size = client.source.patients_per_search
    return [
        found for place in range(0, len(announced), size) for found in _linked(client, announced[place : place + size])
    ]


def _linked(client: FhirClient, announced: Sequence[Announced]) -> list[Link]:
    keys = [str(number) for number in range(len(announced))]
    carrying = with_identifiers(
        client, "Patient", {key: one.patients for key, one in zip(keys, announced, strict=True)}
    )
    known = _with_successors(client, carrying)
    people = {key: _people(found, known) for key, found in carrying.items()}
    of_visit: Mapping[str, Sequence[Resource]] = {}
    if not client.source.profile.encounter_needs_patient:
        sought = {key: [one.visit] for key, one in zip(keys, announced, strict=True) if len(people[key].in_use) == 1}
        of_visit = with_identifiers(client, "Encounter", sought) if sought else {}
    return [_link(people[key], of_visit.get(key, ())) for key in keys]


class _People(NamedTuple):
    """The records of the patient to use, and all that lead to them."""

    in_use: frozenset[str]
    all: frozenset[str]


def _link(people: _People, encounters: Sequence[Resource]) -> Link:
    if not people.in_use:
        return NotYet(PATIENT_UNKNOWN)
    if len(people.in_use) > 1:
        return Ambiguous()
    own = [one for one in encounters if patient_of(one) in people.all]
    if encounters and not own:
        return NotYet(VISIT_OF_ANOTHER)
    (patient_id,) = people.in_use
    return Linked(patient_id, latest_of(own))


def latest_of(encounters: Iterable[Resource]) -> str:
    """Returns the id of the visit's Encounter, of those with its number; "" if none took place.

    A number that was given again counts for the visit that began last.
    """
    latest = max((one for one in encounters if one.get("status") in TOOK_PLACE), key=_began, default=None)
    return str(latest["id"]) if latest else ""


def _began(encounter: Resource) -> tuple[int, str]:
    return began(encounter), str(encounter["id"])


def _people(found: Iterable[Resource], known: Mapping[str, Resource]) -> _People:
    """Returns whom these Patients lead to: each follows the records that replace it, as far as they are known."""
    start = {str(one["id"]) for one in found}
    instead = _replacements(known)
    everyone, last, waiting = set(start), set[str](), set(start)
    while waiting:
        key = waiting.pop()
        following = instead.get(key, set())
        if not following:
            last.add(key)
        waiting |= following - everyone
        everyone |= following
    active = {key for key in last if known.get(key, {}).get("active") is not False}
    return _People(frozenset(active or last), frozenset(everyone))


def _with_successors(client: FhirClient, carrying: Mapping[str, Sequence[Resource]]) -> dict[str, Resource]:
    """Returns the Patients by id, with those by which they were replaced, at any distance."""
    known = {str(one["id"]): one for found in carrying.values() for one in found}
    for _ in range(_MOST_MERGES):
        following = {key for some in _replacements(known).values() for key in some} - known.keys()
        if not following:
            break
        known |= _by_id(client, following)
    return known


def _by_id(client: FhirClient, ids: Collection[str]) -> dict[str, Resource]:
    """Returns the Patients of these ids; an empty one for an id that the server does not have."""
    found = newest_of("Patient", client.search("Patient", [("_id", sorted(ids))]), client.source.bases)
    return {key: found.get(key, {"id": key}) for key in ids}


def _replacements(known: Mapping[str, Resource]) -> Mapping[str, set[str]]:
    """Returns, for each Patient that was merged away, the ids of those that replace it, whichever of them says so."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for key, patient in known.items():
        for one in dicts(patient.get("link")):
            other = id_in(one.get("other"), "Patient")
            if other and other != key:
                if one.get("type") == "replaced-by":
                    found[key].add(other)
                elif one.get("type") == "replaces":
                    found[other].add(key)
    return found
