"""Tests when the schedules of a condition start a run, in the nights in which clocks change."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pendulum
import pytest
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction

from wardround.airflow.schedules import screening_schedule, training_schedule
from wardround.spec.loading import load_condition

BERLIN = "Europe/Berlin"
SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)  # before the night of 29 March: 02:00 is 03:00
AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)  # before the night of 25 October: 03:00 is 02:00 again


@pytest.fixture
def timetable(schemas):
    """timetable(cron, zone) returns the timetable of a condition's screening, as the scheduler sees it."""
    sepsis = load_condition("sepsis", schemas)

    def of(cron, zone=BERLIN):
        condition = sepsis.model_copy(update={"schedule": cron, "time_zone": zone})
        return coerce_to_core_timetable(screening_schedule(condition))

    return of


def runs(timetable, start, days=3):
    """Returns the prediction times of a scheduler that catches up every missed run since `start`."""
    restriction = TimeRestriction(earliest=pendulum.instance(start), latest=None, catchup=True)
    last, times = None, []
    while True:
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if info.logical_date >= start + timedelta(days=days):
            return times
        last = info.data_interval
        times.append(info.logical_date)


def in_utc(times):
    return [f"{time.astimezone(UTC):%d %H:%M}" for time in times]


@pytest.mark.parametrize(
    ("cron", "start", "expected"),
    [
        ("0 6 * * *", SPRING, ["29 04:00", "30 04:00", "31 04:00"]),
        ("0 6 * * *", AUTUMN, ["25 05:00", "26 05:00", "27 05:00"]),
        # In spring 02:30 does not exist, and 03:30 is used instead; in autumn it occurs twice, and the second counts.
        ("30 2 * * *", SPRING, ["29 01:30", "30 00:30", "31 00:30"]),
        ("30 2 * * *", AUTUMN, ["25 01:30", "26 01:30", "27 01:30"]),
        ("0 2 * * *", SPRING, ["29 01:00", "30 00:00", "31 00:00"]),
        ("0 2 * * *", AUTUMN, ["25 01:00", "26 01:00", "27 01:00"]),
        # In spring, 02:30 and 03:30 are the same time.
        ("30 2,3 * * *", SPRING, ["29 01:30", "30 00:30", "30 01:30", "31 00:30", "31 01:30"]),
        ("30 2,3 * * *", AUTUMN, ["25 01:30", "25 02:30", "26 01:30", "26 02:30", "27 01:30", "27 02:30"]),
    ],
)
def test_each_hour_of_a_schedule_occurs_once_a_day_in_the_conditions_time_zone(timetable, cron, start, expected):
    assert in_utc(runs(timetable(cron), start)) == expected


@pytest.mark.parametrize(("cron", "minutes"), [("0 * * * *", 60), ("*/15 * * * *", 15), ("17 * * * *", 60)])
@pytest.mark.parametrize("start", [SPRING, AUTUMN])
def test_an_hourly_schedule_neither_skips_nor_repeats_an_hour(timetable, cron, minutes, start):
    times = runs(timetable(cron), start)
    assert {later.timestamp() - earlier.timestamp() for earlier, later in pairwise(times)} == {minutes * 60}
    assert len(times) == 3 * 24 * 60 // minutes


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 2,6 * * *", "0 * * * *"])
@pytest.mark.parametrize("start", [SPRING, AUTUMN])
def test_without_catch_up_the_scheduler_starts_each_run_of_the_night_once(timetable, monkeypatch, cron, start):
    """Simulates a scheduler that looks every five minutes, without catching up."""
    restriction = TimeRestriction(earliest=None, latest=None, catchup=False)
    started, last = [], None
    for minutes in range(0, 3 * 24 * 60, 5):
        now = pendulum.instance(start + timedelta(minutes=minutes))
        monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda now=now: now)
        info = timetable(cron).next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if info.logical_date <= now:
            started.append(info.logical_date)
            last = info.data_interval

    expected = runs(timetable(cron), start)
    assert set(Counter(started).values()) == {1}
    assert started[-len(expected) :] == expected


def test_without_a_time_zone_a_schedule_is_in_utc(timetable, schemas):
    assert load_condition("sepsis", schemas).time_zone == "UTC"
    assert in_utc(runs(timetable("0 6 * * *", "UTC"), SPRING)) == ["29 06:00", "30 06:00", "31 06:00"]


def test_retraining_uses_the_same_time_zone(schemas):
    changed = {"retraining": "0 3 1 * *", "time_zone": BERLIN}
    again = training_schedule(load_condition("sepsis", schemas).model_copy(update=changed))
    assert in_utc(runs(coerce_to_core_timetable(again), SPRING, days=7)) == ["01 01:00"]


def test_the_time_zone_survives_airflows_serialization_of_a_timetable(timetable):
    stored = timetable("0 6 * * *").serialize()
    assert runs(type(timetable("0 6 * * *")).deserialize(stored), AUTUMN) == runs(timetable("0 6 * * *"), AUTUMN)
