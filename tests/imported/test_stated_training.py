"""What a model's file says about its training is compared with its schema: a wrong item or unit is found."""

from pathlib import Path
from typing import Any

import pytest

from wardround.errors import SpecError
from wardround.imported.about import ImportedInput
from wardround.imported.stated_training import check_items, check_means
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition, load_variables

HEART_RATE = ImportedInput(name="hr", column="heart_rate__last_24h", unit="bpm")
FAHRENHEIT = ImportedInput(name="t", column="body_temperature__last_24h", unit="°F", factor=1.8, offset=32.0)
AGE = ImportedInput(name="age", column="age", unit="", whole=True)
INPUTS = (HEART_RATE, FAHRENHEIT, AGE)


@pytest.fixture(scope="module")
def sepsis(schemas: Path) -> Condition:
    return load_condition("sepsis", schemas)


def items(**features: Any) -> dict[str, Any]:
    return {"itemid_mappings": {"chartevents": features}}


def test_a_feature_that_was_trained_on_another_quantity_is_refused(sepsis, schemas) -> None:
    with pytest.raises(SpecError, match="hr was trained on MIMIC item 220050, which is Systolic blood pressure, and"):
        check_items(items(hr=220050), INPUTS, sepsis, load_variables(schemas), "own.joblib")
    with pytest.raises(SpecError, match=r"item 50843, which is not a variable in variables\.yaml"):
        check_items(items(t=[223762, 50843]), INPUTS, sepsis, load_variables(schemas), "own.joblib")


@pytest.mark.parametrize(
    "metadata", [{}, items(hr=220045, t=[223761, 223762], age=1, other=5), {"itemid_mappings": 3}, items(hr="much")]
)
def test_statements_that_agree_or_are_absent_are_accepted(metadata, sepsis, schemas) -> None:
    check_items(metadata, INPUTS, sepsis, load_variables(schemas), "own.joblib")


def test_a_mean_that_its_unit_does_not_allow_is_refused(sepsis) -> None:
    check_means({"hr": 85.0, "t": 98.7, "age": 0.0}, INPUTS, sepsis, "own.joblib")
    with pytest.raises(SpecError, match=r"^own\.joblib: t: the mean that its scaler learned is not plausible in °F"):
        check_means({"t": 37.1}, INPUTS, sepsis, "own.joblib")


@pytest.mark.parametrize(("rate", "fine"), [(1.0, True), (300.0, True), (0.99, False), (300.01, False)])
def test_a_mean_at_the_end_of_the_plausible_range_is_accepted(sepsis, rate: float, fine: bool) -> None:
    if fine:
        check_means({"hr": rate}, INPUTS, sepsis, "own.joblib")
    else:
        with pytest.raises(SpecError, match=r"hr: the mean .* is between 1 and 300 /min"):
            check_means({"hr": rate}, INPUTS, sepsis, "own.joblib")
