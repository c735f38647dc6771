"""Stays in, eligible and excluded stays out; and the index of stays at their prediction times. No clock."""

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
    "outtime": UTC,  # NaT while the stay goes on
    "birth_date": "datetime64[us]",
    "sex": "str",
    "unit": "str",
    "status": "str",  # of the FHIR Encounter
}
EXCLUDED_COLUMNS: Final = {"stay_id": "str", "patient_id": "str", "reason": "str"}
NOT_A_STAY: Final = ("planned", "cancelled", "entered-in-error")


class FoundStays(NamedTuple):
    """Stays of a source (STAY_COLUMNS), and Encounters that cannot be used (EXCLUDED_COLUMNS): all that were found."""

    stays: pd.DataFrame
    set_aside: pd.DataFrame


class Cohort(NamedTuple):
    """Stays that are screened (STAY_COLUMNS), and those that are not (EXCLUDED_COLUMNS); together all that came in."""

    eligible: pd.DataFrame
    excluded: pd.DataFrame


def eligible(stays: pd.DataFrame, as_of: pd.Timestamp, condition: Condition) -> Cohort:
    """Splits stays by the condition's cohort at as_of.

    Whether a stay goes on at as_of is read from its period, not from its status, which tells about today. Reasons:
    unusable_status, no_admission_time, not_yet_admitted, discharged, finished_without_end, no_birth_date, under_age.
    """
    open_ended = stays["outtime"].isna()
    rules = [
        (stays["status"].isin(NOT_A_STAY), "unusable_status"),
        (stays["intime"].isna(), "no_admission_time"),
        (stays["intime"] > as_of, "not_yet_admitted"),
        (stays["outtime"] <= as_of, "discharged"),
        (open_ended & (stays["status"] == "finished"), "finished_without_end"),
        (stays["birth_date"].isna(), "no_birth_date"),
        (completed_years(stays["birth_date"], as_of) < condition.cohort.min_age, "under_age"),
    ]
    reason = np.select([rule.to_numpy(dtype=bool) for rule, _ in rules], [name for _, name in rules], default="")
    excluded = stays.assign(reason=reason)[reason != ""]
    return Cohort(
        stays[reason == ""].reset_index(drop=True),
        excluded[list(EXCLUDED_COLUMNS)].reset_index(drop=True).astype(EXCLUDED_COLUMNS),
    )


def completed_years(birth_date: pd.Series, at: pd.Timestamp | pd.DatetimeIndex) -> pd.Series:
    """Age in completed calendar years at one time, or at one time per row; NaN without a birth date."""
    before_birthday = (birth_date.dt.month > at.month) | (
        (birth_date.dt.month == at.month) & (birth_date.dt.day > at.day)
    )
    return at.year - birth_date.dt.year - before_birthday


def index_after(stays: pd.DataFrame, elapsed: timedelta) -> pd.DataFrame:
    """The index of every stay at its admission plus `elapsed` hours of real time, daylight saving or not."""
    return _index(stays, stays["intime"] + pd.Timedelta(elapsed))


def index_as_of(stays: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The index of every stay at one prediction time."""
    return _index(stays, pd.Series(as_of, index=stays.index, dtype=UTC))


def _index(stays: pd.DataFrame, as_of: pd.Series) -> pd.DataFrame:
    columns = ["stay_id", "patient_id", "as_of", "birth_date", "sex"]
    return stays.assign(as_of=as_of)[columns].reset_index(drop=True)
