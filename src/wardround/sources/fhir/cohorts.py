"""Finds the patients that a Group, a List, ids or a file of ids names, and the ICU stays of given patients."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from wardround.core.stays import FoundStays
from wardround.errors import FhirError, SourceDataError
from wardround.fhir.client import FhirClient
from wardround.fhir.references import (
    FOREIGN_REFERENCE,
    Resource,
    contradicts,
    id_in,
    is_foreign,
    is_id,
    patient_values,
)
from wardround.sources.fhir.encounter_search import begin, complete, encounters_of
from wardround.sources.patient_ids import patient_ids_in
from wardround.spec.cohorts import Encounters

WITHOUT_STAY: Final = "cohort_without_stay"  # the patient exists, but was in no ICU in the look-back
NOT_A_PATIENT: Final = "not_a_patient"  # a member of a Group or an entry of a List that is not a patient
NOT_AN_ID: Final = "not_an_id"  # a line of a file that cannot be an id
INACTIVE: Final = "inactive_member"  # inactive in its Group, or marked as deleted in its List
NAMED_AGAIN: Final = "named_again"  # an id that was given more than once; it is screened once


class Named(NamedTuple):
    """One entry of a cohort: the patient's id, and why it is set aside (empty if it is not)."""

    patient_id: str
    reason: str = ""


def find_for_patients(
    client: FhirClient,
    patient_ids: Sequence[str],
    encounters: Encounters,
    start: datetime | None = None,
    as_of: datetime | None = None,
) -> FoundStays:
    """Returns the stays of these patients that overlap [start, as_of]; without these times, all of theirs.

    Searches Encounters by patient and time alone, `patients_per_search` at a time; which of them count as stays is
    decided here, by the same rule as in `stays.find`. Encounters of other patients are not taken.
    """
    records, rule = begin(client, encounters)
    size = client.source.patients_per_search
    for place in range(0, len(patient_ids), size):
        patients = patient_values(patient_ids[place : place + size], client.source.profile)
        records.add(encounters_of(client, [("patient", patients)], start, as_of))
    return only_of(patient_ids, complete(records, client, rule, start, as_of))


def only_of(patient_ids: Iterable[str], found: FoundStays) -> FoundStays:
    """Returns only the stays of these patients."""
    asked = set(patient_ids)
    return FoundStays(*(frame[frame["patient_id"].isin(asked)].reset_index(drop=True) for frame in found))


def unknown_among(client: FhirClient, patient_ids: Sequence[str]) -> set[str]:
    """Returns those of the ids for which the server has no Patient."""
    size = client.source.patients_per_search
    known = {
        str(patient.get("id"))
        for place in range(0, len(patient_ids), size)
        for patient in client.search("Patient", [("_id", patient_ids[place : place + size]), ("_elements", "id")])
    }
    return set(patient_ids) - known


def of_group(client: FhirClient, group_id: str) -> list[Named]:
    """Returns the members of Group/<id>: as the resource lists them, or page by page if it counts more than it lists.

    Raises FhirError if there is no such Group, if it only describes patients (actual false), or if members are missing.
    """
    group, where = client.read(f"Group/{group_id}"), f"{client.source.base_url}/Group/{group_id}"
    if group.get("actual") is False:
        raise FhirError(
            f"{where}: only describes patients (actual is false), expected members; name a Group that has members"
        )
    group = client.source.bases.localised(group)
    members, quantity = _listed(group.get("member")), group.get("quantity")
    if not isinstance(quantity, int) or len(members) >= quantity:
        return each_once(_entry(member, "entity", "inactive") for member in members)
    # Servers with large Groups return the members only through a search.
    found = client.search("Patient", [("_has:Group:member:_id", group_id), ("_elements", "id")])
    named = each_once(_patient(patient) for patient in found)
    if len(named) != quantity:
        raise FhirError(
            f"{where}: states {quantity} members, lists {len(members)} and returns {len(named)} in a search,"
            " expected all; check the Group, or give the patients as a file"
        )
    return named


def of_list(client: FhirClient, list_id: str) -> list[Named]:
    """Returns the entries of List/<id>. Raises FhirError if there is no such List, or it was entered in error."""
    listed = client.read(f"List/{list_id}")
    if listed.get("status") == "entered-in-error":
        raise FhirError(f"{client.source.base_url}/List/{list_id}: was entered in error; name another List")
    return each_once(
        _entry(entry, "item", "deleted") for entry in _listed(client.source.bases.localised(listed).get("entry"))
    )


def of_ids(patient_ids: Sequence[str]) -> list[Named]:
    """Returns each id once, and an entry without an id for each repetition; the patient is still screened."""
    once = dict.fromkeys(patient_ids)
    return [*map(Named, once), *[Named("", NAMED_AGAIN)] * (len(patient_ids) - len(once))]


def of_file(path: str, column: str | None) -> list[Named]:
    """Returns the ids in a file (see `patient_ids_in`). Raises SourceDataError, also for a file without any id."""
    texts = (text.removeprefix("Patient/") for text in patient_ids_in(path, column))
    named = each_once(Named(text) if is_id(text) else Named("", NOT_AN_ID) for text in texts)
    if not any(one.patient_id for one in named):
        raise SourceDataError(f"{path}: contains no Patient id, expected at least one; check cohort.source")
    return named


def each_once(named: Iterable[Named]) -> list[Named]:
    """Returns each patient once, and every entry that is not a patient, in order.

    A patient who left and came back has two entries: one that is valid makes a patient a member.
    """
    entries = list(named)
    members = {one.patient_id for one in entries if not one.reason}
    return list(_each_once(one for one in entries if not one.reason or one.patient_id not in members))


def _each_once(named: Iterable[Named]) -> Iterator[Named]:
    seen: set[str] = set()
    for one in named:
        if not one.patient_id or one.patient_id not in seen:
            seen.add(one.patient_id)
            yield one


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _patient(resource: Resource) -> Named:
    key = resource.get("id")
    return Named(str(key)) if is_id(key) else Named("", NOT_AN_ID)


def _entry(entry: object, reference: str, ended: str) -> Named:
    said = entry if isinstance(entry, dict) else {}
    named = said.get(reference)
    patient_id = id_in(named, "Patient")
    if not patient_id or contradicts(named, "Patient"):
        return Named("", FOREIGN_REFERENCE if is_foreign(named) else NOT_A_PATIENT)
    return Named(patient_id, INACTIVE if said.get(ended) is True else "")
