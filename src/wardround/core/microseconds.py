"""Converts times to and from whole microseconds since 1970 (UTC), which all columns of times hold."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN: Final = int(np.iinfo(np.int64).min)  # the value that numpy reads as NaT
PER_HOUR: Final = 3_600_000_000
PER_DAY: Final = 24 * PER_HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Returns a time as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_long(duration: timedelta) -> int:
    """Returns a duration in microseconds."""
    return duration // _MICROSECOND


def micros_in(times: "pd.Series") -> np.ndarray:
    """Returns a column of times as microseconds; times without a zone are taken as UTC; UNKNOWN for NaT."""
    wall = times.dt.tz_convert("UTC").dt.tz_localize(None) if times.dt.tz is not None else times
    return wall.to_numpy(dtype="datetime64[us]").astype(np.int64)


def times_of(micros: Sequence[int] | np.ndarray) -> "pd.Series":
    """Returns microseconds as a column of times: datetime64[us, UTC], NaT for UNKNOWN."""
    # Processes that only compare times do without pandas, which takes 45 MB.
    import pandas as pd

    return pd.Series(np.asarray(micros, dtype=np.int64).view("datetime64[us]")).dt.tz_localize("UTC")
