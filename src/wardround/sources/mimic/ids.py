"""Converts MIMIC's numbers to the ids of MIMIC-IV on FHIR: one rule (uuid5) for the CSVs and for mimic2fhir."""

from functools import cache
from uuid import NAMESPACE_OID, UUID, uuid5

_ROOT = uuid5(NAMESPACE_OID, "MIMIC-IV")


@cache
def _namespace(kind: str) -> UUID:
    """Returns the namespace of one kind of resource, such as `Patient` or `EncounterICU`."""
    return uuid5(_ROOT, kind)


def mimic_id(kind: str, name: object) -> str:
    """Returns the id of the resource of `kind` that MIMIC calls `name`."""
    return str(uuid5(_namespace(kind), str(name)))


def patient_id(subject_id: int) -> str:
    """Returns the Patient's id."""
    return mimic_id("Patient", subject_id)


def encounter_id(hadm_id: int) -> str:
    """Returns the id of the hospital Encounter."""
    return mimic_id("Encounter", hadm_id)


def stay_id(mimic_stay_id: int) -> str:
    """Returns the id of the ICU Encounter, which Wardround calls stay_id."""
    return mimic_id("EncounterICU", mimic_stay_id)


def chartevent_name(mimic_stay_id: int | None, charttime: str, itemid: int, value: str | None) -> str:
    """Returns the name of a row of chartevents: its non-empty parts joined by dashes; `charttime` as in the CSV."""
    return "-".join(str(part) for part in (mimic_stay_id, charttime, itemid, value) if part is not None)


def chartevent_id(mimic_stay_id: int | None, charttime: str, itemid: int, value: str | None) -> str:
    """Returns the id of the Observation for a row of chartevents."""
    return mimic_id("ObservationChartevents", chartevent_name(mimic_stay_id, charttime, itemid, value))


def labevent_id(number: int) -> str:
    """Returns the id of the Observation for a row of labevents."""
    return mimic_id("ObservationLabevents", number)
