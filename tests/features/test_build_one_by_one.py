"""Features held against the same rules written out slowly: one value after the other, with Python's own statistics."""

import math
import random
import statistics
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from tests.frames import build_features, used_events

from wardround.core.events import EVENT_COLUMNS, frame_of
from wardround.features import build as features_module
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition

AS_OF = pd.Timestamp("2026-03-10T12:00Z")
NAN = math.nan
PATIENTS = ("a", "b", "c")
Event = dict[str, Any]


@pytest.fixture(scope="module", params=["sepsis", "mortality"])
def condition(request, schemas) -> Condition:
    return load_condition(request.param, schemas)


def events_of(condition: Condition, seed: int) -> list[Event]:
    """Values at whole and at odd times around the windows' edges, many at one time, some known late, in any order."""
    chance = random.Random(seed)
    names = [*condition.variables, "of_no_condition"]
    edges = sorted({feature.window.total_seconds() / 3600 for feature in condition.feature_list})
    events = []
    for number in range(900):
        hours = chance.choice([*edges, 0, 1, chance.uniform(-2, 30), chance.uniform(0, 7)])
        time = AS_OF - pd.Timedelta(hours=hours).round("us")
        late = chance.choice([0, 0, 0, 0.5, hours, hours + 0.001])
        events.append(
            {
                "patient_id": chance.choice([*PATIENTS, "of_no_stay"]),
                "time": time,
                "available": time + pd.Timedelta(hours=max(late, 0)).round("us"),
                "variable": chance.choice(names[:6] if number % 2 else names),
                "value": float(chance.randint(1, 9)) if number % 5 else chance.uniform(1, 9),
                "source_ref": f"Observation/{number}",
            }
        )
    return events


def index() -> pd.DataFrame:
    """Three stays at one time, the first patient's again six hours and half an hour before."""
    rows = [(patient, 0.0) for patient in PATIENTS] + [("a", 6.0), ("a", 0.5), ("nobody", 0.0)]
    as_of = [AS_OF - pd.Timedelta(hours=hours) for _, hours in rows]
    return pd.DataFrame(
        {
            "stay_id": [f"s{number}" for number in range(len(rows))],
            "patient_id": [patient for patient, _ in rows],
            "as_of": pd.Series(as_of, dtype="datetime64[us, UTC]"),
            "birth_date": pd.Series(pd.to_datetime(["1960-03-10", None, "1999-12-31"] * 2)).astype("datetime64[us]"),
            "sex": ["female", "male", "unknown", "other", None, "female"],
            "unit_begin": pd.Series(pd.to_datetime([AS_OF - pd.Timedelta(hours=7), None] * 3)),
            "hospital_begin": pd.Series(pd.to_datetime([None, AS_OF - pd.Timedelta(days=3)] * 3)),
        }
    )


def counted(events: list[Event], row: Any, variable: str, window: timedelta) -> list[Event]:
    """The events that count for a row, by time, then by when they were known, then by value."""
    mine = [
        event
        for event in events
        if event["patient_id"] == row.patient_id
        and event["variable"] == variable
        and row.as_of - window <= event["time"] <= row.as_of
        and event["available"] <= row.as_of
    ]
    return sorted(mine, key=lambda event: (event["time"], event["available"], event["value"]))


def summary_of(summary: str, mine: list[Event], as_of: pd.Timestamp) -> float:
    if not mine:
        return {"count": 0.0, "missing": 1.0}.get(summary, NAN)
    values = [event["value"] for event in mine]
    hours = [(event["time"] - as_of) / pd.Timedelta(hours=1) for event in mine]
    several = len(set(hours)) > 1
    match summary:
        case "last" | "first":
            return values[-1 if summary == "last" else 0]
        case "min" | "max" | "mean":
            return {"min": min, "max": max, "mean": statistics.fmean}[summary](values)
        case "std":
            return statistics.stdev(values) if len(values) > 1 else NAN
        case "slope":
            return statistics.linear_regression(hours, values).slope if several else NAN
        case "change":
            return values[-1] - values[0] if several else NAN
        case "count" | "missing":
            return float(len(values)) if summary == "count" else 0.0
    assert summary == "hours_since_last"
    return -hours[-1]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("at_once", [1, 4, 2048])
def test_every_feature_is_what_its_events_say_one_by_one(condition, monkeypatch, seed: int, at_once: int) -> None:
    monkeypatch.setattr(features_module, "ROWS_AT_ONCE", at_once)
    events, rows = events_of(condition, seed), index()
    table = build_features(frame_of(EVENT_COLUMNS, events), rows, condition)
    for place, row in enumerate(rows.itertuples()):
        assert (table["stay_id"][place], table["as_of"][place]) == (row.stay_id, row.as_of)
        for feature in condition.feature_list:
            mine = counted(events, row, feature.variable, feature.window)
            expected = summary_of(feature.summary, mine, row.as_of)
            assert table[feature.name][place] == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True), feature.name


def test_values_of_one_time_have_no_slope_and_no_change_however_its_hours_are_rounded(condition) -> None:
    # The mean of equal hours may differ from each of them in its last digit.
    index_of_one = index().iloc[:1]
    for minutes in range(1, 120):
        time = AS_OF - pd.Timedelta(minutes=minutes)
        events = [
            {
                "patient_id": "a",
                "time": time,
                "available": time,
                "variable": "heart_rate",
                "value": value,
                "source_ref": "o",
            }
            for value in (70.1, 90.3, 110.7)
        ]
        row = build_features(frame_of(EVENT_COLUMNS, events), index_of_one, condition).iloc[0]
        known = {
            feature.summary: row[feature.name] for feature in condition.feature_list if feature.variable == "heart_rate"
        }
        assert all(math.isnan(known[summary]) for summary in ("slope", "change") if summary in known), minutes
        assert known["last"] == 110.7


def test_each_variable_alone_gives_its_own_columns_and_no_others(condition) -> None:
    for name in condition.variables:
        event = {
            "patient_id": "b",
            "time": AS_OF,
            "available": AS_OF,
            "variable": name,
            "value": 7.0,
            "source_ref": "o",
        }
        table = build_features(frame_of(EVENT_COLUMNS, [event]), index().iloc[[1, 0]], condition)
        for feature in condition.feature_list:
            expected = summary_of(feature.summary, [event] if feature.variable == name else [], AS_OF)
            assert table[feature.name].tolist() == pytest.approx(
                [expected, summary_of(feature.summary, [], AS_OF)], nan_ok=True
            )


def test_age_and_sex_are_those_of_the_row(condition) -> None:
    table = build_features(frame_of(EVENT_COLUMNS), index(), condition)
    years = [
        (at.tz_localize(None) - born).days / 365.25
        for at, born in zip(index()["as_of"], index()["birth_date"], strict=True)
    ]
    assert table["age"].tolist() == pytest.approx(years, abs=1 / 365, nan_ok=True)
    assert table["sex"].tolist() == pytest.approx([0, 1, NAN, NAN, NAN, 0], nan_ok=True)
    assert table["age"].isna().tolist() == [False, True, False] * 2


def test_the_hours_of_a_row_are_those_from_its_own_begins_to_its_own_as_of(condition) -> None:
    table = build_features(frame_of(EVENT_COLUMNS), index(), condition)
    assert table["hours_in_unit"].tolist() == pytest.approx([7, NAN, 7, NAN, 6.5, NAN], nan_ok=True)
    assert table["hours_in_hospital"].tolist() == pytest.approx([NAN, 72, NAN, 66, NAN, 72], nan_ok=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_events_behind_a_score_are_those_that_count_for_a_feature(condition, seed: int) -> None:
    events, rows = events_of(condition, seed), index().iloc[: len(PATIENTS)]
    windows: dict[str, timedelta] = {}
    for feature in condition.feature_list:
        windows[feature.variable] = max(feature.window, windows.get(feature.variable, timedelta()))
    used = used_events(frame_of(EVENT_COLUMNS, [one for one in events if one["variable"] in windows]), condition, AS_OF)
    for row in rows.itertuples():
        expected = [one for name, window in windows.items() for one in counted(events, row, name, window)]
        expected.sort(key=lambda one: (one["time"], one["available"], one["value"], one["source_ref"]))
        assert [event.source_ref for event in used[row.patient_id]] == [one["source_ref"] for one in expected]
        assert [event.hours_before for event in used[row.patient_id]] == pytest.approx(
            [(AS_OF - one["time"]) / pd.Timedelta(hours=1) for one in expected], abs=1e-9
        )
    assert set(used) - {"of_no_stay"} == set(PATIENTS)
