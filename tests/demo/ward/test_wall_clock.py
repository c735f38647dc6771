"""Tests the conversion of UTC to MIMIC's wall clock."""

from datetime import UTC, datetime

import numpy as np
import pytest

from wardround.demo.ward.wall_clock import eastern


def wall(text: str) -> str:
    seconds = eastern(np.array([int(datetime.fromisoformat(text).timestamp())]))
    return datetime.fromtimestamp(int(seconds[0]), UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        ("2026-01-02T05:00:00Z", "2026-01-02 00:00:00"),
        ("2026-07-02T05:00:00Z", "2026-07-02 01:00:00"),
        ("2150-07-02T05:00:00Z", "2150-07-02 01:00:00"),
        ("2026-03-08T07:10:00Z", "2026-03-08 03:10:00"),
        ("2026-11-01T06:30:00Z", "2026-11-01 01:30:00"),
    ],
)
def test_utc_becomes_the_eastern_wall_clock(utc: str, expected: str) -> None:
    assert wall(utc) == expected


def test_times_in_the_first_of_two_equal_hours_are_written_early_and_never_late() -> None:
    assert wall("2026-11-01T05:30:00Z") == "2026-11-01 00:30:00"
