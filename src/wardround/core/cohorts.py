"""Stays in, those that a model may learn from and those left out (with reasons) out; together all that came in."""

from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.core.minimum_data import enough_data
from wardround.core.stays import EXCLUDED_COLUMNS, NOT_A_STAY, completed_years, index_after
from wardround.spec.base import format_duration
from wardround.spec.conditions import Condition

NO_OUTCOME: Final = "no_outcome"
BELOW_MINIMUM_DATA: Final = "below_minimum_data"


class TrainingCohort(NamedTuple):
    """`index` (see `wardround.core.features`) plus the boolean `outcome`; `excluded` as in EXCLUDED_COLUMNS."""

    index: pd.DataFrame
    excluded: pd.DataFrame


def training_cohort(
    stays: pd.DataFrame, outcome: pd.Series, elapsed: timedelta, condition: Condition
) -> TrainingCohort:
    """Splits finished stays by whether a model may learn from them at `elapsed` after admission.

    Reasons, the first that applies: unusable_status, no_admission_time, no_birth_date, under_age, open_stay,
    shorter_than_<elapsed>, no_outcome.

    Args:
        stays: STAY_COLUMNS.
        outcome: of each stay, in the same order; NA where it is not known.
        elapsed: the prediction time after admission.
        condition: the spec, for the youngest age.
    """
    index = index_after(stays, elapsed)
    age = completed_years(stays["birth_date"], pd.DatetimeIndex(index["as_of"]))
    rules = {
        "unusable_status": stays["status"].isin(NOT_A_STAY),
        "no_admission_time": stays["intime"].isna(),
        "no_birth_date": stays["birth_date"].isna(),
        "under_age": age < condition.cohort.min_age,
        "open_stay": stays["outtime"].isna(),
        f"shorter_than_{format_duration(elapsed)}": stays["outtime"].array < index["as_of"].array,
        NO_OUTCOME: outcome.isna(),
    }
    reason = np.select([np.asarray(rule, dtype=bool) for rule in rules.values()], list(rules), default="")
    return _split(index.assign(outcome=outcome.to_numpy()), reason)


def leave_out_too_little_data(cohort: TrainingCohort, features: pd.DataFrame, condition: Condition) -> TrainingCohort:
    """Moves stays below the condition's minimum data to the excluded ones; `features` has the index's rows in order."""
    enough = enough_data(features, condition)
    rest = _split(cohort.index, np.where(enough, "", BELOW_MINIMUM_DATA))
    return TrainingCohort(rest.index, pd.concat([cohort.excluded, rest.excluded], ignore_index=True))


def _split(index: pd.DataFrame, reason: np.ndarray) -> TrainingCohort:
    excluded = index.assign(reason=reason)[reason != ""]
    return TrainingCohort(
        index[reason == ""].reset_index(drop=True).astype({"outcome": "boolean"}),
        excluded[list(EXCLUDED_COLUMNS)].reset_index(drop=True).astype(EXCLUDED_COLUMNS),
    )
