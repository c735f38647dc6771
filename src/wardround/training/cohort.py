"""Splits stays into those that a model may learn from and those left out, with reasons; together they are all stays."""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.core.exclusion import TOOK_PLACE
from wardround.core.stays import EXCLUDED_COLUMNS, completed_years
from wardround.evaluation.results import DefinedStays, Task
from wardround.results.training_hours import TrainingHours
from wardround.spec.base import format_duration
from wardround.spec.conditions import Condition
from wardround.training.labels import SOFA_RISE
from wardround.training.tasks import first_hours, followed

NO_OUTCOME: Final = "no_outcome"
OVER_BEFORE_PREDICTION: Final = "over_before_prediction"
NO_ONSET: Final = "no_onset"
NO_SOFA_RISE: Final = "no_sofa_rise"
ONSET_BEFORE_PREDICTION: Final = "onset_before_prediction"
BELOW_MINIMUM_DATA: Final = "below_minimum_data"


class TrainingCohort(NamedTuple):
    """`stays` to learn from, with `outcome`, `onset`, `first_hour`, `last_hour` and `matched_until` (see
    `training.tasks.rows_of`), ordered by patient and admission; `excluded` as in EXCLUDED_COLUMNS; `covered`: the hours
    since admission that a model of these stays covers."""

    stays: pd.DataFrame
    excluded: pd.DataFrame
    covered: TrainingHours


def training_cohort(
    stays: pd.DataFrame, outcomes: pd.DataFrame, task: Task, condition: Condition, seed: int
) -> TrainingCohort:
    """Splits finished stays by whether a model may learn from them.

    The reason is the first that applies: unusable_status, no_admission_time, no_birth_date, under_age, open_stay,
    shorter_than_<earliest prediction>, over_before_prediction (the stay's own first one), no_outcome, no_sofa_rise (the
    stay is septic, but its SOFA does not rise, so that it is not known whether it was septic on arrival), no_onset (the
    outcome occurred at an unknown time, and the task needs the time), onset_before_prediction.

    Args:
        stays: STAY_COLUMNS, race, anchor_year_group.
        outcomes: outcome and onset of each stay (see `training.labels.outcomes`), in the same order.
        task: what is predicted, and when.
        condition: the spec, for the minimum age.
        seed: decides the hour of each stay's first prediction in a daily task, and the matched design of an hourly one.
    """
    first_hour = first_hours(stays, task, seed)
    reason = why_left_out(stays, outcomes, first_hour, task, condition)
    outcome, onset = (outcomes[name].reset_index(drop=True) for name in ("outcome", "onset"))
    known = stays.reset_index(drop=True).assign(outcome=outcome, onset=onset, first_hour=first_hour)
    used = known[reason == ""].sort_values(["patient_id", "intime", "stay_id"], ignore_index=True)
    last_hour, matched_until, covered = followed(used, task, seed)
    used = used.assign(last_hour=last_hour, matched_until=matched_until)
    return TrainingCohort(used, _excluded(known.drop(columns="first_hour"), reason), covered)


def why_left_out(
    stays: pd.DataFrame, outcomes: pd.DataFrame, first_hour: np.ndarray, task: Task, condition: Condition
) -> np.ndarray:
    """Returns the reason for which each stay is left out (see `training_cohort`); "" for one to learn from.

    `first_hour`: since admission, of each stay's first prediction (see `training.tasks.first_hours`).
    """
    first = stays["intime"].reset_index(drop=True) + pd.to_timedelta(pd.Series(first_hour), unit="h")
    age = completed_years(stays["birth_date"], pd.DatetimeIndex(first))
    outcome, onset = outcomes["outcome"].reset_index(drop=True), outcomes["onset"].reset_index(drop=True)
    happened = outcome.fillna(False).astype(bool)
    rules = {
        "unusable_status": ~stays["status"].isin(TOOK_PLACE),
        "no_admission_time": stays["intime"].isna(),
        "no_birth_date": stays["birth_date"].isna(),
        "under_age": age < condition.cohort.min_age,
        "open_stay": stays["outtime"].isna(),
        f"shorter_than_{format_duration(task.at)}": stays["outtime"].array <= (stays["intime"] + task.at).array,
        OVER_BEFORE_PREDICTION: stays["outtime"].array <= first.array,
        NO_OUTCOME: outcome.isna(),
        NO_SOFA_RISE: happened & onset.isna() & (task.onset_definition == SOFA_RISE),
        NO_ONSET: happened & onset.isna() & (task.horizon is not None),
        ONSET_BEFORE_PREDICTION: happened & (onset <= first),
    }
    return np.select([np.asarray(rule, dtype=bool) for rule in rules.values()], list(rules), default="")


def counted(outcomes: pd.DataFrame, reason: np.ndarray) -> DefinedStays:
    """Returns how many stays with the outcome remain to be predicted; `reason` is that of `why_left_out`."""
    happened = reason[outcomes["outcome"].fillna(False).to_numpy(dtype=bool)]
    before = int(np.sum(happened == ONSET_BEFORE_PREDICTION))
    unknown = int(np.sum(np.isin(happened, (NO_ONSET, NO_SOFA_RISE))))
    remain = int(np.sum(happened == ""))
    return DefinedStays(
        with_the_outcome=len(happened),
        before_prediction=before,
        without_onset=unknown,
        otherwise_left_out=len(happened) - before - unknown - remain,
        to_predict=remain,
    )


def remedy(excluded: pd.DataFrame, task: Task) -> str:
    """Returns what to do if too few patients remain with the outcome, given the stays that were left out."""
    reasons = excluded["reason"].value_counts()
    begun, unknown = int(reasons.get(ONSET_BEFORE_PREDICTION, 0)), int(reasons.get(NO_SOFA_RISE, 0))
    if not begun and not unknown:
        return "add patients, or check the label's codes" if task.label == "icd" else "add patients, or check the label"
    left_out = (
        f"{_stays_in_words(begun)} left out because onset came before the first prediction"
        f" (from {format_duration(task.at)} after admission)" * bool(begun),
        f"{_stays_in_words(unknown)} left out because SOFA did not rise" * bool(unknown),
    )
    earlier = "predict earlier with --at, or every hour with --horizon" if task.horizon is None else "add patients"
    other = ", or choose another onset with --onset" if task.label == "sepsis3" else ""
    return f"{' and '.join(filter(None, left_out))}; {earlier}{other}"


def _stays_in_words(number: int) -> str:
    """Returns `1 stay was` or `57 stays were`."""
    return "1 stay was" if number == 1 else f"{number:,} stays were"


def leave_out_too_little_data(cohort: TrainingCohort, used: set[str]) -> TrainingCohort:
    """Moves stays of which no prediction has the condition's minimum data to the excluded ones."""
    enough = cohort.stays["stay_id"].isin(used).to_numpy()
    rest = _excluded(cohort.stays, np.where(enough, "", BELOW_MINIMUM_DATA))
    excluded = pd.concat([cohort.excluded, rest], ignore_index=True)
    return cohort._replace(stays=cohort.stays[enough].reset_index(drop=True), excluded=excluded)


def _excluded(stays: pd.DataFrame, reason: np.ndarray) -> pd.DataFrame:
    left_out = stays.assign(reason=reason)[reason != ""]
    return left_out[list(EXCLUDED_COLUMNS)].reset_index(drop=True).astype(EXCLUDED_COLUMNS)
