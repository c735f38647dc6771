"""Rows of chartevents and labevents as Observations."""

from typing import Any

import pytest

from wardround.demo.mimic_fhir.observation import ChartRow, LabRow, chart_observation, lab_observation
from wardround.sources.mimic.ids import chartevent_id, encounter_id, patient_id, stay_id

CHART = ChartRow(
    subject_id=1, stay_id=3, itemid=220045, charttime="2150-01-02 03:04:05", effective="2150-01-02T03:04:05-05:00",
    issued="2150-01-02T03:10:00-05:00", value="91", valuenum=91.0, unit="bpm", label="Heart Rate",
    category="Routine Vital Signs",
)  # fmt: skip
LAB = LabRow(
    subject_id=1, hadm_id=2, labevent_id=9, itemid=50813, effective="2150-01-02T03:04:05-05:00", issued=None,
    value="1.4", valuenum=1.4, unit="mmol/L", lower=0.5, upper=2.0, flag=None, label="Lactate",
)  # fmt: skip


def quantity(**changes: Any) -> Any:
    return lab_observation(LAB._replace(**changes)).get("valueQuantity")


def test_a_chartevent_becomes_an_observation_of_its_icu_stay() -> None:
    resource = chart_observation(CHART)
    assert resource["id"] == chartevent_id(3, "2150-01-02 03:04:05", 220045, "91")
    assert resource["subject"] == {"reference": f"Patient/{patient_id(1)}"}
    assert resource["encounter"] == {"reference": f"Encounter/{stay_id(3)}"}
    assert resource["code"]["coding"] == [
        {
            "code": "220045",
            "system": "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-chartevents-d-items",
            "display": "Heart Rate",
        }
    ]
    assert resource["effectiveDateTime"] == "2150-01-02T03:04:05-05:00"
    assert resource["issued"] == "2150-01-02T03:10:00-05:00"
    assert resource["valueQuantity"] == {
        "value": 91,
        "unit": "bpm",
        "code": "bpm",
        "system": "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-units",
    }


def test_a_labevent_names_the_hospital_encounter_or_none() -> None:
    assert lab_observation(LAB)["encounter"] == {"reference": f"Encounter/{encounter_id(2)}"}
    assert "encounter" not in lab_observation(LAB._replace(hadm_id=None))


def test_a_row_without_storetime_has_no_issued() -> None:
    assert "issued" not in lab_observation(LAB)


@pytest.mark.parametrize(
    ("text", "comparator", "value"),
    [("<0.2", "<", 0.2), (">=1.035", ">=", 1.035), ("> 300", ">", 300), ("GREATER THAN 50", ">", 50), ("<=4", "<=", 4)],
)
def test_a_bound_becomes_a_quantity_with_a_comparator(text: str, comparator: str, value: float) -> None:
    found = quantity(value=text, valuenum=None)
    assert (found["comparator"], found["value"]) == (comparator, value)


def test_a_bound_keeps_its_comparator_even_if_there_is_a_number() -> None:
    assert quantity(value=">300", valuenum=300.0)["comparator"] == ">"
    assert quantity(value="<0.5 (diluted)", valuenum=0.5)["comparator"] == "<"


@pytest.mark.parametrize("text", ["___", "<1>50", "NEG", "LARGE", "GREATER"])
def test_a_text_without_a_number_stays_a_text(text: str) -> None:
    resource = lab_observation(LAB._replace(value=text, valuenum=None))
    assert resource["valueString"] == text
    assert "valueQuantity" not in resource


def test_a_row_without_any_value_says_so() -> None:
    resource = lab_observation(LAB._replace(value=None, valuenum=None))
    assert resource["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_a_blank_unit_is_no_unit() -> None:
    assert quantity(unit=" ") == {"value": 1.4}


def test_the_flag_and_the_reference_range_are_kept() -> None:
    resource = lab_observation(LAB._replace(flag="abnormal", upper=None))
    assert resource["interpretation"][0]["coding"][0]["code"] == "A"
    assert resource["referenceRange"][0].keys() == {"low"}
