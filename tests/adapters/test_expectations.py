"""The Great Expectations gate: which rows are set aside, and what may be stored of it."""

import logging
import math
import socket
from pathlib import Path

import pandas as pd
import pytest

from wardround.adapters.expectations import validate
from wardround.core.events import EVENT_COLUMNS, frame_of
from wardround.core.features import build_features
from wardround.core.suite import QualityResult
from wardround.settings import PROJECT
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_conditions

CONDITIONS = load_conditions(PROJECT / "include" / "schemas")
SEPSIS = CONDITIONS["sepsis"]


def table(rows: int = 3, condition: Condition = SEPSIS, **columns: object) -> pd.DataFrame:
    """Rows that break no rule: everything unknown but the age, unless told otherwise."""
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


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=list(CONDITIONS))
def test_a_table_of_unknown_values_passes_for_every_condition(condition: Condition) -> None:
    result = validate(table(condition=condition), condition)
    assert result.success
    assert (result.rows, result.set_aside, result.failing) == (3, 0, {})
    assert {expectation.column for expectation in result.expectations} >= set(condition.columns)


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
    ("sex", 1.0, 2.0),
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
    assert unexpected == {column: 2 if column == "age" else 1 for column, _, _ in LIMITS}


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


def test_what_build_features_gives_passes_also_after_a_round_through_parquet(tmp_path: Path) -> None:
    as_of = pd.Timestamp("2026-01-02T05:00Z")
    index = pd.DataFrame(
        {
            "stay_id": ["a"],
            "patient_id": ["p"],
            "as_of": [as_of],
            "birth_date": [pd.Timestamp("1960-05-01")],
            "sex": "male",
        }
    )
    times = [as_of - pd.Timedelta(hours=hours) for hours in (20, 9, 1)]
    values = {"patient_id": "p", "time": times, "available": times, "variable": "lactate", "value": [2.0, 4.1, 3.0]}
    features = build_features(frame_of(EVENT_COLUMNS, {**values, "source_ref": "Observation/1"}), index, SEPSIS)
    features.to_parquet(tmp_path / "features.parquet")
    assert validate(features, SEPSIS).success
    assert validate(pd.read_parquet(tmp_path / "features.parquet"), SEPSIS).success
