"""Finds the spans of time in which a patient's events matter, from an index, or for one as_of by variable."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from wardround.core.microseconds import UNKNOWN, micros, micros_long
from wardround.core.readings import Readings


def windows(index: pd.DataFrame, window: timedelta) -> pd.DataFrame:
    """Returns each patient's windows [as_of - window, as_of], merged where they overlap: patient_id, start, stop."""
    return merged(
        pd.DataFrame({"patient_id": index["patient_id"], "start": index["as_of"] - window, "stop": index["as_of"]})
    )


def merged(spans: pd.DataFrame) -> pd.DataFrame:
    """Returns the spans (patient_id, start, stop) by patient and time, merged where those of a patient overlap."""
    spans = spans.sort_values(["patient_id", "start"], ignore_index=True)
    reached = spans.groupby("patient_id")["stop"].cummax().groupby(spans["patient_id"]).shift()
    spans["group"] = (spans["start"] > reached).cumsum()
    one = spans.groupby(["patient_id", "group"], as_index=False).agg({"start": "min", "stop": "max"})
    return one[["patient_id", "start", "stop"]]


def inside(readings: pd.DataFrame, spans: pd.DataFrame, outside: Counter[str] | None = None) -> pd.DataFrame:
    """Returns the readings in their patient's spans (see `windows`), and those without a time, which cannot be placed.

    The others are counted in `outside`, by variable: a few are normal, but if it is all of them, the clock or the time
    zone is wrong.
    """
    pairs = readings[["patient_id", "time"]].reset_index(names="row").merge(spans, on="patient_id")
    hit = pairs["time"].isna() | ((pairs["time"] >= pairs["start"]) & (pairs["time"] <= pairs["stop"]))
    kept = readings.index.isin(pairs.loc[hit, "row"])
    if outside is not None:
        outside.update(readings["variable"][~kept].tolist())
    return readings[kept]


def within_reach(found: Readings, reach: Mapping[str, timedelta], as_of: datetime) -> Readings:
    """Returns the readings that are no older at `as_of` than their variable's reach, and not later.

    Those without a time, which cannot be placed, are among them.
    """
    until = micros(as_of)
    oldest = np.array([until - micros_long(reach[kind.variable]) for kind in found.kinds], dtype=np.int64)
    inside = (found.time <= until) & (found.time >= oldest[found.kind])
    kept = (found.time == UNKNOWN) | inside
    return found if kept.all() else found.take(kept.nonzero()[0])
