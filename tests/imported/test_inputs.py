"""Feature schemas in the tutorial's form become Wardround's columns; nothing is guessed."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from wardround.errors import SpecError
from wardround.imported.about import ImportedInput
from wardround.imported.inputs import SchemaReader, inputs_by_name
from wardround.imported.values import imputation, typical
from wardround.settings import PROJECT
from wardround.spec.conditions import Condition, FeatureGroup
from wardround.spec.feature_schema import FeatureSchema
from wardround.spec.loading import load_condition, load_feature_schema, load_variables

LOINC = "http://loinc.org"
CHART = "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-chartevents-d-items"
LAB = "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-d-labitems"
HEART_RATE = {"fhir_resource": "Observation", "code": "8867-4", "code_system": LOINC}
CLOCK = {"fhir_resource": "Encounter", "field": "period.start", "transform": "calculate_hours_in_unit"}
AGE = {"fhir_resource": "Patient", "field": "birthDate", "transform": "calculate_age"}


@pytest.fixture(scope="module")
def sepsis(schemas: Path) -> Condition:
    """The project's sepsis with its own features, so that this file does not depend on which it has."""
    condition = load_condition("sepsis", schemas)
    group = FeatureGroup(
        variables=("heart_rate", "body_temperature", "lactate", "creatinine", "white_cells"),
        summaries=("last", "mean", "slope", "count"),
        window=timedelta(hours=24),
    )
    return condition.model_copy(update={"features": condition.features.model_copy(update={"groups": (group,)})})


@pytest.fixture(scope="module")
def read(schemas: Path, sepsis: Condition) -> Any:
    """Returns read(name=feature, …), which gives the inputs of a model that takes these features in this order."""
    variables = load_variables(schemas)

    def inputs(summary: Any = "mean", **features: Any) -> tuple[ImportedInput, ...]:
        schema = FeatureSchema.model_validate({"features": features})
        return SchemaReader(schema, sepsis, variables, summary, "own.yaml").inputs(list(features))

    return inputs


def test_the_example_names_the_columns_that_its_model_was_trained_on(schemas: Path) -> None:
    schema = load_feature_schema(PROJECT / "docs" / "examples" / "own_model.yaml")
    condition, variables = load_condition("sepsis", schemas), load_variables(schemas)
    inputs = SchemaReader(schema, condition, variables, "mean", "own.yaml").inputs(["wbc", "age", "gender_encoded"])
    assert [(one.name, one.column, one.unit, one.whole) for one in inputs] == [
        ("wbc", "white_cells__mean_24h", "K/uL", False),
        ("age", "age", "", True),
        ("gender_encoded", "sex", "", False),
    ]


@pytest.mark.parametrize(("code", "system"), [("8867-4", LOINC), ("220045", CHART), (220045, CHART)])
def test_a_variable_is_found_by_system_and_code(read, code, system) -> None:
    assert read(hr={**HEART_RATE, "code": code, "code_system": system})[0].column == "heart_rate__mean_24h"


def test_the_mean_is_taken_as_the_tutorial_does_unless_something_else_is_said(read) -> None:
    assert read(hr=HEART_RATE)[0].column == "heart_rate__mean_24h"
    assert read(hr=HEART_RATE, summary="last")[0].column == "heart_rate__last_24h"
    assert read(hr={**HEART_RATE, "summary": "last"})[0].column == "heart_rate__last_24h"


@pytest.mark.parametrize(
    ("code", "system", "unit", "canonical", "theirs"),
    [
        ("223761", CHART, "°F", 37.0, 98.6),
        ("8310-5", LOINC, "[degF]", 40.0, 104.0),
        ("8310-5", LOINC, "Cel", 37.0, 37.0),
        ("2160-0", LOINC, "umol/L", 1.0, 88.4),
        ("50813", LAB, "mg/dL", 2.0, 18.02),
        ("2524-7", LOINC, "mmol/l", 2.0, 2.0),
        ("8310-5", LOINC, "K", 37.0, 310.15),
        ("6690-2", LOINC, "/uL", 8.0, 8000.0),
    ],
)
def test_a_model_gets_values_in_the_unit_it_was_trained_in(read, code, system, unit, canonical, theirs) -> None:
    feature = {"fhir_resource": "Observation", "code": code, "code_system": system, "unit": unit}
    one = read(x=feature)[0]
    assert canonical * one.factor + one.offset == pytest.approx(theirs)
    assert one.in_column(theirs) == pytest.approx(canonical)


def test_a_unit_may_be_missing_where_people_never_name_it(read) -> None:
    one = read(hr=HEART_RATE)[0]
    assert (one.factor, one.offset, one.unit) == (1.0, 0.0, "/min")


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (
            {**HEART_RATE, "code": "50843", "code_system": LAB},
            r"lactate\.code: got '50843 .*lactate has 2524-7, 32693-4, ",
        ),
        ({**HEART_RATE, "code": "8867"}, r"lactate\.code: got '8867 of"),
        ({**HEART_RATE, "code_system": CHART}, r"lactate\.code: .*heart_rate has it in http://loinc.org"),
        ({**HEART_RATE, "code_system": None}, r"lactate\.code_system: is missing"),
        ({**HEART_RATE, "code": None}, r"lactate\.code: is missing"),
        ({**HEART_RATE, "unit": "per second"}, r"lactate\.unit: got 'per second', expected one of /min"),
        ({**HEART_RATE, "code": "2160-0"}, r"lactate\.unit: is missing, expected the unit .* mg/dL, umol/L"),
        ({**HEART_RATE, "code": "6690-2"}, r"lactate\.unit: is missing, expected the unit .* 10\*3/uL, K/uL"),
        ({**HEART_RATE, "code": "8480-6"}, r"lactate\.unit: is missing, expected the unit .* mm\[Hg\], mmHg"),
        ({**HEART_RATE, "code": "718-7", "unit": "%"}, r"lactate\.unit: got '%', expected one of g/dL"),
        ({**HEART_RATE, "field": "valueString"}, r"lactate\.field: got 'valueString'"),
        ({**HEART_RATE, "transform": "log"}, r"lactate\.transform: got 'log'"),
        ({**HEART_RATE, "dtype": "category"}, r"lactate\.dtype: got 'category'"),
        ({"fhir_resource": "Condition", "code": "A41"}, r"lactate\.fhir_resource: got 'Condition', expected Observ"),
        ({**AGE, "field": "maritalStatus"}, r"lactate\.field: got 'maritalStatus', expected birthDate or gender"),
        ({**AGE, "field": "gender"}, r"lactate\.transform: got 'calculate_age', expected encode_gender"),
        ({**AGE, "transform": None}, r"lactate\.transform: is missing, expected calculate_age"),
        ({**CLOCK, "field": "period.end"}, r"lactate\.field: got 'period.end', expected period.start of an Encounter"),
        ({**CLOCK, "transform": None}, r"lactate\.transform: is missing, expected calculate_hours_in_unit or calc"),
        ({**CLOCK, "transform": "calculate_age"}, r"lactate\.transform: got 'calculate_age', expected calculate_hours"),
        ({**CLOCK, "unit": "mg"}, r"lactate\.unit: got 'mg', expected a UCUM unit of time"),
    ],
)
def test_what_cannot_be_converted_is_named_with_its_remedy(read, feature, message) -> None:
    with pytest.raises(SpecError, match=rf"own\.yaml: features\.{message}"):
        read(lactate=feature)


def test_columns_that_the_condition_does_not_compute_come_as_lines_to_add(read) -> None:
    spo2 = {**HEART_RATE, "code": "59408-5"}
    with pytest.raises(SpecError) as raised:
        read(hr={**HEART_RATE, "summary": "min"}, spo2={**spo2, "summary": "min", "window": "6h"}, o2=spo2)
    assert str(raised.value).splitlines()[1:] == [
        "  groups:",
        "    - {variables: [heart_rate], summaries: [min], window: 24h}",
        "    - {variables: [spo2], summaries: [min], window: 6h}",
        "    - {variables: [spo2], summaries: [mean], window: 24h}",
    ]


def _with(condition: Condition, *groups: FeatureGroup, demographics: tuple[str, ...] = ("age", "sex")) -> Condition:
    features = condition.features.model_copy(update={"groups": groups, "demographics": demographics})
    return condition.model_copy(update={"features": features})


def _group(variable: str, summary: str, hours: int) -> FeatureGroup:
    return FeatureGroup(variables=(variable,), summaries=(summary,), window=timedelta(hours=hours))


def _read_for(condition: Condition, schemas: Path, **features: Any) -> tuple[ImportedInput, ...]:
    schema = FeatureSchema.model_validate({"features": features})
    return SchemaReader(schema, condition, load_variables(schemas), "mean", "own.yaml").inputs(list(features))


def test_without_a_window_the_longest_of_that_variable_and_summary_is_taken(sepsis, schemas) -> None:
    hours = [("heart_rate", "mean", 6), ("heart_rate", "mean", 12), ("heart_rate", "last", 24), ("lactate", "mean", 48)]
    condition = _with(sepsis, *(_group(*each) for each in hours))
    assert _read_for(condition, schemas, hr=HEART_RATE)[0].column == "heart_rate__mean_12h"


@pytest.mark.parametrize(
    ("changes", "column", "of_36_hours"),
    [
        ({}, "hours_in_unit", 36.0),
        ({"unit": "h"}, "hours_in_unit", 36.0),
        ({"unit": "d"}, "hours_in_unit", 1.5),
        ({"unit": "min", "transform": "calculate_hours_in_hospital"}, "hours_in_hospital", 2160.0),
    ],
)
def test_the_time_since_a_stay_began_is_an_input_in_the_models_unit(read, changes, column, of_36_hours) -> None:
    (clock,) = read(icu_hours={**CLOCK, **changes})
    assert (clock.column, clock.whole) == (column, False)
    assert 36 * clock.factor + clock.offset == pytest.approx(of_36_hours, abs=1e-9)
    assert clock.in_column(of_36_hours) == pytest.approx(36, abs=1e-9)


def test_the_time_since_a_stay_began_is_whole_for_a_model_of_integers(read) -> None:
    assert read(icu_hours={**CLOCK, "dtype": "int64"})[0].whole


def test_a_clock_that_the_condition_lacks_is_a_line_to_add(sepsis, schemas) -> None:
    condition = _with(sepsis, _group("heart_rate", "mean", 24))
    with pytest.raises(SpecError, match=r"sepsis does not compute hours_in_unit;") as raised:
        _read_for(condition, schemas, icu_hours=CLOCK)
    assert str(raised.value).splitlines()[1:] == ["  demographics: [age, sex, hours_in_unit]"]


def test_what_the_schema_requires_is_required(sepsis, schemas) -> None:
    for required in (True, False):
        hr, age = {**HEART_RATE, "required": required}, {**AGE, "required": required}
        assert [one.required for one in _read_for(sepsis, schemas, hr=hr, age=age)] == [required, required]


def test_a_demographic_that_the_condition_lacks_is_a_line_to_add(sepsis, schemas) -> None:
    condition = _with(sepsis, _group("heart_rate", "mean", 24), demographics=("sex",))
    with pytest.raises(SpecError, match=r"^own\.yaml: sepsis does not compute age;") as raised:
        _read_for(condition, schemas, age=AGE, hr=HEART_RATE)
    assert str(raised.value).splitlines()[1:] == ["  demographics: [sex, age]"]


def test_variables_of_one_summary_and_window_are_added_in_one_line(read) -> None:
    spo2 = {**HEART_RATE, "code": "59408-5", "summary": "min"}
    with pytest.raises(SpecError, match="not compute heart_rate__min_24h, spo2__min_24h; name") as raised:
        read(hr={**HEART_RATE, "summary": "min"}, spo2=spo2, again=spo2)
    assert str(raised.value).splitlines()[1:] == [
        "  groups:",
        "    - {variables: [heart_rate, spo2], summaries: [min], window: 24h}",
    ]


def test_a_code_that_resembles_nothing_comes_without_a_guess(read) -> None:
    with pytest.raises(SpecError, match=r"got '8867 of .*', expected a code of variables\.yaml; or add a variable$"):
        read(zzz={**HEART_RATE, "code": "8867"})


def test_a_feature_of_the_model_that_the_schema_lacks_is_named(schemas, sepsis) -> None:
    schema = FeatureSchema.model_validate({"features": {"hr": HEART_RATE}})
    with pytest.raises(SpecError, match="takes 'pulse', which the schema does not have"):
        SchemaReader(schema, sepsis, load_variables(schemas), "mean", "own.yaml").inputs(["hr", "pulse"])


def test_an_unknown_key_in_a_schema_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("features: {hr: {fhir_resource: Observation, codes: [8867-4]}}")
    with pytest.raises(SpecError, match=r"features\.hr\.codes: unknown key"):
        load_feature_schema(file)


def test_names_that_are_columns_need_no_schema(sepsis) -> None:
    inputs = inputs_by_name(["lactate__last_24h", "sex"], sepsis, "own.joblib")
    assert [(one.column, one.unit, one.required) for one in inputs] == [
        ("lactate__last_24h", "mmol/L", False),
        ("sex", "", False),
    ]
    with pytest.raises(SpecError, match=r"got 'zzz', expected columns of sepsis"):
        inputs_by_name(["zzz"], sepsis, "own.joblib")
    with pytest.raises(SpecError, match=r"got 'lactate__last_23h' \(did you mean 'lactate__last_24h'\?\).*--schema"):
        inputs_by_name(["lactate__last_23h"], sepsis, "own.joblib")


def test_values_to_impute_are_in_the_models_unit_and_kept_in_the_columns(read, sepsis) -> None:
    temperature = {"fhir_resource": "Observation", "code": "8310-5", "code_system": LOINC, "unit": "°F"}
    inputs = read(temperature=temperature)
    assert imputation({"temperature": 98.6}, inputs, sepsis, "own")["body_temperature__mean_24h"] == pytest.approx(37)
    with pytest.raises(SpecError, match=r"^own: temperature: the value given for it is not plausible in °F"):
        imputation({"temperature": 37.0}, inputs, sepsis, "own")
    with pytest.raises(SpecError, match="got 'pulse', expected features of the model"):
        imputation({"pulse": 80.0}, inputs, sepsis, "own")


def test_two_features_of_one_column_must_not_be_imputed_differently(read, sepsis) -> None:
    inputs = read(hr=HEART_RATE, pulse={**HEART_RATE, "code": "220045", "code_system": CHART})
    assert imputation({"hr": 80.0, "pulse": 80.0}, inputs, sepsis, "own") == {"heart_rate__mean_24h": 80.0}
    with pytest.raises(SpecError, match="two features use heart_rate__mean_24h"):
        imputation({"hr": 80.0, "pulse": 80.5}, inputs, sepsis, "own")


def test_reasons_compare_with_imputed_values_else_with_unknown_else_with_usual_values(sepsis) -> None:
    names = ["lactate__last_24h", "lactate__slope_24h", "heart_rate__last_24h", "age"]
    inputs = inputs_by_name(names, sepsis, "own")
    imputed = {"lactate__last_24h": 1.7}
    assert typical(inputs, imputed, True, sepsis, "own") == imputed
    usual = typical(inputs, imputed, False, sepsis, "own")
    assert usual == {**imputed, "lactate__slope_24h": 0.0, "heart_rate__last_24h": 80.0, "age": 65.0}


def test_a_variable_without_a_usual_value_must_be_imputed(sepsis) -> None:
    lactate = sepsis.variables["lactate"].model_copy(update={"typical": None})
    condition = sepsis.model_copy(update={"variables": {**sepsis.variables, "lactate": lactate}})
    inputs = inputs_by_name(["lactate__last_24h"], condition, "own")
    with pytest.raises(SpecError, match=r"^own: lactate__last_24h: no usual value of lactate is known; give one to"):
        typical(inputs, {}, False, condition, "own")
    assert typical(inputs, {"lactate__last_24h": 1.7}, False, condition, "own") == {"lactate__last_24h": 1.7}
