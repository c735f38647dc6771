"""Tests how Observations become readings, and what is set aside."""

import math
from pathlib import Path

import pandas as pd
import pytest
from tests.frames import admit

from wardround.core.events import READING_COLUMNS
from wardround.core.reading_rule import reading_rule
from wardround.core.readings import Readings
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.fhir.references import Bases
from wardround.sources.fhir.observation import in_our_units, readings_of
from wardround.sources.fhir.observation_shape import OBSERVATION
from wardround.sources.fhir.observations import fetch
from wardround.spec.loading import load_variables
from wardround.spec.servers import GENERIC
from wardround.spec.source_maps import Translation

LOINC = "http://loinc.org"
BASES = Bases("https://example.org/fhir")


@pytest.fixture(scope="module")
def variables(schemas: Path):
    return load_variables(schemas)


def concept(*codes: str, system: str = LOINC) -> dict:
    return {"coding": [{"system": system, "code": code} for code in codes]}


def heart_rate(**changes) -> dict:
    observation = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": concept("8867-4"),
        "subject": {"reference": "Patient/a"},
        "effectiveDateTime": "2026-01-02T05:00:00Z",
        "valueQuantity": {"value": 80, "code": "/min", "unit": "beats"},
    }
    return {key: value for key, value in {**observation, **changes}.items() if value is not None}


def read(observation: dict, variables) -> pd.DataFrame:
    return Readings.of(readings_of([OBSERVATION.of(observation)], reading_rule(variables), BASES)).frame()


def reasons(observation: dict, variables) -> list[str]:
    return admit(read(observation, variables), variables).set_aside["reason"].tolist()


def test_a_plain_observation_is_one_event(variables) -> None:
    frame = read(heart_rate(), variables)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == READING_COLUMNS
    event = admit(frame, variables).events.iloc[0]
    assert (event["patient_id"], event["variable"], event["value"]) == ("a", "heart_rate", 80.0)
    assert event["time"] == event["available"] == pd.Timestamp("2026-01-02T05:00Z")
    assert event["source_ref"] == "Observation/o1"


def test_the_code_may_be_in_any_coding(variables) -> None:
    observation = heart_rate(code={"coding": [{"system": "urn:local", "code": "HR"}, *concept("8867-4")["coding"]]})
    assert len(read(observation, variables)) == 1


@pytest.mark.parametrize(
    "code",
    [concept("8867-4", system="urn:local"), concept("8867"), concept("8867-40"), concept("50813"), {"text": "8867-4"}],
)
def test_a_code_matches_with_its_system_and_whole_or_not_at_all(variables, code: dict) -> None:
    assert read(heart_rate(code=code), variables).empty


def part(code: str, value: float, unit: str = "mm[Hg]", **content) -> dict:
    return {"code": concept(code), "valueQuantity": {"value": value, "code": unit}, **content}


def values(observation: dict, variables) -> list[tuple[str, float]]:
    frame = read(observation, variables)
    return list(zip(frame["variable"], frame["value"], strict=True))


def panel(code: str, *components: dict) -> dict:
    return heart_rate(code=concept(code), valueQuantity=None, component=list(components))


@pytest.mark.parametrize("code", ["85354-9", "55284-4", "35094-2", "55417-0"])
def test_the_components_of_a_pressure_panel_are_read(variables, code: str) -> None:
    observation = panel(code, part("8480-6", 120), part("8462-4", 70), part("8478-0", 87))
    frame = read(observation, variables)
    found = dict(zip(frame["variable"], frame["value"], strict=True))
    assert found == {"systolic_pressure": 120, "diastolic_pressure": 70, "mean_pressure": 87}
    assert set(frame["source_ref"]) == {"Observation/o1"}


@pytest.mark.parametrize(
    "code",
    [
        "76284-9",  # pulmonary artery
        "8414-5",  # pulmonary artery, systolic and diastolic
        "34534-8",  # blood pressure lying, sitting and standing
        "97844-9",  # ambulatory, 24 hours
        "9279-1",  # a code of another variable
        "8867-4",
        "9269-2",  # a panel of other variables
        "85353-1",  # vital signs: its members are Observations of their own
    ],
)
def test_components_count_only_where_the_own_code_is_one_that_their_variable_names(variables, code: str) -> None:
    observation = panel(code, part("8480-6", 28), part("8462-4", 12), part("8478-0", 18))
    assert "pressure" not in " ".join(read(observation, variables)["variable"])


def test_the_own_code_opens_components_by_system_and_code_alone(variables) -> None:
    observation = panel("85354-9", part("8480-6", 28))
    observation["code"] = {"coding": [{"system": "urn:local", "code": "85354-9"}], "text": "85354-9"}
    assert read(observation, variables).empty
    observation["code"] = None
    assert read(observation, variables).empty


def test_the_parts_of_the_glasgow_scale_are_read_and_its_sum_is_not(variables) -> None:
    observation = panel("9269-2", part("9267-6", 3, "{score}"), part("9270-0", 4, "{score}"), part("9268-4", 6, "1"))
    observation["valueQuantity"] = {"value": 13, "code": "{score}"}
    assert values(observation, variables) == [("gcs_eye", 3), ("gcs_verbal", 4), ("gcs_motor", 6)]


def test_inspired_oxygen_is_read_beside_the_saturation_of_which_it_is_a_component(variables) -> None:
    observation = panel("59408-5", part("3150-6", 40, "%"), part("3151-8", 6, "L/min"))
    observation["valueQuantity"] = {"value": 93, "code": "%"}
    assert values(observation, variables) == [("spo2", 93), ("fio2", 40)]


def test_the_gases_of_an_arterial_panel_are_read_and_those_of_a_venous_one_are_not(variables) -> None:
    gases = part("2744-1", 7.21, "[pH]"), part("2703-7", 61), part("2019-8", 55), part("1925-7", -6, "mmol/L")
    expected = [("ph", 7.21), ("po2", 61), ("pco2", 55), ("base_excess", -6)]
    assert values(panel("24336-0", *gases), variables) == expected
    assert values(panel("24338-6", *gases), variables) == expected
    assert values(panel("24339-4", *gases), variables) == []


def test_a_component_of_another_variable_is_not_read_beside_a_value(variables) -> None:
    assert values(heart_rate(component=[part("59408-5", 97, "%")]), variables) == [("heart_rate", 80)]


def test_a_value_is_not_said_again_by_a_component_with_the_same_code(variables) -> None:
    beside = heart_rate(component=[part("8867-4", 79, "/min")])
    assert values(beside, variables) == [("heart_rate", 80)]
    instead = heart_rate(valueQuantity=None, component=[part("8867-4", 79, "/min")])
    events = admit(read(instead, variables), variables).events
    assert events["value"].tolist() == [79]


def test_a_component_with_two_codes_of_a_variable_counts_once(variables) -> None:
    twice = {**part("8480-6", 120), "code": concept("8480-6", "76534-7")}
    assert values(panel("85354-9", twice), variables) == [("systolic_pressure", 120)]


def test_two_own_codes_open_what_each_of_them_opens(variables) -> None:
    observation = panel("85354-9", part("8480-6", 120), part("9268-4", 6, "1"))
    observation["code"] = concept("85354-9", "9269-2")
    assert values(observation, variables) == [("systolic_pressure", 120), ("gcs_motor", 6)]


@pytest.mark.parametrize(
    ("code", "component", "expected"),
    [
        (concept("85354-9"), [part("8480-6", 120), "none"], ["systolic_pressure"]),
        (concept("76284-9"), [part("8480-6", 28), "none"], []),
        ({"coding": {"code": "8480-6"}}, [], ["systolic_pressure"]),
        ("8867-4", [part("8480-6", 120)], ["heart_rate"]),
        (None, [part("8480-6", 120), "none"], []),
    ],
)
def test_what_is_malformed_is_counted_by_its_own_code(variables, code: object, component: list, expected: list) -> None:
    observation = heart_rate(code=code, component=component)
    assert read(observation, variables)["variable"].tolist() == expected
    assert set(reasons(observation, variables)) <= {"malformed"}


def test_the_unit_is_the_code_and_else_the_text(variables) -> None:
    assert read(heart_rate(), variables)["unit"].tolist() == ["/min"]
    assert read(heart_rate(valueQuantity={"value": 80, "unit": "bpm"}), variables)["unit"].tolist() == ["bpm"]


UCUM, SNOMED = "http://unitsofmeasure.org", "http://snomed.info/sct"


@pytest.mark.parametrize(
    ("quantity", "units"),
    [
        ({"code": "/min", "unit": "/min", "system": UCUM}, ("/min", "")),
        ({"code": "/min", "unit": "beats", "system": UCUM}, ("/min", "beats")),
        ({"code": "/min", "unit": "beats", "system": "urn:oid:2.16.840.1.113883.6.8"}, ("/min", "beats")),
        ({"code": "/min", "unit": "beats"}, ("/min", "beats")),
        ({"code": " /min ", "unit": "", "system": UCUM}, ("/min", "")),
        ({"code": "258983007", "unit": "/min", "system": SNOMED}, ("/min", "258983007")),
        ({"code": "bpm", "system": "urn:house:units"}, ("bpm", "")),
        ({"unit": "bpm", "system": UCUM}, ("bpm", "")),
        ({"code": None, "unit": None}, ("", "")),
        ({"code": 5, "unit": "/min"}, ("5", "/min")),
        ({"code": ["/min"], "unit": {"text": "/min"}}, ("['/min']", "{'text': '/min'}")),
    ],
)
def test_the_code_of_ucum_goes_first_and_that_of_another_system_last(variables, quantity, units) -> None:
    frame = read(heart_rate(valueQuantity={"value": 80, **quantity}), variables)
    assert (frame["unit"][0], frame["other_unit"][0]) == units


def test_what_stands_beside_a_unit_is_translated_as_well(variables) -> None:
    quantity = {"value": 80, "code": "/min", "unit": "Schläge pro Sekunde"}
    readings = in_our_units(
        Readings.of_frame(read(heart_rate(valueQuantity=quantity), variables)),
        Translation(units=(("Schläge pro Sekunde", "/s"),)),
    )
    assert admit(readings.frame(), variables).set_aside["reason"].tolist() == ["unit_conflict"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"valueQuantity": None}, "no_value"),
        ({"valueQuantity": {"unit": "/min"}}, "no_value"),
        ({"valueQuantity": {"value": "80", "code": "/min"}}, "no_value"),
        ({"valueQuantity": {"value": True, "code": "/min"}}, "no_value"),
        ({"valueQuantity": None, "valueString": "80"}, "no_value"),
        ({"dataAbsentReason": concept("unknown")}, "no_value"),
        ({"valueQuantity": {"value": 80}}, "unknown_unit"),
        ({"valueQuantity": {"value": 80, "code": "mg/dL", "unit": "/min"}}, "unknown_unit"),
        ({"valueQuantity": {"value": 80, "code": "/min", "comparator": ">"}}, "comparator"),
        ({"valueQuantity": {"value": 900, "code": "/min"}}, "implausible_value"),
        ({"effectiveDateTime": None}, "no_time"),
        ({"effectiveDateTime": "2026-01-02"}, "no_time"),
        ({"effectiveDateTime": "2026-01-02T05:00:00"}, "no_time"),
        ({"effectiveDateTime": "2026-13-02T05:00:00Z"}, "no_time"),
        ({"effectiveDateTime": "1899-12-31T05:00:00Z"}, "implausible_time"),
        ({"effectiveDateTime": "2999-12-31T05:00:00Z"}, "implausible_time"),
        ({"status": "entered-in-error"}, "status"),
        ({"status": "cancelled"}, "status"),
        ({"component": "none"}, "malformed"),
        ({"effectiveDateTime": 5}, "malformed"),
        ({"code": {"coding": {"code": "8867-4"}}}, "malformed"),
        ({"valueQuantity": 80}, "malformed"),
    ],
)
def test_what_cannot_be_used_is_set_aside_with_its_reason(variables, changes: dict, reason: str) -> None:
    assert reasons(heart_rate(**changes), variables) == [reason]


SNOMED, MDC = "http://snomed.info/sct", "urn:iso:std:iso:11073:10101"
MODIFIER = [{"url": "urn:example:not-done", "valueBoolean": True}]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"focus": [{"reference": "Patient/newborn"}]}, "focus"),
        ({"focus": [{"reference": "Device/pump"}]}, "focus"),
        ({"focus": [{}]}, "focus"),
        ({"focus": {"display": "the newborn"}}, "focus"),
        ({"modifierExtension": MODIFIER}, "modifier_extension"),
        ({"modifierExtension": {"url": "urn:example:not-done"}}, "modifier_extension"),
        ({"implicitRules": "urn:example:rules"}, "implicit_rules"),
        ({"status": "registered"}, "status"),
        ({"status": "unknown"}, "status"),
        ({"status": "Final"}, "status"),
        ({"status": None}, "status"),
        ({"status": ["final"]}, "status"),
        ({"dataAbsentReason": {}}, "no_value"),
        ({"valueQuantity": None, "valueRange": {"low": {"value": 60}, "high": {"value": 80}}}, "no_value"),
        ({"valueQuantity": None, "valueRatio": {"numerator": {"value": 80}, "denominator": {"value": 1}}}, "no_value"),
        ({"valueQuantity": None, "valueSampledData": {"origin": {"value": 80}, "data": "1 2"}}, "no_value"),
        ({"effectiveDateTime": None, "effectiveTiming": {"event": ["2026-01-02T05:00:00Z"]}}, "no_time"),
        ({"bodySite": "left arm"}, "malformed"),
    ],
)
def test_what_changes_the_meaning_sets_aside(variables, changes: dict, reason: str) -> None:
    assert reasons(heart_rate(**changes), variables) == [reason]


@pytest.mark.parametrize(
    "changes",
    [
        {"focus": []},
        {"modifierExtension": []},
        {"status": "preliminary"},
        {"status": "amended"},
        {"status": "corrected"},
        {"extension": [{"url": "urn:example:unknown", "valueString": "x"}]},
        {"interpretation": [concept("H")]},
        {"device": {"reference": "Device/d"}},
        {"derivedFrom": [{"reference": "Observation/o0"}]},
        {"hasMember": [{"reference": "Observation/o0"}]},
        {"bodySite": {"text": "pulmonary artery"}},  # no matter for a heart rate
    ],
)
def test_what_does_not_change_the_meaning_is_read(variables, changes: dict) -> None:
    assert admit(read(heart_rate(**changes), variables), variables).events["value"].tolist() == [80]


@pytest.mark.parametrize("element", ["focus", "modifierExtension", "implicitRules", "dataAbsentReason", "bodySite"])
def test_a_null_counts_as_missing(variables, element: str) -> None:
    assert reasons({**heart_rate(), element: None}, variables) == []


def test_a_component_is_set_aside_alone_by_what_stands_in_it(variables) -> None:
    absent = part("8480-6", 120, dataAbsentReason=concept("error"))
    modified = part("8462-4", 70, modifierExtension=MODIFIER)
    admitted = admit(read(panel("85354-9", absent, modified, part("8478-0", 88)), variables), variables)
    assert admitted.events["variable"].tolist() == ["mean_pressure"]
    assert admitted.set_aside["reason"].tolist() == ["no_value", "modifier_extension"]


def test_what_changes_the_whole_sets_all_its_components_aside(variables) -> None:
    pressures = panel("85354-9", part("8480-6", 120), part("8462-4", 70))
    assert reasons({**pressures, "focus": [{"reference": "Patient/newborn"}]}, variables) == ["focus"] * 2
    assert reasons({**pressures, "status": "unknown"}, variables) == ["status"] * 2


SITE = "http://hl7.org/fhir/StructureDefinition/bodySite"


def pressure(**changes) -> dict:
    return {**panel("85354-9", part("8480-6", 28), part("8462-4", 12)), **changes}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bodySite": {"coding": [{"system": SNOMED, "code": "81040000"}]}}, "body_site"),
        ({"bodySite": {"coding": [{"system": "urn:oid:2.16.840.1.113883.6.96", "code": "81040000"}]}}, "body_site"),
        ({"bodySite": {"coding": [{"system": SNOMED, "code": "53085002"}]}}, "body_site"),
        ({"bodySite": {"text": "Pulmonary  Artery"}}, "body_site"),
        ({"bodySite": {"coding": [{"display": "Right atrial structure (body structure)"}]}}, "body_site"),
        ({"bodySite": {"text": "zentralvenös"}}, "body_site"),
        ({"bodySite": {"text": "Right pulmonary artery, distal"}}, "body_site"),
        ({"bodySite": {"text": "via catheter (pulmonary artery)"}}, "body_site"),
        ({"bodySite": {"coding": [{"system": SNOMED, "code": "45341000"}]}}, "body_site"),
        ({"method": {"text": "Swan-Ganz, thermodilution"}}, "method"),
        ({"extension": [{"url": SITE, "valueReference": {"display": "Pulmonary artery"}}]}, "body_site"),
        ({"extension": [{"url": SITE, "valueCodeableConcept": {"text": "left atrium"}}]}, "body_site"),
        (
            {
                "extension": [{"url": SITE, "valueReference": {"reference": "#b"}}],
                "contained": [{"resourceType": "BodyStructure", "id": "b", "location": {"text": "Pulmonary artery"}}],
            },
            "body_site",
        ),
        ({"method": {"text": "Right heart catheterization (procedure)"}}, "method"),
        ({"code": concept("85354-9", "76284-9")}, "code"),
    ],
)
def test_a_pressure_of_another_place_is_none_of_the_body(variables, changes: dict, reason: str) -> None:
    assert reasons(pressure(**changes), variables) == [reason] * 2


@pytest.mark.parametrize(
    "site",
    [
        {"coding": [{"system": SNOMED, "code": "368209003", "display": "Right upper arm structure"}]},
        {"coding": [{"system": SNOMED, "code": "11527006", "display": "Arterial system structure"}]},
        {"text": "Artery of the arm, paediatric cuff"},
        {"coding": [{"system": "urn:local", "code": "81040000"}], "text": "not in the pulmonary artery"},
        {"text": None, "coding": []},
    ],
)
def test_a_pressure_of_an_arm_is_read_wherever_codes_are_not_the_named_ones(variables, site: dict) -> None:
    assert reasons(pressure(bodySite=site), variables) == []


def test_the_place_of_a_component_is_said_by_an_extension(variables) -> None:
    placed = part("8480-6", 28, extension=[{"url": SITE, "valueReference": {"display": "Right ventricle"}}])
    admitted = admit(read(panel("85354-9", placed, part("8462-4", 70)), variables), variables)
    assert admitted.events["variable"].tolist() == ["diastolic_pressure"]
    assert admitted.set_aside["reason"].tolist() == ["body_site"]


@pytest.mark.parametrize("place", ["extension", "_value"])
def test_a_value_that_an_extension_calls_absent_is_none(variables, place: str) -> None:
    url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    said = [{"url": url, "valueCode": "error"}]
    absent = heart_rate()
    absent["valueQuantity"] |= {place: said if place == "extension" else {"extension": said}}
    assert reasons(absent, variables) == ["no_value"]
    said[0]["url"] = "urn:example:other"
    assert reasons(absent, variables) == []


def test_a_component_that_is_also_coded_as_another_quantity_is_set_aside(variables) -> None:
    codings = [*concept("8480-6")["coding"], {"system": SNOMED, "code": "250768007"}]
    both = {**part("8480-6", 28), "code": {"coding": codings}}
    admitted = admit(read(panel("85354-9", both, part("8462-4", 70)), variables), variables)
    assert admitted.events["variable"].tolist() == ["diastolic_pressure"]
    assert admitted.set_aside["reason"].tolist() == ["code"]


def lactate(**changes) -> dict:
    return heart_rate(**{"code": concept("2524-7"), "valueQuantity": {"value": 9.3, "code": "mmol/L"}, **changes})


def specimen(kind: object, key: str = "s") -> dict:
    inside = [{"resourceType": "Patient", "id": "p"}, {"resourceType": "Specimen", "id": key, "type": kind}]
    return {"specimen": {"reference": "#s"}, "contained": inside}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"specimen": {"display": "Ascites"}}, ["specimen"]),
        ({"specimen": {"display": "Urine, random, no 12"}}, ["specimen"]),
        ({"specimen": {"display": "Blood, not urine"}}, []),
        (specimen({"text": "Lumbar puncture (CSF)"}), ["specimen"]),
        (specimen({"coding": [{"system": SNOMED, "code": "78014005"}]}), ["specimen"]),
        ({"code": concept("2524-7", "2520-5")}, ["code"]),
        ({"specimen": {"reference": "Specimen/1", "display": "CSF"}}, ["specimen"]),
        (specimen({"coding": [{"system": SNOMED, "code": "309201001"}]}), ["specimen"]),
        (specimen({"text": "Pleural fluid"}), ["specimen"]),
        (specimen({"coding": "Urine"}), ["malformed"]),
        (specimen({"text": "Pleural fluid"}, key="other"), []),
        (specimen({"text": "Arterial blood"}), []),
        (specimen(None), []),
        ({"specimen": {"reference": "Specimen/1"}}, []),
        ({"specimen": {"display": "venous blood"}}, []),
        ({"specimen": {"display": 5}, "contained": "none"}, []),
    ],
)
def test_a_laboratory_value_of_another_fluid_than_blood_is_set_aside(variables, changes: dict, expected: list) -> None:
    assert reasons(lactate(**changes), variables) == expected


@pytest.mark.parametrize(
    ("variable", "system", "code", "unit"),
    [
        ("heart_rate", SNOMED, "364075005", "/min"),
        ("heart_rate", MDC, "147842", "/min"),
        ("heart_rate", "urn:oid:2.16.840.1.113883.6.1", "8867-4", "/min"),
        ("heart_rate", "urn:oid:2.16.840.1.113883.6.24", "147842", "/min"),
        ("respiratory_rate", LOINC, "19840-8", "/min"),
        ("body_temperature", LOINC, "8331-1", "Cel"),
        ("spo2", MDC, "150456", "%"),
        ("peep", LOINC, "76248-4", "cm[H2O]"),
        ("fio2", LOINC, "71835-3", "%"),
        ("fio2", SNOMED, "250774007", "%"),
        ("creatinine", LOINC, "38483-4", "mg/dL"),
        ("urea_nitrogen", LOINC, "6299-2", "mg/dL"),
        ("bicarbonate", LOINC, "20565-8", "mmol/L"),
        ("lactate", LOINC, "59032-3", "mg/dL"),
    ],
)
def test_codes_of_any_system_are_read(variables, variable: str, system: str, code: str, unit: str) -> None:
    observation = heart_rate(code=concept(code, system=system), valueQuantity={"value": 30, "code": unit})
    assert admit(read(observation, variables), variables).events["variable"].tolist() == [variable]


def test_a_pressure_of_the_german_icu_module_is_read_once_though_it_has_three_codes(variables) -> None:
    own = [{"system": SNOMED, "code": "75367002"}, *concept("85354-9")["coding"], {"system": MDC, "code": "150016"}]
    codes = [{"system": SNOMED, "code": "271649006"}, *concept("8480-6")["coding"], {"system": MDC, "code": "150017"}]
    observation = panel("85354-9", {**part("8480-6", 120), "code": {"coding": codes}})
    assert values({**observation, "code": {"coding": own}}, variables) == [("systolic_pressure", 120)]
    without_loinc = {**part("8480-6", 120), "code": {"coding": [codes[0]]}}
    alone = {**panel("x", without_loinc), "code": {"coding": [own[0]]}}
    assert values(alone, variables) == [("systolic_pressure", 120)]


@pytest.mark.parametrize(
    ("changes", "time"),
    [
        ({"effectiveDateTime": "2026-01-02T00:00:00-05:00"}, "2026-01-02T05:00Z"),
        ({"effectiveDateTime": "2026-01-02T05:00:00.250Z"}, "2026-01-02T05:00:00.250Z"),
        ({"effectiveDateTime": None, "effectiveInstant": "2026-01-02T06:00:00Z"}, "2026-01-02T06:00Z"),
        (
            {
                "effectiveDateTime": None,
                "effectivePeriod": {"start": "2026-01-02T04:00:00Z", "end": "2026-01-02T05:00:00Z"},
            },
            "2026-01-02T05:00Z",
        ),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": "2026-01-02T04:00:00Z"}}, "2026-01-02T04:00Z"),
    ],
)
def test_the_time_is_when_the_value_was_true_at_last(variables, changes: dict, time: str) -> None:
    assert read(heart_rate(**changes), variables)["time"].tolist() == [pd.Timestamp(time)]


def test_issued_says_when_a_value_was_known(variables) -> None:
    frame = read(heart_rate(issued="2026-01-02T07:30:00Z"), variables)
    assert frame["available"].tolist() == [pd.Timestamp("2026-01-02T07:30Z")]


@pytest.mark.parametrize("reference", ["Patient/a", "https://example.org/fhir/Patient/a", "Patient/a/_history/2"])
def test_a_patient_may_be_referred_to_in_any_form(variables, reference: str) -> None:
    assert read(heart_rate(subject={"reference": reference}), variables)["patient_id"].tolist() == ["a"]


@pytest.mark.parametrize("key", [None, "", 1, True, ["o1"], {"o": 1}, "a b", "../Patient/a", "0" * 65])
def test_an_observation_without_a_usable_id_is_set_aside_and_its_id_not_repeated(variables, key: object) -> None:
    frame = read({**heart_rate(), "id": key}, variables)
    assert frame[["patient_id", "problem", "source_ref"]].to_numpy().tolist() == [["a", "malformed", "Observation"]]


@pytest.mark.parametrize(
    ("subject", "patient", "problem"),
    [
        ({"reference": "https://elsewhere.org/fhir/Patient/a"}, "", "foreign_reference"),
        ({"reference": "urn:uuid:5f0e9a77-3b2f-5d6e-8a80-000000000001"}, "", "foreign_reference"),
        ({"reference": "Patient/a", "type": "Group"}, "a", "malformed"),
        ({"reference": "Patient/a", "type": "Patient"}, "a", ""),
        ({"identifier": {"value": "1"}}, "", ""),
        ({"reference": "#p"}, "", ""),
        ({"reference": 1}, "", ""),
        ({"reference": ["Patient/a"]}, "", "malformed"),
    ],
)
def test_only_a_reference_of_ours_makes_an_observation_ours(variables, subject, patient: str, problem: str) -> None:
    frame = read(heart_rate(subject=subject), variables)
    assert frame[["patient_id", "problem"]].to_numpy().tolist() == [[patient, problem]]


def test_no_readings_make_an_empty_frame_of_the_right_types() -> None:
    frame = Readings.of([]).frame()
    assert frame.empty
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == READING_COLUMNS


def searched(server, variables, patients: list[str], **settings) -> pd.DataFrame:
    start, end = pd.Timestamp("2026-01-01T05:00:00.5Z"), pd.Timestamp("2026-01-02T05:00:00.5Z")
    with FhirClient(FhirEndpoint(server.url, threads=2, **settings)) as client:
        return fetch(client, patients, variables, dict.fromkeys(variables, start), end).frame()


LATE, EARLY, END = (pd.Timestamp(f"2026-01-0{day}T05:00Z") for day in (8, 2, 9))


def searched_since(server, variables, early: str, profile=GENERIC) -> pd.DataFrame:
    """Heart rate, lactate and mean pressure, of which one is needed since EARLY and the others since LATE."""
    some = {name: variables[name] for name in ("heart_rate", "lactate", "mean_pressure")}
    starts = {name: EARLY if name == early else LATE for name in some}
    with FhirClient(FhirEndpoint(server.url, profile=profile)) as client:
        return fetch(client, ["a"], some, starts, END).frame()


def test_each_code_is_searched_for_since_its_variable_is_needed_and_once(server, page, variables) -> None:
    server.answer = lambda _request: page()
    searched_since(server, variables, "lactate")
    first, second = (request.form for request in server.requests)
    assert (first["date"][0], second["date"][0]) == ("ge2026-01-02T05:00:00Z", "ge2026-01-08T05:00:00Z")
    codes = [set(form["code"][0].split(",")) for form in (first, second)]
    assert codes[0] == {f"{system}|{code}" for system, code in variables["lactate"].all_codes()}
    assert f"{LOINC}|8867-4" in codes[1]
    assert not codes[0] & codes[1]


def test_what_an_observation_is_read_as_does_not_depend_on_the_search_that_found_it(server, page, variables) -> None:
    both = heart_rate(code=concept("8867-4", "2524-7"), effectiveDateTime="2026-01-08T06:00:00Z")
    server.answer = lambda _request: page(both)
    apart = searched_since(server, variables, "lactate")
    together = searched_since(server, variables, "none of them")
    assert len(server.requests) == 3
    pd.testing.assert_frame_equal(apart, together)


def test_a_search_by_category_is_made_once_since_the_first_start(server, page, variables) -> None:
    by_category = GENERIC.model_copy(
        update={"observation_needs": "category", "observation_categories": ("laboratory", "vital-signs")}
    )
    server.answer = lambda _request: page()
    searched_since(server, variables, "lactate", by_category)
    assert [request.form["date"][0] for request in server.requests] == ["ge2026-01-02T05:00:00Z"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [(math.nan, "no_value"), (math.inf, "no_value"), (-math.inf, "no_value"), (10**400, "malformed")],
    ids=["NaN", "Infinity", "-Infinity", "400 digits"],
)
def test_a_value_that_json_does_not_allow_costs_its_own_observation(
    server, page, variables, value: float, reason: str
) -> None:
    bad = heart_rate(id="o2", valueQuantity={"value": value, "code": "/min"})
    server.answer = lambda _request: page(heart_rate(), bad, heart_rate(id="o3"))
    admitted = admit(searched(server, variables, ["a"]), variables)
    assert admitted.events["source_ref"].tolist() == ["Observation/o1", "Observation/o3"]
    assert admitted.set_aside[["source_ref", "reason"]].to_numpy().tolist() == [["Observation/o2", reason]]
    assert len(server.requests) == 1


def test_an_element_that_changes_the_meaning_is_there_even_if_it_cannot_be_read(server, page, variables) -> None:
    absent, other = heart_rate(id="o2", dataAbsentReason=math.nan), heart_rate(id="o3", modifierExtension=math.inf)
    server.answer = lambda _request: page(heart_rate(), absent, other)
    admitted = admit(searched(server, variables, ["a"]), variables)
    assert admitted.events["source_ref"].tolist() == ["Observation/o1"]
    assert admitted.set_aside["reason"].tolist() == ["no_value", "modifier_extension"]


def test_patients_are_searched_together_with_all_codes_and_whole_seconds_around_the_window(
    server, page, variables
) -> None:
    server.answer = lambda request: page(
        *(heart_rate(id=f"o-{p}", subject={"reference": f"Patient/{p}"}) for p in request.form["patient"][0].split(","))
    )
    frame = searched(server, variables, ["a", "b", "c"], patients_per_search=2)
    assert frame["patient_id"].tolist() == ["a", "b", "c"]
    form = server.requests[0].form
    assert form["date"] == ["ge2026-01-01T05:00:00Z", "le2026-01-02T05:00:01Z"]
    assert f"{LOINC}|85354-9" in form["code"][0].split(",")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("later", "values"),
    [
        ({"valueQuantity": {"value": 90, "code": "/min"}}, [90.0, 70.0]),
        ({"code": concept("29463-7")}, [70.0]),
        ({"code": None, "component": 7}, [70.0]),
    ],
)
def test_of_an_observation_that_changes_while_it_is_read_the_last_version_counts(
    server, page, variables, later: dict, values: list[float]
) -> None:
    meta = [{"meta": {"lastUpdated": f"2026-01-02T0{hour}:00:00Z"}} for hour in (5, 6)]
    other = heart_rate(id="o2", valueQuantity={"value": 70, "code": "/min"})
    server.replies(
        page(heart_rate(**meta[0]), other, following="?page=2"),
        page({**heart_rate(**meta[1]), **later}, heart_rate(**meta[0]), other),
    )
    assert sorted(searched(server, variables, ["a"])["value"], reverse=True) == values


def test_of_an_observation_that_two_searches_find_the_last_version_counts_once(server, page, variables) -> None:
    few = GENERIC.model_copy(update={"codes_per_search": 100})
    hours = iter(range(5, 10))

    def answer(_request):
        updated = {"meta": {"lastUpdated": f"2026-01-02T0{(hour := next(hours))}:00:00Z"}}
        return page(heart_rate(**updated, valueQuantity={"value": 60 + hour, "code": "/min"}), heart_rate(id="o2"))

    server.answer = answer
    frame = searched(server, variables, ["a"], profile=few)
    assert len(server.requests) > 1
    assert sorted(frame["value"]) == [60.0 + 4 + len(server.requests), 80.0]


def test_an_observation_about_somebody_at_another_server_is_set_aside(server, page, variables) -> None:
    foreign = heart_rate(id="o2", subject={"reference": "https://elsewhere.org/fhir/Patient/a"})
    alias = heart_rate(id="o3", subject={"reference": "http://inside/r4/Patient/a"})
    server.answer = lambda _request: page(heart_rate(), foreign, alias)
    admitted = admit(searched(server, variables, ["a"], aliases=("http://inside/r4",)), variables)
    assert admitted.events["source_ref"].tolist() == ["Observation/o1", "Observation/o3"]
    assert admitted.set_aside["reason"].tolist() == ["foreign_reference"]


def test_an_observation_about_somebody_else_is_set_aside(server, page, variables) -> None:
    server.answer = lambda _request: page(heart_rate(), heart_rate(id="o2", subject={"reference": "Patient/z"}))
    admitted = admit(searched(server, variables, ["a"]), variables)
    assert admitted.events["patient_id"].tolist() == ["a"]
    assert admitted.set_aside["reason"].tolist() == ["other_patient"]


def test_one_bad_observation_does_not_cost_the_others(server, page, variables) -> None:
    server.answer = lambda _request: page(heart_rate(component="none"), heart_rate(id="o2"))
    admitted = admit(searched(server, variables, ["a"]), variables)
    assert admitted.events["source_ref"].tolist() == ["Observation/o2"]
    assert admitted.set_aside["source_ref"].tolist() == ["Observation/o1"]


def test_no_patients_need_no_search(server, variables) -> None:
    assert searched(server, variables, []).empty
    assert server.requests == []


def test_a_missing_value_is_not_a_number(variables) -> None:
    assert math.isnan(read(heart_rate(valueQuantity=None), variables)["value"][0])


# The usual Observation is read by a shorter way. An extension without content changes nothing but the way.
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"valueQuantity": {"value": 80, "code": "/min"}},
        {"valueQuantity": {"value": 80.5, "code": " /min ", "unit": " /min "}},
        {"valueQuantity": {"value": 80, "code": "", "unit": ""}},
        {"valueQuantity": {"value": 80, "unit": "beats"}},
        {"valueQuantity": {"value": 80, "code": 7, "unit": 7}},
        {"valueQuantity": {"value": 80, "code": "/min", "comparator": "<"}},
        {"valueQuantity": {"value": 10**400, "code": "/min"}},
        {"valueQuantity": {"value": True, "code": "/min"}},
        {"valueQuantity": {"value": "80", "code": "/min"}},
        {"valueQuantity": {"code": "/min"}},
        {"code": concept("2703-7")},
        {"code": concept("0000-0")},
        {"code": concept("0000-0"), "effectiveDateTime": {"not": "a time"}},
        {"code": {"coding": [{"system": LOINC, "code": ["8867-4"]}]}},
        {"code": {"coding": [{"system": "urn:other", "code": "8867-4"}]}, "id": None},
        {"code": {"coding": []}},
        {"resourceType": "Procedure"},
        {"id": None},
        {"id": 5},
        {"id": "no id"},
        {"status": None},
        {"status": ["final"]},
        {"subject": {"reference": "https://elsewhere.org/Patient/a"}},
        {"subject": {"reference": "https://elsewhere.org/Patient/a"}, "effectiveDateTime": "2026-01-02"},
        {"subject": {"reference": "https://example.org/fhir/Patient/a", "type": "Patient"}},
        {"subject": {"reference": "Patient/a", "type": "Group"}},
        {"subject": {"reference": ["Patient/a"]}},
        {"subject": {"display": "somebody"}},
        {"subject": None},
        {"issued": "2026-01-02T06:00:00Z"},
        {"issued": ["2026-01-02T06:00:00Z"]},
        {"effectiveDateTime": "2026-01-02"},
        {"effectiveDateTime": None, "effectiveInstant": "2026-01-02T05:00:00Z"},
        {"effectiveDateTime": {"not": "a time"}},
    ],
)
def test_the_usual_observation_is_read_as_any_other(changes, variables) -> None:
    one = heart_rate(**changes)
    pd.testing.assert_frame_equal(read(one, variables), read({**one, "extension": []}, variables))


def test_codes_are_asked_for_some_at_a_time_and_a_value_that_comes_twice_counts_once(server, page, variables) -> None:
    server.answer = lambda _request: page(heart_rate())
    frame = searched(server, variables, ["a"], profile=GENERIC.model_copy(update={"codes_per_search": 5}))
    asked = [request.form["code"][0].split(",") for request in server.requests]
    assert len(asked) > 1
    assert max(len(codes) for codes in asked) == 5
    codes = sorted(code for codes in asked for code in codes)
    assert codes == sorted(f"{system}|{code}" for system, code in reading_rule(variables).openings)
    assert len(admit(frame, variables).events) == 1


def test_components_that_are_found_by_their_panel_alone_are_searched_by_it(server, page, variables) -> None:
    server.answer = lambda _request: page()
    profile = GENERIC.model_copy(update={"panels_only": {"85354-9": ("8480-6", "8462-4")}})
    searched(server, variables, ["a"], profile=profile)
    codes = server.requests[0].form["code"][0].split(",")
    assert f"{LOINC}|85354-9" in codes
    assert f"{LOINC}|8480-6" not in codes
    assert f"{LOINC}|76534-7" in codes


def test_a_server_that_needs_a_category_is_asked_for_categories_and_other_codes_are_left_out(
    server, page, variables
) -> None:
    other = heart_rate(id="o2", code={"coding": [{"system": LOINC, "code": "0000-0"}]})
    server.answer = lambda _request: page(heart_rate(), other)
    frame = searched(server, variables, ["a"], profile=GENERIC.model_copy(update={"observation_needs": "category"}))
    assert frame["source_ref"].tolist() == ["Observation/o1"]
    assert "code" not in server.requests[0].form
    assert server.requests[0].form["category"][0].endswith("observation-category|laboratory")


def test_patients_are_named_with_their_type_where_the_server_wants_it(server, page, variables) -> None:
    server.answer = lambda _request: page(heart_rate())
    profile = GENERIC.model_copy(update={"references": "type_and_id"})
    assert searched(server, variables, ["a", "b"], profile=profile)["problem"].tolist() == [""]
    assert server.requests[0].form["patient"] == ["Patient/a,Patient/b"]
