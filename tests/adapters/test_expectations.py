"""Tests which rows the Great Expectations gate sets aside, and what may be stored of its results."""

import itertools
import logging
import math
import socket
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.frames import build_features

from wardround.adapters import expectations
from wardround.adapters.expectations import ROWS_AT_ONCE, prepare, verdict_of
from wardround.core.events import EVENT_COLUMNS, frame_of
from wardround.errors import QualityError
from wardround.quality.suite import QualityResult, suite
from wardround.settings import PROJECT
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_conditions

CONDITIONS = load_conditions(PROJECT / "include" / "schemas")
SEPSIS = CONDITIONS["sepsis"]


def table(rows: int = 3, condition: Condition = SEPSIS, **columns: object) -> pd.DataFrame:
    """Returns rows that break no rule: everything but the age is unknown, unless given."""
    frame = pd.DataFrame(
        {
            "stay_id": pd.Series([f"stay-{number}" for number in range(rows)], dtype="str"),
            "as_of": pd.Series([pd.Timestamp("2026-01-02T05:00Z")] * rows, dtype="datetime64[us, UTC]"),
            **{name: pd.Series([math.nan] * rows, dtype="float64") for name in condition.columns},
        }
    )
    frame["age"] = 64.0
    for name, values in columns.items():
        frame[name] = values
    return frame


def validate(frame: pd.DataFrame, condition: Condition) -> QualityResult:
    """Returns the result for a table in one part."""
    return expectations.validate([frame], condition)


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=list(CONDITIONS))
def test_a_table_of_unknown_values_passes_for_every_condition(condition: Condition) -> None:
    result = validate(table(condition=condition), condition)
    assert result.success
    assert (result.rows, result.set_aside, result.failing) == (3, 0, {})
    assert {expectation.column for expectation in result.expectations} >= set(condition.columns)


@pytest.mark.parametrize("rows", [0, 3])
def test_every_rule_is_accounted_for_in_the_order_of_the_suite(rows: int) -> None:
    result = validate(table(rows), SEPSIS)
    assert [(checked.column, checked.rule) for checked in result.expectations] == [
        (rule.column, rule.text) for rule in suite(SEPSIS)
    ]


def test_every_rule_is_judged_by_an_expectation_that_great_expectations_brings() -> None:
    judged = zip(suite(SEPSIS), validate(table(), SEPSIS).expectations, strict=True)
    named = {rule.kind: checked.type for rule, checked in judged}
    assert named == {
        "columns": "expect_table_columns_to_match_ordered_list",
        "type": "expect_column_pair_values_to_be_equal",
        "known": "expect_column_values_to_not_be_null",
        "unique": "expect_column_values_to_be_unique",
        "between": "expect_column_pair_values_a_to_be_greater_than_b",
        "one_of": "expect_column_values_to_be_in_set",
        "ordered": "expect_column_pair_values_a_to_be_greater_than_b",
    }
    from great_expectations.expectations import core as stock
    from great_expectations.expectations.registry import get_expectation_impl

    for name in named.values():
        assert get_expectation_impl(name).__module__.startswith(stock.__name__)


def test_only_rows_that_have_a_value_count_as_checked() -> None:
    frame = table(
        stay_id=pd.Series(["a", None, "c"], dtype="str"),
        sex=[1.0, math.nan, math.nan],
        lactate__min_24h=[1.0, 2.0, math.nan],
        lactate__max_24h=[1.0, math.nan, 3.0],
    )
    checked = {expectation.rule: expectation.checked for expectation in validate(frame, SEPSIS).expectations}
    assert checked["stay_id is known"] == 3
    assert checked["stay_id is unique"] == 2
    assert checked["sex is 0 or 1"] == 1
    assert checked["lactate__min_24h is between 0 and 50 mmol/L"] == 2
    assert checked["lactate__min_24h is at most lactate__max_24h"] == 1
    assert checked["heart_rate__last_24h is between 1 and 300 /min"] == 0


def test_an_empty_table_passes() -> None:
    result = validate(table(rows=0), SEPSIS)
    assert (result.success, result.rows, result.set_aside_share) == (True, 0, 0.0)


LIMITS = [
    # column, a value at its limit, a value beyond
    ("heart_rate__last_24h", 300.0, 300.1),
    ("heart_rate__mean_24h", 300 * (1 + 1e-12), 301.0),
    ("lactate__min_24h", 0.0, -0.1),
    ("heart_rate__count_24h", 0.0, -1.0),
    ("lactate__hours_since_last_24h", 24.0, 24.5),
    ("heart_rate__slope_24h", -1e9, math.inf),
    ("body_temperature__max_24h", 45.0, math.inf),
    ("age", 18.0, 17.9),
    ("age", 130.0, 131.0),
    ("hours_in_unit", 0.0, -0.1),
    ("hours_in_hospital", 87_660.0, 87_660.1),
    ("sex", 1.0, 2.0),
    ("sex", 0.0, math.inf),
    ("sex", 0.0, 0.5),
]


def test_features_at_their_limits_pass() -> None:
    frame = table(len(LIMITS))
    for row, (column, limit, _) in enumerate(LIMITS):
        frame.loc[row, column] = limit
    assert validate(frame, SEPSIS).failing == {}


def test_features_beyond_their_limits_are_set_aside_with_the_rule_in_words() -> None:
    frame = table(len(LIMITS) + 1)
    for row, (column, _, beyond) in enumerate(LIMITS):
        frame.loc[row, column] = beyond
    result = validate(frame, SEPSIS)
    assert list(result.failing) == [f"stay-{row}" for row in range(len(LIMITS))]
    for row, (column, _, _) in enumerate(LIMITS):
        assert result.failing[f"stay-{row}"].startswith(f"{column} is ")
    unexpected = {e.column: e.unexpected for e in result.expectations if not e.success}
    assert unexpected == Counter(column for column, _, _ in LIMITS)


RANGES = [rule for rule in suite(SEPSIS) if rule.kind == "between"]


def test_every_range_holds_to_the_last_bit() -> None:
    for rows in ([rule.low for rule in RANGES], [rule.high for rule in RANGES]):
        frame = table(len(RANGES))
        for row, (rule, limit) in enumerate(zip(RANGES, rows, strict=True)):
            frame.loc[row, rule.column] = limit
        assert validate(frame, SEPSIS).failing == {}


@pytest.mark.parametrize("end", ["low", "high"])
def test_every_range_is_broken_by_the_next_number_beyond_it(end: str) -> None:
    frame = table(len(RANGES))
    for row, rule in enumerate(RANGES):
        frame.loc[row, rule.column] = (
            math.nextafter(rule.low, -math.inf) if end == "low" else math.nextafter(rule.high, math.inf)
        )
    assert list(validate(frame, SEPSIS).failing.values()) == [rule.text for rule in RANGES]


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_value_breaks_the_range_of_every_column(value: float) -> None:
    frame = table(len(SEPSIS.columns))
    for row, column in enumerate(SEPSIS.columns):
        frame.loc[row, column] = value
    reasons = {rule.column: rule.text for rule in suite(SEPSIS) if rule.kind in ("between", "one_of")}
    assert list(validate(frame, SEPSIS).failing.values()) == [reasons[column] for column in SEPSIS.columns]


def test_two_equal_infinite_values_are_in_order_and_out_of_their_ranges() -> None:
    result = validate(table(1, lactate__min_24h=[math.inf], lactate__max_24h=[math.inf]), SEPSIS)
    assert {e.rule for e in result.expectations if not e.success} == {
        "lactate__min_24h is between 0 and 50 mmol/L",
        "lactate__max_24h is between 0 and 50 mmol/L",
    }


def test_a_minimum_above_the_maximum_is_set_aside() -> None:
    result = validate(table(lactate__min_24h=[2.0, 3.0, 1.0], lactate__max_24h=[2.0, 2.0, math.nan]), SEPSIS)
    assert result.failing == {"stay-1": "lactate__min_24h is at most lactate__max_24h"}


def test_stays_that_appear_twice_are_all_set_aside() -> None:
    result = validate(table(stay_id=["a", "b", "a"]), SEPSIS)
    assert (result.rows, result.set_aside, list(result.failing)) == (3, 2, ["a"])


def test_a_row_without_a_stay_is_set_aside() -> None:
    result = validate(table(stay_id=pd.Series(["a", None, "c"], dtype="str")), SEPSIS)
    assert (result.set_aside, list(result.failing.values())) == (1, ["stay_id is known"])


def test_only_the_first_broken_rule_of_a_row_is_its_reason() -> None:
    result = validate(table(age=[64.0, 5.0, 64.0], sex=[0.0, 7.0, 1.0]), SEPSIS)
    assert (result.set_aside, result.failing) == (1, {"stay-1": "age is between 18 and 130 years"})


def test_the_first_rule_is_that_of_the_suite_whatever_judges_it() -> None:
    broken = {"lactate__min_24h": 60.0, "lactate__max_24h": 55.0}  # out of range, and in the wrong order
    frame = table(4, stay_id=["twice", "twice", "c", "d"], age=[5.0, 5.0, 5.0, 64.0], sex=7.0, **broken)
    assert validate(frame, SEPSIS).failing == {
        "twice": "stay_id is unique",
        "c": "age is between 18 and 130 years",
        "d": "sex is 0 or 1",
    }
    in_range = validate(table(1, lactate__min_24h=3.0, lactate__max_24h=2.0, inr__missing_24h=7.0), SEPSIS)
    assert list(in_range.failing.values()) == ["lactate__min_24h is at most lactate__max_24h"]


def test_rows_before_and_after_a_border_of_the_long_form_are_judged_alike() -> None:
    last = 2 * ROWS_AT_ONCE
    frame = table(last + 1)
    breaking = {
        "age is between 18 and 130 years": {"age": 5.0},
        "sex is 0 or 1": {"sex": 2.0},
        "lactate__min_24h is at most lactate__max_24h": {"lactate__min_24h": 3.0, "lactate__max_24h": 2.0},
        "heart_rate__slope_24h is finite": {"heart_rate__slope_24h": math.inf},
    }
    places = [0, ROWS_AT_ONCE - len(breaking), ROWS_AT_ONCE, last - len(breaking) + 1]
    expected = {}
    for place in places:
        for row, (rule, values) in enumerate(breaking.items(), start=place):
            frame.loc[row, list(values)] = list(values.values())
            expected[f"stay-{row}"] = rule
    result = validate(frame, SEPSIS)
    assert result.failing == expected
    assert {e.rule: e.unexpected for e in result.expectations if e.unexpected} == dict.fromkeys(breaking, len(places))
    checked = {e.rule: e.checked for e in result.expectations}
    assert checked["age is between 18 and 130 years"] == len(frame)
    assert checked["sex is 0 or 1"] == len(places)


def test_a_table_in_parts_is_judged_as_in_one() -> None:
    rows = ROWS_AT_ONCE + 500
    frame = table(rows, age=[5.0 if row % 7 == 0 else 64.0 for row in range(rows)])
    frame.loc[rows - 1, "stay_id"] = "stay-1"
    ends = [0, 0, 3, 300, rows - 1, rows, rows]
    parts = [frame.iloc[start:end] for start, end in itertools.pairwise(ends)]
    in_parts, in_one = expectations.validate(parts, SEPSIS), validate(frame, SEPSIS)
    assert in_parts == in_one
    assert in_parts.failing == in_one.failing
    assert len(in_one.failing) > 300


@pytest.mark.parametrize("change", ["column", "type"])
def test_one_part_of_the_wrong_shape_sets_every_row_aside_and_nothing_else_is_checked(change: str) -> None:
    right = table(ROWS_AT_ONCE, age=5.0)
    wrong = table(2).assign(name="x") if change == "column" else table(2, age="64")
    result = expectations.validate([right, wrong], SEPSIS)
    assert (result.set_aside, result.set_aside_share) == (len(right) + 2, 1.0)
    assert not [one for one in result.expectations if " is between " in one.rule]


def test_at_most_two_parts_are_in_memory() -> None:
    """This keeps memory from growing with the table."""
    alive: list[int] = []
    read: list[weakref.ref[pd.DataFrame]] = []

    def parts() -> Iterator[pd.DataFrame]:
        for _ in range(4):
            alive.append(sum(one() is not None for one in read))
            part = table(ROWS_AT_ONCE)
            read.append(weakref.ref(part))
            yield part
            del part

    assert expectations.validate(parts(), SEPSIS).rows == 4 * ROWS_AT_ONCE
    assert max(alive) <= 1


def test_a_stay_that_appears_again_beyond_a_border_is_found() -> None:
    frame = table(ROWS_AT_ONCE + 1)
    frame.loc[ROWS_AT_ONCE, "stay_id"] = "stay-0"
    result = validate(frame, SEPSIS)
    assert (result.set_aside, result.failing) == (2, {"stay-0": "stay_id is unique"})


def test_every_row_can_break_every_rule_on_features() -> None:
    frame = table(ROWS_AT_ONCE + 1)
    frame[list(SEPSIS.columns)] = math.inf
    result = validate(frame, SEPSIS)
    on_features = [e for e in result.expectations if e.column in SEPSIS.columns and " is of type " not in e.rule]
    assert {e.unexpected for e in on_features if "at most" not in e.rule} == {len(frame)}
    assert set(result.failing.values()) == {"age is between 18 and 130 years"}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("age", pd.Series([64, 65, 66])),
        ("age", pd.Series([64.0, 65.0, 66.0], dtype="float32")),
        ("age", pd.Series(["64", "65", "66"], dtype="str")),
        ("age", pd.Series([64.0, "65", 66.0], dtype="object")),
        ("age", pd.Series([True, False, True])),
        ("stay_id", pd.Series([1, 2, 3])),
        ("stay_id", pd.Series(["a", 2, "c"], dtype="object")),
        ("stay_id", pd.Series(["a", "b", "c"], dtype="category")),
        ("as_of", pd.Series([pd.Timestamp("2026-01-02T05:00")] * 3)),
        ("as_of", pd.Series(["2026-01-02T05:00Z"] * 3, dtype="str")),
    ],
)
def test_a_column_of_the_wrong_type_sets_every_row_aside_and_nothing_else_is_checked(
    column: str, values: pd.Series
) -> None:
    frame = table(heart_rate__last_24h=98765.4321)
    frame[column] = values
    result = validate(frame, SEPSIS)
    [broken] = [e for e in result.expectations if not e.success]
    assert broken.rule.startswith(f"{column} is of type ")
    assert (result.set_aside, set(result.failing.values())) == (3, {broken.rule})
    assert len(result.expectations) == 1 + 2 + len(SEPSIS.columns)


def test_objects_of_the_right_type_pass_and_are_checked_like_others() -> None:
    frame = table(stay_id=pd.Series(["a", "b", "c"], dtype="object"))
    frame["as_of"] = frame["as_of"].astype("object")
    frame["age"] = pd.Series([np.float64(64), None, np.float64(5)], dtype="object")
    result = validate(frame, SEPSIS)
    assert result.failing == {"c": "age is between 18 and 130 years"}
    [age] = [e for e in result.expectations if e.column == "age" and not e.success]
    assert (age.checked, age.unexpected) == (2, 1)


def test_a_column_that_is_there_twice_sets_every_row_aside() -> None:
    frame = pd.concat([table(), table()[["age"]]], axis=1)
    assert validate(frame, SEPSIS).set_aside_share == 1.0


def test_stays_may_have_any_name() -> None:
    names = ["", " ", "nan", "None", "é\u2028", "0"]
    frame = table(len(names), stay_id=pd.Series(names, dtype="str"), age=5.0)
    assert list(validate(frame, SEPSIS).failing) == names


@pytest.mark.parametrize(
    ("success", "details"),
    [
        (False, {}),
        (True, {}),
        (False, {"element_count": 3, "missing_count": 0, "unexpected_index_list": []}),
        (False, {"element_count": 3, "missing_count": 0}),
        (True, {"element_count": 3, "missing_count": 0, "unexpected_index_list": [1]}),
    ],
)
def test_a_result_that_does_not_say_which_lines_are_as_expected_stops_the_run(success: bool, details: dict) -> None:
    prepare()
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations import ExpectColumnValuesToNotBeNull

    configuration = ExpectColumnValuesToNotBeNull(column="value").configuration
    result = ExpectationValidationResult(success=success, expectation_config=configuration, result=details)
    with pytest.raises(
        QualityError, match="expect_column_values_to_not_be_null: Great Expectations did not report which rows pass"
    ):
        verdict_of(result)


@pytest.mark.parametrize("change", ["missing", "reordered", "additional", "text"])
def test_a_table_of_the_wrong_shape_sets_every_row_aside(change: str) -> None:
    frame = table()
    match change:
        case "missing":
            frame = frame.drop(columns="heart_rate__last_24h")
        case "reordered":
            frame = frame[[*reversed(frame.columns)]]
        case "additional":
            frame["name"] = "x"
        case "text":
            frame["age"] = "64"
    result = validate(frame, SEPSIS)
    assert not result.success
    assert (result.set_aside_share, len(result.failing)) == (1.0, 3)


def test_an_empty_table_of_the_wrong_shape_fails() -> None:
    assert validate(table(rows=0).drop(columns="age"), SEPSIS).set_aside_share == 1.0


def test_the_frame_given_is_left_as_it_was() -> None:
    frame = table().set_index(pd.Index([9, 9, 9]))
    before = frame.copy()
    validate(frame, SEPSIS)
    pd.testing.assert_frame_equal(frame, before)


def test_what_is_dumped_holds_counts_and_neither_values_nor_stays() -> None:
    frame = table(stay_id=["marked-stay", "b", "c"], heart_rate__last_24h=[98765.4321, 80.0, 81.0])
    result = validate(frame, SEPSIS)
    dumped = result.model_dump_json()
    assert result.failing == {"marked-stay": "heart_rate__last_24h is between 1 and 300 /min"}
    for text in (dumped, repr(result)):
        assert "marked-stay" not in text
        assert "98765" not in text
    assert QualityResult.model_validate_json(dumped).expectations == result.expectations


def test_validation_logs_prints_and_sends_nothing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the gate opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with caplog.at_level(logging.INFO):
        assert not validate(table(heart_rate__last_24h=[98765.4321, 80.0, 81.0]), SEPSIS).success
    assert caplog.records == []
    assert tuple(capfd.readouterr()) == ("", "")


def test_features_pass_also_after_being_stored_as_parquet(tmp_path: Path) -> None:
    as_of = pd.Timestamp("2026-01-02T05:00Z")
    index = pd.DataFrame(
        {
            "stay_id": ["a"],
            "patient_id": ["p"],
            "as_of": [as_of],
            "birth_date": [pd.Timestamp("1960-05-01")],
            "sex": "male",
            "unit_begin": [as_of - pd.Timedelta(hours=30)],
            "hospital_begin": [as_of - pd.Timedelta(hours=35)],
        }
    )
    times = [as_of - pd.Timedelta(hours=hours) for hours in (20, 9, 1)]
    values = {"patient_id": "p", "time": times, "available": times, "variable": "lactate", "value": [2.0, 4.1, 3.0]}
    features = build_features(frame_of(EVENT_COLUMNS, {**values, "source_ref": "Observation/1"}), index, SEPSIS)
    features.to_parquet(tmp_path / "features.parquet")
    assert validate(features, SEPSIS).success
    assert validate(pd.read_parquet(tmp_path / "features.parquet"), SEPSIS).success
