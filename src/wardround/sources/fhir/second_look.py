"""Looks again at stays found some minutes ago: what the source says of them now, and which changed, and how."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from wardround.core.exclusion import TOOK_PLACE
from wardround.core.microseconds import micros
from wardround.fhir.client import FhirClient
from wardround.fhir.page import only
from wardround.fhir.references import Resource, contradicts, is_id, patient_of
from wardround.fhir.versions import Newest, last_updated
from wardround.sources.fhir.encounters_by_id import encounters_by_id
from wardround.sources.fhir.people import ELEMENTS, is_modified, person_of

ENCOUNTER_GONE: Final = "encounter_gone"  # no longer there, or unreadable
SUBJECT_CHANGED: Final = "subject_changed"  # now of another patient, another server's or none
STATUS_CHANGED: Final = "status_changed"  # cancelled or entered in error, or only planned
ENCOUNTER_CHANGED: Final = "encounter_changed"  # contains something that is not understood here
_TYPES: Final = ("Encounter", "Patient")
_LOOKED_AT: Final = only("status", "subject", "identifier", *ELEMENTS)


class SecondLook(NamedTuple):
    """What the source says now: Encounters and Patients by id, and which stays have changed.

    A resource that was searched for holds only what is looked at, and its identifiers.

    `changed` maps a stay_id to one of the reasons above, or to why the stay's Patient is barred (`person_of`).
    """

    changed: dict[str, str]
    encounters: Mapping[str, Resource]
    patients: Mapping[str, Resource]


def second_look(client: FhirClient, patient_of_stay: Mapping[str, str], as_of: datetime) -> SecondLook:
    """Looks at the stays again: one search for all Encounters with their Patients, if the server supports it."""
    newest: dict[str, Newest[Resource]] = {kind: Newest() for kind in _TYPES}
    _add(newest, client, encounters_by_id(client, list(patient_of_stay), _LOOKED_AT, with_patients=True))
    missing = sorted(set(patient_of_stay.values()) - newest["Patient"].by_id.keys())
    _add(newest, client, _patients(client, missing))
    encounters, patients = newest["Encounter"].by_id, newest["Patient"].by_id
    verdicts = {
        stay: _encounter_changed(encounters.get(stay), patient)
        or person_of(patients.get(patient), micros(as_of)).barred
        for stay, patient in patient_of_stay.items()
    }
    return SecondLook({stay: verdict for stay, verdict in verdicts.items() if verdict}, encounters, patients)


def _patients(client: FhirClient, ids: Sequence[str]) -> Iterator[Resource]:
    size = client.source.patients_per_search
    for place in range(0, len(ids), size):
        yield from client.search("Patient", [("_id", ids[place : place + size])], _LOOKED_AT)


def _add(newest: Mapping[str, Newest[Resource]], client: FhirClient, resources: Iterable[Resource]) -> None:
    for resource in resources:
        kind, key = resource.get("resourceType"), resource.get("id")
        if kind in _TYPES and is_id(key):
            newest[str(kind)].add(str(key), last_updated(resource), client.source.bases.localised(resource))


def _encounter_changed(encounter: Resource | None, patient: str) -> str:
    if encounter is None:
        return ENCOUNTER_GONE
    if patient_of(encounter) != patient or contradicts(encounter.get("subject"), "Patient"):
        return SUBJECT_CHANGED
    if encounter.get("status") not in TOOK_PLACE:
        return STATUS_CHANGED
    return ENCOUNTER_CHANGED if is_modified(encounter) else ""
