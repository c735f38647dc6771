"""Events in, the events that a score rests on out: per patient, what lies in the windows and was known at as_of.

The rule is that of `wardround.core.features`: time in [as_of - window, as_of], both ends included, available by as_of.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.spec.conditions import Condition

_MICROSECONDS_PER_HOUR: Final = 3_600_000_000


class UsedEvent(NamedTuple):
    """One event behind a score; hours_before as_of is 0 or more, the value is in the canonical unit."""

    variable: str
    hours_before: float
    value: float
    source_ref: str


def used_events(events: pd.DataFrame, condition: Condition, as_of: pd.Timestamp) -> dict[str, list[UsedEvent]]:
    """The events behind the scores at as_of, by patient_id; for each patient by time, then availability, then value."""
    age = _microseconds_before(as_of, events["time"])
    known = _microseconds_before(as_of, events["available"])
    longest = events["variable"].map(_longest_windows(condition)).to_numpy(dtype=np.int64)
    inside = np.flatnonzero((age >= 0) & (age <= longest) & (known >= 0))
    columns = {name: events[name].to_numpy(dtype=object)[inside] for name in ("patient_id", "variable", "source_ref")}
    value, age, known = events["value"].to_numpy()[inside], age[inside], known[inside]
    order = np.lexsort([columns["source_ref"].astype("U"), value, -known, -age])
    hours = age / _MICROSECONDS_PER_HOUR
    sorted_columns = (columns["patient_id"], columns["variable"], hours, value, columns["source_ref"])
    by_patient: dict[str, list[UsedEvent]] = {}
    for patient, *event in zip(*(column[order].tolist() for column in sorted_columns), strict=True):
        by_patient.setdefault(patient, []).append(UsedEvent(*event))
    return by_patient


def basis(used: Sequence[UsedEvent]) -> tuple[str, ...]:
    """The resources behind a score, each once, oldest first: the components of one Observation are one resource."""
    return tuple(dict.fromkeys(event.source_ref for event in used))


def _microseconds_before(as_of: pd.Timestamp, times: pd.Series) -> np.ndarray:
    wall = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    moment = np.datetime64(as_of.tz_convert("UTC").tz_localize(None), "us")
    return (moment - wall).astype(np.int64)


def _longest_windows(condition: Condition) -> dict[str, int]:
    """The longest window of each variable, in microseconds."""
    windows: dict[str, int] = {}
    for feature in condition.feature_list:
        window = feature.window // timedelta(microseconds=1)
        windows[feature.variable] = max(window, windows.get(feature.variable, 0))
    return windows
