"""Tests US Eastern wall-clock times as FHIR dateTimes, which mean the same instant as in the conversion of the CSVs."""

from datetime import UTC, datetime

import duckdb
import pytest

from wardround.demo.mimic_fhir.timeline import date_time
from wardround.sources.mimic.eastern import utc_micros

CLOCKS = [
    ("2150-01-02 03:04:05", "2150-01-02T03:04:05-05:00"),
    ("2150-07-02 03:04:05", "2150-07-02T03:04:05-04:00"),
    ("2026-11-01 01:30:00", "2026-11-01T01:30:00-05:00"),  # twice on the clock: standard time
    ("2026-03-08 02:30:00", "2026-03-08T03:30:00-04:00"),  # skipped by the clock: shifted forward
]


@pytest.mark.parametrize(("wall", "expected"), CLOCKS)
def test_a_wall_clock_becomes_a_date_time_of_the_same_instant(wall: str, expected: str) -> None:
    with duckdb.connect() as database:
        sql = f"SELECT {date_time('micros')}, micros FROM (SELECT {utc_micros('?')} AS micros)"
        text, micros = database.execute(sql, [wall]).fetchall()[0]
    assert text == expected
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(micros / 1e6, UTC)


def test_a_missing_time_gives_no_date_time() -> None:
    with duckdb.connect() as database:
        sql = f"SELECT {date_time('micros')} FROM (SELECT {utc_micros('?')} AS micros)"
        assert database.execute(sql, ["yesterday"]).fetchall() == [(None,)]
