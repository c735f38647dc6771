"""The rules of a suite follow from the spec, and their words name no patient."""

from datetime import date

import pytest

from wardround.core.features import DAYS_PER_YEAR
from wardround.core.suite import Account, Checked, QualityResult, Rule, suite
from wardround.settings import PROJECT
from wardround.spec.conditions import Condition
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


def test_somebody_who_comes_of_age_today_passes_the_suite() -> None:
    years = (date(2026, 3, 10) - date(2008, 3, 10)).days / DAYS_PER_YEAR
    [rule] = [r for r in suite(CONDITIONS["sepsis"]) if r.kind == "between" and r.column == "age"]
    assert years < 18
    assert rule.low is not None
    assert years >= rule.low


def test_the_share_set_aside_of_no_rows_is_none_of_them_unless_the_shape_is_wrong() -> None:
    def result(*, success: bool) -> QualityResult:
        checked = Checked(type="t", column="", rule="r", success=success, checked=0, unexpected=0)
        return QualityResult(condition="sepsis", rows=0, set_aside=0, expectations=(checked,))

    assert (result(success=True).set_aside_share, result(success=False).set_aside_share) == (0.0, 1.0)


COLUMNS = Rule("columns", "", "the columns are right", columns=("age", "sex"))
AGE = Rule("between", "age", "age is right")
SEX = Rule("one_of", "sex", "sex is right")


def test_an_account_adds_up_what_was_noted_of_the_parts_of_a_table() -> None:
    account = Account([COLUMNS, AGE], rows=5)
    account.note(AGE, "expect_age", checked=3, broken=[1])
    account.note(AGE, "expect_age", checked=1, broken=[])
    assert account.checked == (
        Checked(type="expect_age", column="age", rule="age is right", success=False, checked=4, unexpected=1),
    )
    assert (account.success, account.broken) == (False, {1: "age is right"})


def test_an_account_is_in_the_order_of_the_suite_whatever_was_noted_first() -> None:
    account = Account([COLUMNS, AGE, SEX], rows=3)
    account.note(SEX, "expect_sex", checked=3, broken=[2, 0])
    account.note(AGE, "expect_age", checked=3, broken=[0])
    account.note(COLUMNS, "expect_columns", checked=3, broken=[])
    assert [checked.rule for checked in account.checked] == [COLUMNS.text, AGE.text, SEX.text]
    assert list(account.broken.items()) == [(0, AGE.text), (2, SEX.text)]


def test_a_structural_rule_that_is_broken_somewhere_makes_every_row_unusable() -> None:
    account = Account([COLUMNS, AGE], rows=3)
    account.note(COLUMNS, "expect_columns", checked=3, broken=[1])
    assert account.broken == dict.fromkeys(range(3), COLUMNS.text)
    assert account.checked[0].unexpected == 1


def test_a_rule_can_fail_without_a_row() -> None:
    account = Account([COLUMNS], rows=0)
    account.note(COLUMNS, "expect_columns", checked=0, broken=[], held=False)
    assert (account.success, account.broken) == (False, {})


def test_an_account_in_which_all_rules_held_sets_no_row_aside() -> None:
    account = Account([COLUMNS, AGE], rows=3)
    account.note(COLUMNS, "expect_columns", checked=3, broken=())
    account.note(AGE, "expect_age", checked=0, broken=[])
    assert (account.success, account.broken) == (True, {})
