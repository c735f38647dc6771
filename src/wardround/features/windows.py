"""An index in, the spans of time in which its patients' events matter out."""

from collections import Counter
from datetime import timedelta

import pandas as pd


def windows(index: pd.DataFrame, window: timedelta) -> pd.DataFrame:
    """Each patient's windows [as_of - window, as_of], those that overlap made one: patient_id, start, stop."""
    return merged(
        pd.DataFrame({"patient_id": index["patient_id"], "start": index["as_of"] - window, "stop": index["as_of"]})
    )


def merged(spans: pd.DataFrame) -> pd.DataFrame:
    """The spans (patient_id, start, stop) by patient and time, those of a patient that overlap made one."""
    spans = spans.sort_values(["patient_id", "start"], ignore_index=True)
    reached = spans.groupby("patient_id")["stop"].cummax().groupby(spans["patient_id"]).shift()
    spans["group"] = (spans["start"] > reached).cumsum()
    one = spans.groupby(["patient_id", "group"], as_index=False).agg({"start": "min", "stop": "max"})
    return one[["patient_id", "start", "stop"]]


def inside(readings: pd.DataFrame, spans: pd.DataFrame, outside: Counter[str] | None = None) -> pd.DataFrame:
    """The readings in their patient's spans (see `windows`), and those without a time, which cannot be placed.

    The others are counted in `outside`, by variable: some are as it should be, all of them are a wrong clock or zone.
    """
    pairs = readings[["patient_id", "time"]].reset_index(names="row").merge(spans, on="patient_id")
    hit = pairs["time"].isna() | ((pairs["time"] >= pairs["start"]) & (pairs["time"] <= pairs["stop"]))
    kept = readings.index.isin(pairs.loc[hit, "row"])
    if outside is not None:
        outside.update(readings["variable"][~kept].tolist())
    return readings[kept]
