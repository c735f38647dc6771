"""Which spans of time matter for which patient."""

from collections import Counter
from datetime import timedelta

import pandas as pd

from wardround.core.events import READING_COLUMNS, empty_readings, frame_of
from wardround.core.readings import Readings
from wardround.features.windows import inside, windows, within_reach

DAY = timedelta(hours=24)


def index(*rows: tuple[str, str]) -> pd.DataFrame:
    patients, times = zip(*rows, strict=True)
    return pd.DataFrame({"patient_id": patients, "as_of": [pd.Timestamp(time, tz="UTC") for time in times]})


def readings(*rows: tuple[str, str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["patient_id", "time"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601")
    rest = {"available": frame["time"], "variable": "x", "value": 1.0, "source_ref": "", "unit": "", "status": ""}
    return frame_of(READING_COLUMNS, frame.assign(**rest, comparator=False, problem=""))


def test_windows_that_overlap_or_touch_become_one() -> None:
    spans = windows(index(("a", "2026-01-03"), ("a", "2026-01-02"), ("a", "2026-01-02 06:00")), DAY)
    assert spans["start"].tolist() == [pd.Timestamp("2026-01-01", tz="UTC")]
    assert spans["stop"].tolist() == [pd.Timestamp("2026-01-03", tz="UTC")]


def test_windows_that_only_touch_become_one() -> None:
    spans = windows(index(("a", "2026-01-03"), ("b", "2026-01-03"), ("a", "2026-01-02"), ("b", "2026-01-05")), DAY)
    days = zip(spans["patient_id"], spans["start"].dt.day, spans["stop"].dt.day, strict=True)
    assert list(days) == [("a", 1, 3), ("b", 2, 3), ("b", 4, 5)]


def test_windows_apart_stay_apart_and_patients_are_not_mixed() -> None:
    spans = windows(index(("b", "2026-01-02"), ("a", "2026-01-02"), ("a", "2026-02-02")), DAY)
    assert spans["patient_id"].tolist() == ["a", "a", "b"]


def test_readings_inside_a_span_are_kept_both_ends_included() -> None:
    spans = windows(index(("a", "2026-01-02 00:00")), DAY)
    rows = [("a", "2026-01-01 00:00"), ("a", "2026-01-02 00:00"), ("a", "2026-01-02 00:01"), ("b", "2026-01-02 00:00")]
    outside: Counter[str] = Counter()
    assert inside(readings(*rows), spans, outside).index.tolist() == [0, 1]
    assert outside == {"x": 2}


def test_a_reading_without_a_time_is_kept_to_be_set_aside_once() -> None:
    spans = windows(index(("a", "2026-01-02"), ("a", "2026-03-02")), DAY)
    assert inside(readings(("a", None)), spans).index.tolist() == [0]


def test_no_readings_give_none() -> None:
    assert inside(empty_readings(), windows(index(("a", "2026-01-02")), DAY)).empty


def test_a_reading_is_no_older_than_its_variable_reaches_and_stays_if_it_has_no_time() -> None:
    times = ("2026-01-01 05:00", "2026-01-01 04:59", "2026-01-07 05:00", "2026-01-07 04:59", "2026-01-08 05:01", None)
    some = readings(*(("a", time) for time in times))
    both = pd.concat([some.assign(variable="lactate"), some.assign(variable="heart_rate")], ignore_index=True)
    as_of = pd.Timestamp("2026-01-08 05:00", tz="UTC")
    kept = within_reach(Readings.of_frame(both), {"heart_rate": DAY, "lactate": 7 * DAY}, as_of).frame()
    found = kept.groupby("variable", sort=False)["time"].agg(
        lambda times: [f"{time:%d %H:%M}" for time in times.dropna()]
    )
    assert found["lactate"] == ["01 05:00", "07 05:00", "07 04:59"]
    assert found["heart_rate"] == ["07 05:00"]
    assert kept["time"].isna().sum() == 2
