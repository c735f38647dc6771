"""Rules of build_features that need more than one case table can show."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from tests.frames import build_features

from wardround.core.events import EVENT_COLUMNS, frame_of
from wardround.features import build as features_module
from wardround.features.build import SUMMARIES
from wardround.spec.conditions import Condition, Summary
from wardround.spec.loading import load_condition

AS_OF = pd.Timestamp("2026-03-10T12:00Z")
BEGINS = ("unit_begin", "hospital_begin")


@pytest.fixture(scope="module")
def sepsis(schemas) -> Condition:
    return load_condition("sepsis", schemas)


def events_of(*rows: tuple[str, float, str, float], late: float = 0) -> pd.DataFrame:
    """Rows of (patient, hours before as_of, variable, value), available `late` hours after their time."""
    table = [
        {
            "patient_id": patient,
            "time": AS_OF - pd.Timedelta(hours=hours),
            "available": AS_OF - pd.Timedelta(hours=hours - late),
            "variable": variable,
            "value": value,
            "source_ref": f"Observation/{number}",
        }
        for number, (patient, hours, variable, value) in enumerate(rows)
    ]
    return frame_of(EVENT_COLUMNS, table)


def index_of(*patients: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "stay_id": [f"stay-{number}-{patient}" for number, patient in enumerate(patients)],
            "patient_id": list(patients),
            "as_of": pd.Series([AS_OF] * len(patients), dtype="datetime64[us, UTC]"),
            "birth_date": pd.Series([pd.Timestamp("1960-03-10")] * len(patients), dtype="datetime64[us]"),
            "sex": ["female"] * len(patients),
            **{name: pd.Series([AS_OF] * len(patients), dtype="datetime64[us, UTC]") for name in BEGINS},
        }
    )


def test_an_event_after_as_of_is_ignored(sepsis):
    row = build_features(events_of(("a", -0.01, "lactate", 9.0)), index_of("a"), sepsis).iloc[0]
    assert np.isnan(row["lactate__max_24h"])
    assert row["lactate__count_24h"] == 0


def test_an_event_known_only_after_as_of_is_ignored(sepsis):
    features = build_features(events_of(("a", 2, "lactate", 9.0), late=3), index_of("a"), sepsis)
    assert features["lactate__count_24h"].tolist() == [0]


def test_both_ends_of_the_window_are_inside(sepsis):
    events = events_of(("a", 24, "lactate", 1.0), ("a", 0, "lactate", 2.0), ("a", 24.001, "lactate", 5.0))
    row = build_features(events, index_of("a"), sepsis).iloc[0]
    assert (row["lactate__first_24h"], row["lactate__last_24h"], row["lactate__count_24h"]) == (1.0, 2.0, 2)


def test_the_slope_is_per_hour_and_needs_two_times(sepsis):
    rising = events_of(("a", 4, "heart_rate", 80), ("a", 2, "heart_rate", 90), ("a", 0, "heart_rate", 100))
    at_once = events_of(("a", 4, "heart_rate", 80), ("a", 4, "heart_rate", 90))
    assert build_features(rising, index_of("a"), sepsis)["heart_rate__slope_24h"].tolist() == [pytest.approx(5)]
    assert build_features(at_once, index_of("a"), sepsis)["heart_rate__slope_24h"].isna().all()


def test_rows_keep_the_order_of_the_index_and_patients_do_not_mix(sepsis):
    events = events_of(("b", 1, "lactate", 2.0), ("a", 1, "lactate", 1.0), ("c", 1, "lactate", 3.0))
    features = build_features(events, index_of("c", "a", "nobody", "b"), sepsis)
    assert features["stay_id"].tolist() == ["stay-0-c", "stay-1-a", "stay-2-nobody", "stay-3-b"]
    assert features["lactate__last_24h"].tolist() == pytest.approx([3.0, 1.0, np.nan, 2.0], nan_ok=True)


def test_one_patient_with_two_stays_gets_a_row_for_each(sepsis):
    index = index_of("a", "a")
    index.loc[1, "as_of"] = AS_OF - pd.Timedelta(hours=12)
    features = build_features(events_of(("a", 1, "lactate", 4.0), ("a", 13, "lactate", 2.0)), index, sepsis)
    assert features["lactate__last_24h"].tolist() == [4.0, 2.0]
    assert features["lactate__count_24h"].tolist() == [2, 1]


def test_the_order_of_events_changes_nothing(sepsis):
    rows = [("a", hours, "heart_rate", value) for hours, value in [(5, 88.1), (5, 71.3), (3, 99.7), (1, 80.2)]]
    forward, backward = (build_features(events_of(*order), index_of("a"), sepsis) for order in (rows, rows[::-1]))
    pd.testing.assert_frame_equal(forward, backward, check_exact=True)


def test_events_of_other_variables_and_unknown_patients_are_no_error(sepsis):
    events = events_of(("z", 1, "lactate", 1.0), ("a", 1, "no_such_variable", 1.0))
    assert build_features(events, index_of("a"), sepsis)["lactate__count_24h"].tolist() == [0]


def test_no_events_and_no_rows_give_the_full_set_of_columns(sepsis):
    empty = frame_of(EVENT_COLUMNS)
    assert tuple(build_features(empty, index_of(), sepsis).columns) == ("stay_id", "as_of", *sepsis.columns)
    row = build_features(empty, index_of("a"), sepsis).iloc[0]
    assert row["age"] == pytest.approx(66, abs=0.01)
    assert row["sex"] == 0


def test_an_index_without_birth_dates_is_refused(sepsis):
    with pytest.raises(ValueError, match="birth_date is missing"):
        build_features(frame_of(EVENT_COLUMNS), index_of("a").drop(columns="birth_date"), sepsis)


def test_hourly_rows_of_one_patient_are_the_rows_that_each_hour_gives_alone(sepsis, monkeypatch):
    rng = np.random.default_rng(1)
    names = ("heart_rate", "lactate", "ph")
    rows = [("ab"[n % 2], rng.uniform(0, 60), names[n % 3], rng.uniform(1, 9)) for n in range(300)]
    events = events_of(*rows, late=1.5)
    index = index_of(*"ab" * 24)
    index["as_of"] = AS_OF - pd.to_timedelta(np.arange(len(index)) // 2, unit="h")
    monkeypatch.setattr(features_module, "ROWS_AT_ONCE", 7)
    together = build_features(events, index, sepsis)
    alone = [build_features(events, index.iloc[[n]], sepsis) for n in range(len(index))]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True), check_exact=True)


def test_a_window_of_6_hours_is_cut_by_time_and_by_what_was_known(sepsis):
    events = events_of(("a", 7, "heart_rate", 150), ("a", 6, "heart_rate", 90), ("a", 2, "heart_rate", 80), late=3)
    row = build_features(events, index_of("a"), sepsis).iloc[0]
    assert (row["heart_rate__mean_6h"], row["heart_rate__mean_24h"]) == (90, 120)


def test_the_spread_needs_two_values_and_the_change_two_times(sepsis):
    events = events_of(("a", 4, "lactate", 1.0), ("a", 4, "heart_rate", 80), ("a", 1, "heart_rate", 86))
    row = build_features(events, index_of("a"), sepsis).iloc[0]
    assert row["heart_rate__std_24h"] == pytest.approx(np.std([80, 86], ddof=1))
    assert row["heart_rate__change_6h"] == 6
    assert np.isnan(row["lactate__change_24h"])


def test_missing_says_whether_there_is_no_event(sepsis):
    row = build_features(events_of(("a", 1, "ph", 7.3), ("a", 1, "po2", 80)), index_of("a"), sepsis).iloc[0]
    assert (row["po2__missing_24h"], row["inr__missing_24h"]) == (0, 1)


def test_every_summary_is_built_and_explained(schemas):
    readme = (schemas / "README.md").read_text(encoding="utf-8")
    explained = readme.partition("## Summaries of a window")[2].partition("##")[0]
    assert set(SUMMARIES) == set(get_args(Summary))
    assert [summary for summary in SUMMARIES if f"`{summary}`" not in explained] == []


@pytest.fixture(scope="module")
def timed(sepsis: Condition) -> Condition:
    """A condition that uses the time since a stay began, in its unit and in the hospital."""
    clocks = ("hours_in_unit", "hours_in_hospital")
    return sepsis.model_copy(update={"features": sepsis.features.model_copy(update={"demographics": clocks})})


def hours(timed: Condition, *begins: tuple[str | None, str | None]) -> list[list[float]]:
    """The hours in the unit and in the hospital of stays that began then."""
    units, hospitals = zip(*begins, strict=True)
    times = {
        name: pd.Series(pd.to_datetime(list(some), utc=True, format="ISO8601")).astype("datetime64[us, UTC]")
        for name, some in (("unit_begin", units), ("hospital_begin", hospitals))
    }
    index = index_of(*("a" for _ in begins)).assign(**times)
    found = build_features(frame_of(EVENT_COLUMNS), index, timed)
    return found[["hours_in_unit", "hours_in_hospital"]].to_numpy().tolist()


def test_the_time_in_unit_and_hospital_runs_from_their_begins_to_as_of(timed):
    assert hours(timed, ("2026-03-09T06:00Z", "2026-03-08T11:59:58.2Z")) == [[30.0, pytest.approx(48.0005, abs=1e-12)]]
    assert hours(timed, ("2026-03-10T12:00Z", "2026-03-10T11:00Z")) == [[0.0, 1.0]]


def test_a_begin_that_is_unknown_or_later_or_made_up_is_an_unknown_time_and_never_zero(timed):
    found = hours(timed, (None, None), ("2026-03-10T12:01Z", "2026-03-11T00:00Z"), ("1900-01-01", "2016-03-09"))
    assert np.isnan(found).all()
    assert hours(timed, ("2016-03-12", "2016-03-12"))[0][0] == pytest.approx(10 * 365.25 * 24, rel=1e-3)


def test_an_index_without_the_begins_that_a_condition_uses_is_refused(timed):
    with pytest.raises(ValueError, match="unit_begin is missing"):
        build_features(frame_of(EVENT_COLUMNS), index_of("a").drop(columns="unit_begin"), timed)
