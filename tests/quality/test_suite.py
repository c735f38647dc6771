"""The rules of a suite follow from the spec, and their texts name no patient."""

import sys
from datetime import date, timedelta

import numpy as np
import pytest

from wardround.features.index import DAYS_PER_YEAR
from wardround.quality.suite import Account, Checked, Noted, QualityResult, Rule, suite
from wardround.settings import PROJECT
from wardround.spec.conditions import Condition, FeatureGroup
from wardround.spec.loading import load_conditions

CONDITIONS = load_conditions(PROJECT / "include" / "schemas")


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=list(CONDITIONS))
def test_every_column_has_a_type_and_a_range(condition: Condition) -> None:
    rules = suite(condition)
    assert {rule.column for rule in rules if rule.kind == "type"} == {"stay_id", "as_of", *condition.columns}
    assert {rule.column for rule in rules if rule.kind in ("between", "one_of")} == set(condition.columns)


def test_a_range_is_the_variables_plausible_range() -> None:
    [rule] = [r for r in suite(CONDITIONS["sepsis"]) if r.kind == "between" and r.column == "lactate__last_24h"]
    assert (rule.low, rule.high, rule.text) == (0, 50, "lactate__last_24h is between 0 and 50 mmol/L")


def test_a_patient_who_comes_of_age_today_passes_the_suite() -> None:
    years = (date(2026, 3, 10) - date(2008, 3, 10)).days / DAYS_PER_YEAR
    [rule] = [r for r in suite(CONDITIONS["sepsis"]) if r.kind == "between" and r.column == "age"]
    assert years < 18
    assert rule.low is not None
    assert years >= rule.low


SUMMARIES = (
    *("last", "first", "mean", "min", "max", "std", "slope"),
    *("change", "count", "missing", "hours_since_last"),
)


def _of(variable: str) -> list[Rule]:
    """The rules of a sepsis whose only features are all summaries of one variable over six hours."""
    condition = CONDITIONS["sepsis"]
    group = FeatureGroup(variables=(variable,), summaries=SUMMARIES, window=timedelta(hours=6))
    features = condition.features.model_copy(update={"groups": (group,)})
    return list(suite(condition.model_copy(update={"features": features})))


def test_the_table_has_the_columns_of_the_spec_a_row_a_stay_and_no_stay_or_time_unknown() -> None:
    rules = _of("body_temperature")
    demographics = ("age", "sex", "hours_in_unit", "hours_in_hospital")
    columns = ("stay_id", "as_of", *demographics, *(f"body_temperature__{summary}_6h" for summary in SUMMARIES))
    assert rules[0] == Rule("columns", "", "the columns are those of the spec, in its order", columns=columns)
    types = {"stay_id": "str", "as_of": "Timestamp"}
    for rule, column in zip(rules[1:], columns, strict=False):
        wanted = types.get(column, "float64")
        assert rule == Rule("type", column, f"{column} is of type {wanted}", type=wanted)
    assert rules[len(columns) + 1 :][:3] == [
        Rule("known", "stay_id", "stay_id is known"),
        Rule("known", "as_of", "as_of is known"),
        Rule("unique", "stay_id", "stay_id is unique"),
    ]


def test_an_age_may_differ_from_birthdays_by_a_hundredth_of_a_year() -> None:
    [age] = [rule for rule in _of("body_temperature") if (rule.column, rule.kind) == ("age", "between")]
    assert (age.low, age.high, age.text) == (17.99, 130.01, "age is between 18 and 130 years")
    [sex] = [rule for rule in _of("body_temperature") if (rule.column, rule.kind) == ("sex", "one_of")]
    assert sex == Rule("one_of", "sex", "sex is 0 or 1", values=(0, 1))


@pytest.mark.parametrize("clock", ["hours_in_unit", "hours_in_hospital"])
def test_a_time_since_a_begin_is_not_negative_and_no_longer_than_ten_years(clock: str) -> None:
    condition = CONDITIONS["sepsis"]
    features = condition.features.model_copy(update={"demographics": (clock,)})
    rules = suite(condition.model_copy(update={"features": features}))
    assert Rule("between", clock, f"{clock} is between 0 and 87660 h", low=0, high=87660) in rules


# A body temperature is plausible from 25 to 45 Cel.
ANY = sys.float_info.max
RANGES = {
    "last": (25, 45, "between 25 and 45 Cel"),
    "first": (25, 45, "between 25 and 45 Cel"),
    "min": (25, 45, "between 25 and 45 Cel"),
    "max": (25, 45, "between 25 and 45 Cel"),
    "mean": (25 - 45e-9, 45 + 45e-9, "between 25 and 45 Cel"),
    "std": (0, 20, "between 0 and 20 Cel"),
    "change": (-20, 20, "between -20 and 20 Cel"),
    "slope": (-ANY, ANY, "finite"),
    "count": (0, ANY, "at least 0"),
    "hours_since_last": (0, 6, "between 0 and 6 h"),
}


@pytest.mark.parametrize("summary", RANGES)
def test_a_summary_may_be_what_plausible_values_can_make_of_it(summary: str) -> None:
    column = f"body_temperature__{summary}_6h"
    low, high, words = RANGES[summary]
    [rule] = [
        rule for rule in _of("body_temperature") if rule.column == column and rule.kind not in ("type", "ordered")
    ]
    assert rule.text == f"{column} is {words}"
    assert (rule.low, rule.high) == pytest.approx((low, high), rel=1e-15)


def test_whether_a_value_is_missing_is_0_or_1_and_the_smallest_is_at_most_the_largest() -> None:
    rules = [rule for rule in _of("body_temperature") if rule.kind in ("one_of", "ordered") and rule.column != "sex"]
    missing, low, high = (f"body_temperature__{summary}_6h" for summary in ("missing", "min", "max"))
    assert sorted(rules, key=lambda rule: rule.kind) == [
        Rule("one_of", missing, f"{missing} is 0 or 1", values=(0, 1)),
        Rule("ordered", low, f"{low} is at most {high}", other=high),
    ]


def test_a_smallest_value_without_a_largest_one_is_compared_with_nothing() -> None:
    condition = CONDITIONS["sepsis"]
    group = FeatureGroup(variables=("lactate",), summaries=("min",), window=timedelta(hours=6))
    features = condition.features.model_copy(update={"groups": (group,)})
    assert "ordered" not in {rule.kind for rule in suite(condition.model_copy(update={"features": features}))}


def test_an_empty_table_sets_nothing_aside_unless_its_columns_are_wrong() -> None:
    def result(*, success: bool) -> QualityResult:
        checked = Checked(type="t", column="", rule="r", success=success, checked=0, unexpected=0)
        return QualityResult(condition="sepsis", rows=0, set_aside=0, expectations=(checked,))

    assert (result(success=True).set_aside_share, result(success=False).set_aside_share) == (0.0, 1.0)


COLUMNS = Rule("columns", "", "the columns are right", columns=("age", "sex"))
AGE = Rule("between", "age", "age is right")
SEX = Rule("one_of", "sex", "sex is right")


def test_an_account_adds_up_what_was_noted_of_the_parts_of_a_table() -> None:
    account = Account([COLUMNS, AGE], rows=5)
    account.note([Noted(AGE, "expect_age", 3, np.array([1], dtype=int), held=False)])
    account.note([Noted(AGE, "expect_age", 1, np.array([], dtype=int), held=True)])
    assert account.checked == (
        Checked(type="expect_age", column="age", rule="age is right", success=False, checked=4, unexpected=1),
    )
    assert (account.success, account.broken) == (False, {1: "age is right"})


def test_an_account_is_in_the_order_of_the_suite_whatever_was_noted_first() -> None:
    account = Account([COLUMNS, AGE, SEX], rows=3)
    account.note([Noted(SEX, "expect_sex", 3, np.array([2, 0], dtype=int), held=False)])
    account.note([Noted(AGE, "expect_age", 3, np.array([0], dtype=int), held=False)])
    account.note([Noted(COLUMNS, "expect_columns", 3, np.array([], dtype=int), held=True)])
    assert [checked.rule for checked in account.checked] == [COLUMNS.text, AGE.text, SEX.text]
    assert list(account.broken.items()) == [(0, AGE.text), (2, SEX.text)]


def test_a_structural_rule_that_is_broken_somewhere_makes_every_row_unusable() -> None:
    account = Account([COLUMNS, AGE], rows=3)
    account.note([Noted(COLUMNS, "expect_columns", 3, np.array([1], dtype=int), held=False)])
    assert account.broken == dict.fromkeys(range(3), COLUMNS.text)
    assert account.checked[0].unexpected == 1


def test_a_rule_can_fail_without_a_row() -> None:
    account = Account([COLUMNS], rows=0)
    account.note([Noted(COLUMNS, "expect_columns", 0, np.array([], dtype=int), held=False)])
    assert (account.success, account.broken) == (False, {})


def test_an_account_in_which_all_rules_held_sets_no_row_aside() -> None:
    account = Account([COLUMNS, AGE], rows=3)
    account.note([Noted(COLUMNS, "expect_columns", 3, np.array([], dtype=int), held=True)])
    account.note([Noted(AGE, "expect_age", 0, np.array([], dtype=int), held=True)])
    assert (account.success, account.broken) == (True, {})
