"""Converts UTC seconds to US Eastern wall-clock seconds, as in MIMIC. Correct for every year, even after 2037."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from wardround.demo.ward.patients import OPEN

_EASTERN: Final = ZoneInfo("America/New_York")
_HOUR: Final = 3600


def eastern(utc: np.ndarray) -> np.ndarray:
    """Returns wall-clock seconds (int64) for UTC seconds; reading them as MIMIC's never gives a later time than `utc`.

    In autumn, one hour of the wall clock occurs twice, and readers take it for the second one. Times in the first one
    are written an hour early, so that nothing appears to be known too early.
    """
    hours, place = np.unique(utc // _HOUR, return_inverse=True)
    wall = utc + np.array([_offset(int(hour)) for hour in hours], dtype=np.int64)[place]
    return np.asarray(wall)


def clock(utc: np.ndarray) -> np.ndarray:
    """Returns wall-clock times (datetime64[s]) for UTC seconds; NaT for OPEN."""
    wall = np.where(utc == OPEN, np.iinfo(np.int64).min, eastern(np.where(utc == OPEN, 0, utc)))
    return np.asarray(wall.astype("datetime64[s]"))


def _offset(hour: int) -> int:
    local = datetime.fromtimestamp(hour * _HOUR, UTC).astimezone(_EASTERN)
    offset = local.utcoffset()
    assert offset is not None
    seconds = int(offset.total_seconds())
    first_of_two = local.fold == 0 and local.replace(fold=1).utcoffset() != offset
    return seconds - _HOUR if first_of_two else seconds
