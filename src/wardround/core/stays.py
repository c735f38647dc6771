"""Splits stays into those to screen and those excluded, and makes the index of stays at their prediction times.

Uses no clock.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.core.events import UTC
from wardround.spec.conditions import Condition

STAY_COLUMNS: Final = {
    "stay_id": "str",
    "patient_id": "str",
    "intime": UTC,
    "outtime": UTC,  # NaT while the stay continues
    # To the moment, or NaT. If as_of was given, the begin of the time in the unit that goes on then.
    "unit_begin": UTC,
    "hospital_begin": UTC,
    "birth_date": "datetime64[us]",
    "sex": "str",
    "unit": "str",
    "status": "str",  # of the FHIR Encounter
}
# What a FHIR source adds, for `eligible`. If a date is imprecise, intime is the latest and outtime the earliest time
# that it can mean; birth_date is known to the day or not at all.
FOUND_STAY_COLUMNS: Final = {
    **STAY_COLUMNS,
    "born_from": "datetime64[us]",  # the first and the last day on which the patient may have been born
    "born_by": "datetime64[us]",
    "barred": "str",  # why the patient must not be scored at as_of, such as deceased; "" if there is no such reason
    "hospital_unknown": "str",  # why hospital_begin is not known; "" if it is
    "part_of": "str",  # the stay_id of the Encounter that this one is a part of
    "succeeded_by": "str",  # patient_ids of the same person whose records take precedence, separated by blanks
}
# What the index repeats of each stay, for demographics.
OF_STAY: Final = ("birth_date", "sex", "unit_begin", "hospital_begin")
EXCLUDED_COLUMNS: Final = {"stay_id": "str", "patient_id": "str", "reason": "str"}
NOT_IN_PROGRESS: Final = ("not_yet_admitted", "discharged")
TOOK_PLACE: Final = ("arrived", "triaged", "in-progress", "onleave", "finished", "unknown")


class FoundStays(NamedTuple):
    """Stays of a source (STAY_COLUMNS and more), and Encounters that cannot be used (EXCLUDED_COLUMNS): all found."""

    stays: pd.DataFrame
    set_aside: pd.DataFrame


class SplitStays(NamedTuple):
    """Stays that are screened (STAY_COLUMNS) and those that are not (EXCLUDED_COLUMNS): together, all stays given."""

    eligible: pd.DataFrame
    excluded: pd.DataFrame


def eligible(stays: pd.DataFrame, as_of: pd.Timestamp, condition: Condition) -> SplitStays:
    """Splits stays (FOUND_STAY_COLUMNS) by the condition's cohort at as_of.

    Whether a stay is under way at as_of is read from its period, not from its status, which describes today. Of the
    stays that would be screened, an Encounter that another one is a part of is excluded, and so is a person's second
    record. Reasons, the first that applies: unusable_status, no_admission_time, not_yet_admitted, discharged,
    finished_without_end, deceased, inactive_patient, merged_patient, unknown_patient, no_birth_date, under_age,
    uncertain_age, parent_encounter.
    """
    youngest = condition.cohort.min_age
    open_ended = stays["outtime"].isna()
    rules = [
        (~stays["status"].isin(TOOK_PLACE), "unusable_status"),
        (stays["intime"].isna(), "no_admission_time"),
        (stays["intime"] > as_of, "not_yet_admitted"),
        (stays["outtime"] <= as_of, "discharged"),
        (open_ended & (stays["status"] == "finished"), "finished_without_end"),
        *((stays["barred"] == bar, bar) for bar in sorted(set(stays["barred"]) - {""})),
        (stays["born_by"].isna(), "no_birth_date"),
        (completed_years(stays["born_from"], as_of) < youngest, "under_age"),
        (completed_years(stays["born_by"], as_of) < youngest, "uncertain_age"),
    ]
    reason = np.select([rule.to_numpy(dtype=bool) for rule, _ in rules], [name for _, name in rules], default="")
    reason = _once_a_person(stays, reason)
    excluded = stays.assign(reason=reason)[reason != ""]
    return SplitStays(
        stays[reason == ""].reset_index(drop=True),
        excluded[list(EXCLUDED_COLUMNS)].reset_index(drop=True).astype(EXCLUDED_COLUMNS),
    )


def _once_a_person(stays: pd.DataFrame, reason: np.ndarray) -> np.ndarray:
    """Returns the reasons, with one added for each stay that repeats a person who is already counted."""
    screened = stays[reason == ""]
    wholes, patients = _wholes(stays, screened["stay_id"]), set(screened["patient_id"])
    rules = [
        stays["stay_id"].isin(wholes),
        pd.Series([not patients.isdisjoint(other.split()) for other in stays["succeeded_by"]], index=stays.index),
    ]
    again = np.select([rule.to_numpy(dtype=bool) for rule in rules], ["parent_encounter", "merged_patient"], default="")
    return np.where(reason == "", again, reason)


def _wholes(stays: pd.DataFrame, stay_ids: Iterable[str]) -> set[str]:
    """Returns the Encounters of the same patient that these stays are part of, at any depth.

    A newborn's Encounter may be part of the mother's, which is not returned.
    """
    whose = dict(zip(stays["stay_id"], stays["patient_id"], strict=True))
    parts = zip(stays["stay_id"], stays["part_of"], strict=True)
    above = {part: whole for part, whole in parts if whose.get(whole) == whose[part]}
    found: set[str] = set()
    for stay_id in stay_ids:
        whole = above.get(stay_id, "")
        while whole and whole not in found and whole != stay_id:
            found.add(whole)
            whole = above.get(whole, "")
    return found


def completed_years(birth_date: pd.Series, at: pd.Timestamp | pd.DatetimeIndex) -> pd.Series:
    """Returns the age in completed calendar years at one time, or at one time per row; NaN without a birth date."""
    before_birthday = (birth_date.dt.month > at.month) | (
        (birth_date.dt.month == at.month) & (birth_date.dt.day > at.day)
    )
    return at.year - birth_date.dt.year - before_birthday


def hours_at(rows: pd.DataFrame, stays: pd.DataFrame) -> np.ndarray:
    """Returns the hours from the begin of the stay in the unit to each row's as_of (stay_id, as_of).

    Where the begin is not known to the moment, it is `intime`, as in training from MIMIC.
    """
    begin = stays["unit_begin"].fillna(stays["intime"]) if "unit_begin" in stays else stays["intime"]
    begins = pd.to_datetime(rows["stay_id"].map(begin.set_axis(stays["stay_id"])), utc=True)
    return ((rows["as_of"] - begins) / pd.Timedelta(hours=1)).to_numpy(dtype=float)


def index_after(stays: pd.DataFrame, elapsed: timedelta) -> pd.DataFrame:
    """Returns the index of every stay at its admission plus `elapsed` of real time, unaffected by daylight saving."""
    return _index(stays, stays["intime"] + pd.Timedelta(elapsed))


def index_as_of(stays: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Returns the index of every stay at one prediction time."""
    return _index(stays, pd.Series(as_of, index=stays.index, dtype=UTC))


def _index(stays: pd.DataFrame, as_of: pd.Series) -> pd.DataFrame:
    # A run that an earlier release opened, and that is continued, has stays without begins.
    columns = ["stay_id", "patient_id", "as_of", *(name for name in OF_STAY if name in stays)]
    return stays.assign(as_of=as_of)[columns].reset_index(drop=True)
