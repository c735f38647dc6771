"""Shifts the timeline of each patient so that stays from different years form a census around one time.

It uses no clock and no random state: the shift depends only on the patient's own id and stays, so that adding or
removing another patient changes nobody's shift.
"""

import hashlib
from typing import Final

import numpy as np
import pandas as pd

_CENSUS_COLUMNS: Final = ("patient_id", "stay_id", "shift", "present")

_DISCHARGED_SHARE: Final = 0.1
"""Share of patients who have just left: `now` is up to DISCHARGED_WITHIN after the end of their stay."""
DISCHARGED_WITHIN: Final = pd.Timedelta(hours=20)
SETTLED: Final = pd.Timedelta(hours=6)
"""`now` is at least this long after admission, if the stay is longer; earlier there is little data to score."""


def place(stays: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Returns one shift per patient, such that `now` falls inside one of the patient's stays or shortly after it.

    Args:
        stays: patient_id, stay_id, intime and outtime (UTC). Stays without a start or an end are not used.
        now: the time of the census, UTC.

    Returns:
        One row per patient with a usable stay, sorted by patient_id: patient_id, stay_id (of the stay that `now` falls
        into or after), shift (timedelta to add to all of the patient's times), present (False: just discharged).
        Stays of at least SETTLED are preferred to shorter ones; all of them are equally likely.
    """
    usable = stays[stays["outtime"] > stays["intime"]].sort_values(["patient_id", "stay_id"])
    usable = usable.assign(length=usable["outtime"] - usable["intime"])
    rows = [_place_one(str(patient), group, now) for patient, group in usable.groupby("patient_id", sort=True)]
    frame = pd.DataFrame(rows, columns=list(_CENSUS_COLUMNS))
    return frame.astype({"shift": "timedelta64[us]", "present": bool})


def _place_one(patient_id: str, stays: pd.DataFrame, now: pd.Timestamp) -> tuple[str, str, pd.Timedelta, bool]:
    settled = stays[stays["length"] >= SETTLED]
    candidates = stays if settled.empty else settled
    stay = candidates.iloc[int(_draw(patient_id, "stay") * len(candidates))]
    present = _draw(patient_id, "present") >= _DISCHARGED_SHARE
    spot = _draw(patient_id, "spot")
    if present:
        start = min(SETTLED, stay["length"] / 2)
        reached = stay["intime"] + start + spot * (stay["length"] - start)
    else:
        reached = stay["outtime"] + spot * DISCHARGED_WITHIN
    return patient_id, stay["stay_id"], (now - reached).round("s"), present


def _draw(patient_id: str, purpose: str) -> float:
    """Returns a number in [0, 1) that is derived from the patient and the purpose."""
    digest = hashlib.sha256(f"{purpose}:{patient_id}".encode()).digest()
    return float(np.frombuffer(digest[:8], dtype=">u8")[0] >> np.uint64(11)) / float(1 << 53)
