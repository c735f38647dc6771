"""FHIR's times as text in, exact times out, and the other way for search parameters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

UNKNOWN: Final = int(np.iinfo(np.int64).min)  # what numpy reads as NaT
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_SHORTEST: Final = len("2026-01-02T05:00Z")


# What is charted by the minute or the hour has few different times.
@lru_cache(maxsize=16384)
def micros_of(text: str | None) -> int:
    """Microseconds since 1970 of a dateTime or instant, or UNKNOWN.

    A partial date is a span and no time, and a time of day without an offset could be anywhere: both are UNKNOWN.
    """
    if not text or len(text) < _SHORTEST or text[10] != "T":
        return UNKNOWN
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return UNKNOWN
    return micros(time) if time.tzinfo else UNKNOWN


def micros(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def times_of(micros: Sequence[int]) -> pd.Series:
    """Microseconds as a column of times: datetime64[us, UTC], NaT for UNKNOWN."""
    return pd.Series(np.asarray(micros, dtype=np.int64).view("datetime64[us]")).dt.tz_localize("UTC")


def no_earlier_than(time: datetime) -> str:
    """The search value for `time` and after, begun at the whole second, which every server can read."""
    return f"ge{_whole_seconds(time)}"


def no_later_than(time: datetime) -> str:
    """The search value for `time` and before, ended at a whole second."""
    return f"le{_whole_seconds(time + _SECOND - _MICROSECOND)}"


def _whole_seconds(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
