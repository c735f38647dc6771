"""Tests the conversion of US Eastern local time to UTC."""

import duckdb
import pandas as pd
import pytest

from wardround.sources.mimic.eastern import utc_micros, utc_times


def times(*texts: str) -> pd.Series:
    rows = ", ".join(f"({text})" for text in texts)
    return utc_times(duckdb.sql(f"SELECT {utc_micros('local')} AS t FROM (VALUES {rows}) AS rows(local)").df()["t"])


def utc(local: str) -> str:
    return times(f"'{local}'")[0].isoformat()


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2011-01-15 12:00:00", "2011-01-15T17:00:00+00:00"),
        ("2011-07-15 12:00:00", "2011-07-15T16:00:00+00:00"),
        ("2154-05-02 15:55:21", "2154-05-02T19:55:21+00:00"),
        ("2200-12-01 00:00:00", "2200-12-01T05:00:00+00:00"),
    ],
)
def test_daylight_saving_is_applied_before_and_after_2037(local: str, expected: str) -> None:
    assert utc(local) == expected


def test_the_hour_that_occurs_twice_is_standard_time() -> None:
    assert utc("2154-11-03 01:30:00") == "2154-11-03T06:30:00+00:00"


def test_the_hour_that_is_skipped_is_shifted_forward() -> None:
    assert utc("2154-03-10 02:30:00") == "2154-03-10T07:30:00+00:00"


def test_an_invalid_time_is_empty() -> None:
    nothing = times("'soon'", "NULL")
    assert nothing.isna().all()
    assert nothing.dtype == pd.DatetimeTZDtype("us", "UTC")
