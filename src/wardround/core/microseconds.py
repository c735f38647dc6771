"""Times as whole microseconds since 1970 (UTC): what all columns of times hold."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

UNKNOWN: Final = int(np.iinfo(np.int64).min)  # what numpy reads as NaT
PER_HOUR: Final = 3_600_000_000
PER_DAY: Final = 24 * PER_HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_long(duration: timedelta) -> int:
    """The microseconds of a duration."""
    return duration // _MICROSECOND


def micros_in(times: pd.Series) -> np.ndarray:
    """A column of times, with a zone or (then UTC) without, as microseconds; UNKNOWN for NaT."""
    wall = times.dt.tz_convert("UTC").dt.tz_localize(None) if times.dt.tz is not None else times
    return wall.to_numpy(dtype="datetime64[us]").astype(np.int64)


def times_of(micros: Sequence[int] | np.ndarray) -> pd.Series:
    """Microseconds as a column of times: datetime64[us, UTC], NaT for UNKNOWN."""
    return pd.Series(np.asarray(micros, dtype=np.int64).view("datetime64[us]")).dt.tz_localize("UTC")
