"""Splits stays into those to screen and those excluded, and makes the index of stays at their prediction times.

Uses no clock.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.core.events import UTC
from wardround.core.exclusion import Decisive, reasons_against
from wardround.core.microseconds import UNKNOWN, micros, micros_in
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
_MONTHS: Final = 12
NOT_IN_PROGRESS: Final = ("not_yet_admitted", "discharged")


class FoundStays(NamedTuple):
    """Stays of a source (STAY_COLUMNS and more), and Encounters that cannot be used (EXCLUDED_COLUMNS): all found."""

    stays: pd.DataFrame
    set_aside: pd.DataFrame


class SplitStays(NamedTuple):
    """Stays that are screened (STAY_COLUMNS) and those that are not (EXCLUDED_COLUMNS): together, all stays given."""

    eligible: pd.DataFrame
    excluded: pd.DataFrame


def eligible(stays: pd.DataFrame, as_of: pd.Timestamp, condition: Condition) -> SplitStays:
    """Splits stays (FOUND_STAY_COLUMNS) by the condition's cohort at as_of; for the reasons see `reasons_against`."""
    reason = reasons_against(Decisive.of_frame(stays), as_of, condition)
    excluded = stays.assign(reason=reason)[reason != ""]
    return SplitStays(
        stays[reason == ""].reset_index(drop=True),
        excluded[list(EXCLUDED_COLUMNS)].reset_index(drop=True).astype(EXCLUDED_COLUMNS),
    )


def completed_years(birth_date: pd.Series, at: pd.Timestamp | pd.DatetimeIndex) -> pd.Series:
    """Returns the age in completed calendar years at one time, or at one time per row; NaN without a birth date."""
    moments = micros(at) if isinstance(at, datetime) else micros_in(at.to_series())
    return pd.Series(_years_between(micros_in(birth_date), moments), index=birth_date.index)


def _years_between(born: np.ndarray, at: np.ndarray | int) -> np.ndarray:
    """Returns completed calendar years from each birth (microseconds, UNKNOWN for none) to a time; NaN if unknown."""
    months, days = _months_and_days(born)
    now, today = _months_and_days(np.asarray(at, dtype=np.int64))
    years = (now - months - (today < days)) // _MONTHS
    return np.where(born == UNKNOWN, np.nan, years)


def _months_and_days(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the month since 1970 and the day in it of each time; of UNKNOWN, numbers without a meaning."""
    times = moments.view("datetime64[us]")
    month = times.astype("datetime64[M]")
    return month.astype(np.int64), (times.astype("datetime64[D]") - month).astype(np.int64)


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
