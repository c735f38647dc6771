"""Events in, the events that a score rests on out: per patient, what lies in the windows and was known at as_of.

The rule is that of `wardround.features.build`: time in [as_of - window, as_of], both ends included, available by as_of.
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
    variable, names = pd.factorize(events["variable"])
    windows = _longest_windows(condition)
    longest = np.array([windows[name] for name in names], dtype=np.int64)[variable]
    inside = np.flatnonzero((age >= 0) & (age <= longest) & (known >= 0))
    patient, patients = pd.factorize(events["patient_id"])
    source_ref = events["source_ref"].to_numpy(dtype=object)[inside]
    patient, variable, age, known = (column[inside] for column in (patient, variable, age, known))
    value = events["value"].to_numpy(dtype=float)[inside]
    order = _in_order(patient, -age, -known, value, source_ref)
    named = np.asarray(names, dtype=object)[variable]
    hours = age / _MICROSECONDS_PER_HOUR
    used = list(map(UsedEvent, *(column[order].tolist() for column in (named, hours, value, source_ref))))
    begins = np.flatnonzero(np.diff(patient[order], prepend=-1))
    ends = np.append(begins, len(used))[1:]
    return {str(patients[patient[order[begin]]]): used[begin:end] for begin, end in zip(begins, ends, strict=True)}


def _in_order(*keys: np.ndarray) -> np.ndarray:
    """The order by these keys, the first one first; the last one, of texts, is looked at where the others are equal."""
    *numbers, text = keys
    order = np.lexsort(numbers[::-1])
    same = np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in numbers])
    if not same.any():
        return order
    # Comparing texts takes ten times as long as all the rest, and few events have a twin.
    twins = order[np.append(same, False) | np.append(False, same)]
    rank = np.zeros(len(text), dtype=np.int64)
    rank[twins] = np.unique(text[twins].astype("U"), return_inverse=True)[1]
    return np.lexsort([rank, *numbers[::-1]])


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
