"""Every reading becomes an event or is set aside with a reason; nothing is guessed, nothing is lost."""

import pandas as pd
import pytest
from tests.frames import admit

from wardround.core.events import (
    EARLIEST,
    EVENT_COLUMNS,
    LATEST,
    READING_COLUMNS,
    SET_ASIDE_COLUMNS,
    empty_readings,
    frame_of,
)
from wardround.spec.loading import load_variables

TIME = pd.Timestamp("2026-03-10T12:00Z")


@pytest.fixture(scope="module")
def variables(schemas):
    return load_variables(schemas)


def readings(*rows: dict) -> pd.DataFrame:
    plain = {
        "patient_id": "a", "time": TIME, "available": TIME, "variable": "lactate", "value": 2.0, "unit": "mmol/L",
        "comparator": False, "status": "final", "problem": "",
    }  # fmt: skip
    return frame_of(READING_COLUMNS, [{**plain, "source_ref": f"Observation/{n}", **row} for n, row in enumerate(rows)])


@pytest.mark.parametrize(
    ("reading", "value"),
    [
        ({"value": 2.0, "unit": "mmol/L"}, 2.0),
        ({"value": 18.02, "unit": "mg/dL"}, 2.0),
        ({"variable": "body_temperature", "value": 98.6, "unit": "°F"}, 37.0),
        ({"variable": "body_temperature", "value": 98.6, "unit": "[degF]"}, 37.0),
        ({"variable": "creatinine", "value": 88.4, "unit": "umol/L"}, 1.0),
        ({"variable": "bilirubin", "value": 17.1, "unit": "µmol/L"}, 1.0),
        ({"variable": "platelets", "value": 150.0, "unit": "K/uL"}, 150.0),
        ({"value": 50.0}, 50.0),
        ({"status": "amended"}, 2.0),
    ],
)
def test_a_value_is_converted_to_the_canonical_unit(variables, reading, value):
    events, set_aside = admit(readings(reading), variables)
    assert events["value"].tolist() == [pytest.approx(value, abs=1e-9)]
    assert set_aside.empty


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        ({"status": "entered-in-error"}, "status"),
        ({"status": "cancelled"}, "status"),
        ({"problem": "partial_time"}, "partial_time"),
        ({"time": pd.NaT}, "no_time"),
        ({"time": pd.Timestamp("1899-12-31T23:59Z")}, "implausible_time"),
        ({"time": pd.Timestamp("2999-01-01T00:00Z")}, "implausible_time"),
        ({"comparator": True}, "comparator"),
        ({"value": float("nan")}, "no_value"),
        ({"unit": "mg"}, "unknown_unit"),
        ({"unit": ""}, "unknown_unit"),
        ({"value": -0.1}, "implausible_value"),
        ({"value": 50.1}, "implausible_value"),
        ({"value": float("inf")}, "implausible_value"),
        ({"variable": "heart_rate", "unit": "bpm", "value": 0.0}, "implausible_value"),
    ],
)
def test_what_cannot_be_trusted_is_set_aside_with_a_reason(variables, reading, reason):
    events, set_aside = admit(readings(reading), variables)
    assert events.empty
    assert set_aside["reason"].tolist() == [reason]
    assert set_aside["source_ref"].tolist() == ["Observation/0"]


@pytest.mark.parametrize(
    ("unit", "other", "kept"),
    [
        ("mmol/L", "mmol/l", True),
        ("mmol/L", "millimoles", True),
        ("mmol/L", "", True),
        ("mmol/L", "mg/dL", False),
        ("mmol/L", "umol/L", False),
        ("mg/dL", "mmol/L", False),
        ("umol/L", "mmol/L", False),
        ("furlong", "mmol/L", False),
    ],
)
def test_what_is_named_beside_a_unit_can_only_contradict_it(variables, unit, other, kept):
    events, set_aside = admit(readings({"unit": unit, "other_unit": other}), variables)
    assert events["value"].tolist() == ([2.0] if kept else [])
    reason = "unknown_unit" if unit == "furlong" else "unit_conflict"
    assert set_aside["reason"].tolist() == ([] if kept else [reason])


def test_of_several_reasons_the_first_is_given(variables):
    late = TIME + pd.Timedelta(hours=1)
    faults = {
        "status": {"status": "cancelled"},
        "no_value_said": {"problem": "no_value_said"},
        "implausible_time": {"time": EARLIEST - pd.Timedelta(seconds=1)},
        "not_yet_available": {"available": late},
        "comparator": {"comparator": True},
        "no_value": {"value": float("nan")},
        "unknown_unit": {"unit": "furlong"},
    }
    rows = [{key: value for fault in list(faults.values())[first:] for key, value in fault.items()}
            for first in range(len(faults))]  # fmt: skip
    assert admit(readings(*rows), variables, as_of=TIME).set_aside["reason"].tolist() == list(faults)
    both = readings({"time": late, "available": late + pd.Timedelta(hours=1)}, {"value": 900.0, "other_unit": "mg/dL"})
    assert admit(both, variables, as_of=TIME).set_aside["reason"].tolist() == ["after_as_of", "unit_conflict"]


def test_what_lies_on_a_boundary_counts(variables):
    edges = readings(
        {"time": EARLIEST, "available": EARLIEST},
        {"time": LATEST, "available": LATEST},
        {"value": 0.0},
        {"value": 50.0},
    )
    assert len(admit(edges, variables).events) == 4
    on_time = admit(readings({}, {"time": TIME - pd.Timedelta(hours=1)}), variables, as_of=TIME)
    assert on_time.events["available"].tolist() == [TIME, TIME]


def test_events_keep_their_order_and_are_numbered_anew(variables):
    rows = readings({"value": 3.0}, {"unit": "mg"}, {"value": 1.0}, {"status": "cancelled"}, {"value": 2.0})
    events, set_aside = admit(rows.iloc[::-1], variables)
    assert (events["value"].tolist(), events.index.tolist()) == ([2.0, 1.0, 3.0], [0, 1, 2])
    assert (set_aside["reason"].tolist(), set_aside.index.tolist()) == (["status", "unknown_unit"], [0, 1])
    for frame, columns in ((events, EVENT_COLUMNS), (set_aside, SET_ASIDE_COLUMNS)):
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == columns


def test_each_reading_is_judged_by_its_own_variable_and_unit(variables):
    rows = [
        {"variable": "heart_rate", "value": 80.0, "unit": "/min", "other_unit": "bpm"},
        {"variable": "lactate", "value": 18.02, "unit": "mg/dL", "other_unit": "mg/dl"},
        {"variable": "creatinine", "value": 1.0, "unit": "mg/dL", "other_unit": "umol/L"},
        {"variable": "creatinine", "value": 88.4, "unit": "umol/L"},
        {"variable": "heart_rate", "value": 2.0, "unit": "mg/dL"},
        {"variable": "body_temperature", "value": 98.6, "unit": "[degF]", "other_unit": "Cel"},
    ]
    for given in (rows, rows[::-1]):
        events, set_aside = admit(readings(*given), variables)
        found = dict(zip(events["variable"], events["value"], strict=True))
        assert found == {"heart_rate": 80.0, "lactate": pytest.approx(2.0), "creatinine": pytest.approx(1.0)}
        reasons = dict(zip(set_aside["variable"], set_aside["reason"], strict=True))
        assert reasons == {
            "creatinine": "unit_conflict", "heart_rate": "unknown_unit", "body_temperature": "unit_conflict",
        }  # fmt: skip


def test_what_differs_in_its_variable_or_time_alone_is_no_repetition(variables):
    same = {"source_ref": "Observation/0", "value": 2.0}
    rows = readings(
        same, {**same, "time": TIME - pd.Timedelta(minutes=1)}, {**same, "variable": "potassium"}, same,
        {**same, "source_ref": "Observation/9"},
    )  # fmt: skip
    assert admit(rows, variables).events["source_ref"].tolist() == [*["Observation/0"] * 3, "Observation/9"]


def test_what_is_set_aside_carries_no_value_and_no_time(variables):
    assert list(admit(readings({"unit": "mg/L"}), variables).set_aside.columns) == [
        "patient_id", "variable", "reason", "source_ref",
    ]  # fmt: skip


def test_the_same_observation_read_twice_counts_once(variables):
    twice = readings({}, {"source_ref": "Observation/0"}, {"source_ref": "Observation/0", "value": 3.0})
    assert admit(twice, variables).events["value"].tolist() == [2.0, 3.0]


def test_the_same_value_known_at_two_times_counts_once_as_it_came_first(variables):
    later = TIME + pd.Timedelta(hours=1)
    twice = readings({}, {"source_ref": "Observation/0", "available": later})
    assert admit(twice, variables).events["available"].tolist() == [TIME]


def test_a_value_is_never_available_before_it_is_true(variables):
    early = readings({"available": TIME - pd.Timedelta(hours=1)}, {"available": pd.NaT})
    assert admit(early, variables).events["available"].tolist() == [TIME, TIME]


def test_with_as_of_the_future_and_the_not_yet_known_are_counted(variables):
    hour = pd.Timedelta(hours=1)
    rows = readings({}, {"time": TIME + hour, "available": TIME + hour}, {"available": TIME + hour})
    events, set_aside = admit(rows, variables, as_of=TIME)
    assert len(events) == 1
    assert set_aside["reason"].tolist() == ["after_as_of", "not_yet_available"]


def test_nothing_in_gives_nothing_out_with_all_columns(variables):
    events, set_aside = admit(empty_readings(), variables)
    assert events.empty
    assert set_aside.empty
    assert events.dtypes["time"] == "datetime64[us, UTC]"


def test_a_verdict_is_not_kept_for_another_spec_of_the_same_variable(variables):
    lactate = variables["lactate"]
    narrow = {"lactate": lactate.model_copy(update={"plausible": lactate.plausible.model_copy(update={"max": 1.0})})}
    reading = readings({"value": 2.0})
    assert admit(reading, variables)[1].empty
    assert admit(reading, narrow)[1]["reason"].tolist() == ["implausible_value"]
    assert admit(reading, variables)[1].empty
