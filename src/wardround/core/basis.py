"""Events in, the events that a score rests on out: per patient, what lies in the windows and was known at as_of.

The rule is that of `wardround.core.features`: time in [as_of - window, as_of], both ends included, available by as_of.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from wardround.spec.conditions import Condition


class UsedEvent(NamedTuple):
    """One event behind a score; hours_before as_of is 0 or more, the value is in the canonical unit."""

    variable: str
    hours_before: float
    value: float
    source_ref: str


def used_events(events: pd.DataFrame, condition: Condition, as_of: pd.Timestamp) -> dict[str, list[UsedEvent]]:
    """The events behind the scores at as_of, by patient_id; for each patient by time, then availability, then value."""
    age = as_of - events["time"]
    longest = events["variable"].map(_longest_windows(condition))
    inside = (age >= timedelta(0)) & (age <= longest) & (events["available"] <= as_of)
    chosen = events.assign(hours=age / timedelta(hours=1))[inside]
    order = np.lexsort([chosen[key] for key in ("source_ref", "value", "available", "time")])
    columns = [chosen[key].to_numpy()[order] for key in ("patient_id", "variable", "hours", "value", "source_ref")]
    by_patient: dict[str, list[UsedEvent]] = {}
    for patient, *event in zip(*(column.tolist() for column in columns), strict=True):
        by_patient.setdefault(patient, []).append(UsedEvent(*event))
    return by_patient


def basis(used: Sequence[UsedEvent]) -> tuple[str, ...]:
    """The resources behind a score, each once, oldest first: the components of one Observation are one resource."""
    return tuple(dict.fromkeys(event.source_ref for event in used))


def _longest_windows(condition: Condition) -> dict[str, timedelta]:
    windows: dict[str, timedelta] = {}
    for feature in condition.feature_list:
        windows[feature.variable] = max(feature.window, windows.get(feature.variable, timedelta(0)))
    return windows
