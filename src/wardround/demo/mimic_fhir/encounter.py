"""Converts rows of admissions and icustays, with the care units of their transfers, to hospital and ICU Encounters."""

from typing import Final, NamedTuple

from wardround.demo.mimic_fhir.location import location_id
from wardround.demo.mimic_fhir.shapes import (
    HOSPITAL_ID,
    MIMIC,
    TERMINOLOGY,
    Resource,
    coding,
    concept,
    meta,
    period,
    reference,
)
from wardround.sources.mimic.ids import encounter_id, patient_id, stay_id

_ACT_CODE: Final = f"{TERMINOLOGY}/v3-ActCode"
_VISIT: Final = concept("http://snomed.info/sct", "308335008", "Patient encounter procedure")

_AMBULATORY: Final = ("AMB", "ambulatory")
_EMERGENCY: Final = ("EMER", "emergency")
_OBSERVATION: Final = ("OBSENC", "observation encounter")
_ROUTINE: Final = ("R", "routine")

# admission_type -> class and priority, as in PhysioNet's files.
_ADMISSION_TYPES: Final = {
    "AMBULATORY OBSERVATION": (_AMBULATORY, _ROUTINE),
    "DIRECT EMER.": (_EMERGENCY, ("EM", "emergency")),
    "DIRECT OBSERVATION": (_OBSERVATION, _ROUTINE),
    "ELECTIVE": (_AMBULATORY, ("EL", "elective")),
    "EU OBSERVATION": (_OBSERVATION, _ROUTINE),
    "EW EMER.": (_EMERGENCY, ("EM", "emergency")),
    "OBSERVATION ADMIT": (_OBSERVATION, _ROUTINE),
    "SURGICAL SAME DAY ADMISSION": (("SS", "short stay"), _ROUTINE),
    "URGENT": (_AMBULATORY, ("UR", "urgent")),
}


class UnitStay(NamedTuple):
    """Time in one care unit, as FHIR dateTimes; no end while it continues."""

    careunit: str
    start: str | None
    end: str | None


class AdmissionRow(NamedTuple):
    """A row of admissions. Times are FHIR dateTimes on the output's timeline; no end while the admission continues."""

    subject_id: int
    hadm_id: int
    start: str | None
    end: str | None
    admission_type: str | None
    admission_location: str | None
    discharge_location: str | None
    service: str | None


class IcuStayRow(NamedTuple):
    """A row of icustays. Times are FHIR dateTimes on the output's timeline; no end while the stay continues."""

    subject_id: int
    hadm_id: int
    stay_id: int
    start: str | None
    end: str | None


def hospital_encounter(row: AdmissionRow, units: list[UnitStay]) -> Resource:
    """Returns the Encounter of an admission; `units` are all its transfers with a care unit, in time order."""
    act, priority = _ADMISSION_TYPES.get(row.admission_type or "", (("IMP", "inpatient encounter"), _ROUTINE))
    identifier = {
        "use": "usual",
        "value": str(row.hadm_id),
        "system": f"{MIMIC}/identifier/encounter-hosp",
        "assigner": reference("Organization", HOSPITAL_ID),
    }
    resource = _encounter(encounter_id(row.hadm_id), identifier, coding(_ACT_CODE, *act), row, units)
    resource["priority"] = concept(f"{TERMINOLOGY}/v3-ActPriority", *priority)
    resource["serviceProvider"] = reference("Organization", HOSPITAL_ID)
    if row.service:
        resource["serviceType"] = concept(f"{MIMIC}/CodeSystem/mimic-services", row.service)
    if hospitalization := _hospitalization(row):
        resource["hospitalization"] = hospitalization
    return resource


def icu_encounter(row: IcuStayRow, units: list[UnitStay]) -> Resource:
    """Returns the Encounter of an ICU stay; `units` are its first and, if different, its last care unit."""
    identifier = {"value": str(row.stay_id), "system": f"{MIMIC}/identifier/encounter-icu"}
    resource = _encounter(stay_id(row.stay_id), identifier, coding(_ACT_CODE, "ACUTE"), row, units)
    resource["partOf"] = reference("Encounter", encounter_id(row.hadm_id))
    return resource


def _encounter(
    resource_id: str, identifier: Resource, act: Resource, row: AdmissionRow | IcuStayRow, units: list[UnitStay]
) -> Resource:
    resource: Resource = {
        "resourceType": "Encounter",
        "id": resource_id,
        "meta": meta("encounter"),
        "identifier": [identifier],
        "status": "finished" if row.end else "in-progress",
        "class": act,
        "type": [_VISIT],
        "subject": reference("Patient", patient_id(row.subject_id)),
        "period": period(row.start, row.end),
    }
    if units:
        resource["location"] = [_unit_stay(unit) for unit in units]
    return resource


def _unit_stay(unit: UnitStay) -> Resource:
    place: Resource = {"location": reference("Location", location_id(unit.careunit))}
    return place | ({"period": period(unit.start, unit.end)} if unit.start else {})


def _hospitalization(row: AdmissionRow) -> Resource:
    parts: Resource = {}
    if row.admission_location:
        parts["admitSource"] = concept(f"{MIMIC}/CodeSystem/mimic-admit-source", row.admission_location)
    if row.discharge_location:
        system = f"{MIMIC}/CodeSystem/mimic-discharge-disposition"
        parts["dischargeDisposition"] = concept(system, row.discharge_location)
    return parts
