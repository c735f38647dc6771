"""MIMIC's numbers in, the ids of MIMIC-IV on FHIR out: one rule (uuid5) for the CSVs and for mimic2fhir."""

from functools import cache
from uuid import NAMESPACE_OID, UUID, uuid5

_ROOT = uuid5(NAMESPACE_OID, "MIMIC-IV")


@cache
def namespace(kind: str) -> UUID:
    """The namespace of one kind of resource, such as `Patient` or `EncounterICU`."""
    return uuid5(_ROOT, kind)


def mimic_id(kind: str, name: object) -> str:
    """The id of the resource of `kind` that MIMIC names `name`."""
    return str(uuid5(namespace(kind), str(name)))


def patient_id(subject_id: int) -> str:
    """The Patient's id."""
    return mimic_id("Patient", subject_id)


def encounter_id(hadm_id: int) -> str:
    """The id of the hospital Encounter."""
    return mimic_id("Encounter", hadm_id)


def stay_id(mimic_stay_id: int) -> str:
    """The id of the ICU Encounter, which is what Wardround calls stay_id."""
    return mimic_id("EncounterICU", mimic_stay_id)


def chartevent_name(mimic_stay_id: int | None, charttime: str, itemid: int, value: str | None) -> str:
    """What names a row of chartevents: its parts joined by a dash, empty parts left out; `charttime` as in the CSV."""
    return "-".join(str(part) for part in (mimic_stay_id, charttime, itemid, value) if part is not None)


def chartevent_id(mimic_stay_id: int | None, charttime: str, itemid: int, value: str | None) -> str:
    """The id of the Observation of a row of chartevents."""
    return mimic_id("ObservationChartevents", chartevent_name(mimic_stay_id, charttime, itemid, value))


def labevent_id(number: int) -> str:
    """The id of the Observation of a row of labevents."""
    return mimic_id("ObservationLabevents", number)
