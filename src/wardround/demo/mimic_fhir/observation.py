"""Converts rows of chartevents and labevents to Observations."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from wardround.demo.mimic_fhir.shapes import MIMIC, TERMINOLOGY, Resource, concept, meta, reference
from wardround.sources.mimic.bounds import split_bound
from wardround.sources.mimic.ids import (
    chartevent_id,
    encounter_id,
    labevent_id,
    patient_id,
    stay_id,
)

_UNITS: Final = f"{MIMIC}/CodeSystem/mimic-units"
_CHART_META: Final = meta("observation-chartevents")
_LAB_META: Final = meta("observation-labevents")
_LABORATORY: Final = [concept(f"{TERMINOLOGY}/observation-category", "laboratory", "Laboratory")]
_INTERPRETATIONS: Final = {
    "abnormal": [concept(f"{TERMINOLOGY}/v3-ObservationInterpretation", "A", "abnormal")],
}
_ABSENT: Final = concept(f"{TERMINOLOGY}/data-absent-reason", "unknown", "Unknown")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_CHART_SYSTEM: Final = f"{MIMIC}/CodeSystem/mimic-chartevents-d-items"
_CHART_CATEGORY: Final = f"{MIMIC}/CodeSystem/mimic-observation-category"
_LAB_SYSTEM: Final = f"{MIMIC}/CodeSystem/mimic-d-labitems"


class ChartRow(NamedTuple):
    """A row of chartevents with its item; `charttime` as in the CSV, `effective` and `issued` as FHIR dateTimes."""

    subject_id: int
    stay_id: int | None
    itemid: int
    charttime: str
    effective: str | None
    issued: str | None
    value: str | None
    valuenum: float | None
    unit: str | None
    label: str | None
    category: str | None


class LabRow(NamedTuple):
    """A row of labevents with its item; `effective` and `issued` as FHIR dateTimes."""

    subject_id: int
    hadm_id: int | None
    labevent_id: int
    itemid: int
    effective: str | None
    issued: str | None
    value: str | None
    valuenum: float | None
    unit: str | None
    lower: float | None
    upper: float | None
    flag: str | None
    label: str | None


def chart_observation(row: ChartRow) -> Resource:
    resource = _observation(
        chartevent_id(row.stay_id, row.charttime, row.itemid, row.value),
        _concept(_CHART_SYSTEM, str(row.itemid), row.label),
        row,
    )
    resource["meta"] = _CHART_META
    if row.category:
        resource["category"] = [_concept(_CHART_CATEGORY, row.category, None)]
    if row.stay_id is not None:
        resource["encounter"] = _icu_encounter(row.stay_id)
    return resource


def lab_observation(row: LabRow) -> Resource:
    resource = _observation(
        labevent_id(row.labevent_id),
        _concept(_LAB_SYSTEM, str(row.itemid), row.label),
        row,
    )
    resource["meta"] = _LAB_META
    resource["category"] = _LABORATORY
    if row.hadm_id is not None:
        resource["encounter"] = _hospital_encounter(row.hadm_id)
    if row.flag in _INTERPRETATIONS:
        resource["interpretation"] = _INTERPRETATIONS[row.flag]
    if row.lower is not None or row.upper is not None:
        limits = (("low", row.lower), ("high", row.upper))
        resource["referenceRange"] = [{name: _quantity(x, row.unit) for name, x in limits if x is not None}]
    return resource


def _observation(resource_id: str, code: Resource, row: ChartRow | LabRow) -> Resource:
    resource: Resource = {
        "resourceType": "Observation",
        "id": resource_id,
        "status": "final",
        "code": code,
        "subject": _subject(row.subject_id),
    }
    if row.effective:
        resource["effectiveDateTime"] = row.effective
    if row.issued:
        resource["issued"] = row.issued
    _add_value(resource, row.value, row.valuenum, row.unit)
    return resource


def _add_value(resource: Resource, text: str | None, number: float | None, unit: str | None) -> None:
    bound, rest = split_bound(text)
    if number is None and bound and _NUMBER.fullmatch(rest):
        number = float(rest)
    if number is not None:
        resource["valueQuantity"] = _quantity(number, unit) | ({"comparator": bound} if bound else {})
    elif text is not None:
        resource["valueString"] = text
    else:
        resource["dataAbsentReason"] = _ABSENT


def _quantity(number: float, unit: str | None) -> Resource:
    value = int(number) if number.is_integer() else number
    return {"value": value} | ({"unit": unit, "code": unit, "system": _UNITS} if unit and unit.strip() else {})


# Rows come by patient and there are few items, so what repeats is made only once. Callers must not change it.
_concept = lru_cache(concept)


@lru_cache
def _subject(subject_id: int) -> Resource:
    return reference("Patient", patient_id(subject_id))


@lru_cache
def _icu_encounter(mimic_stay_id: int) -> Resource:
    return reference("Encounter", stay_id(mimic_stay_id))


@lru_cache
def _hospital_encounter(hadm_id: int) -> Resource:
    return reference("Encounter", encounter_id(hadm_id))
