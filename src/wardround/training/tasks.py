"""What is predicted, and when: finds the prediction times of stays and the outcomes at each. No clock.

Two tasks. *first_day*: one prediction per stay, `at` after admission, of the stay's outcome. *hourly*: a prediction at
every full hour of a stay before onset, of whether onset occurs within the horizon.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Final

import numpy as np
import pandas as pd

from wardround.core.stays import completed_years
from wardround.errors import TrainingError
from wardround.evaluation.results import Task
from wardround.features.windows import merged
from wardround.spec.conditions import Label
from wardround.training.labels import RULES, TIMED_RULES, onset_definition

HOUR: Final = pd.Timedelta(hours=1)
_FIRST_HOUR: Final = timedelta(hours=1)

# What every row of a training table says about its stay, besides the outcome; filled by `rows_of`.
ROW_COLUMNS: Final = (
    "stay_id", "patient_id", "as_of", "outcome", "hour", "onset", "unit", "race", "anchor_year_group", "sex_group",
    "age_band",
)  # fmt: skip
_AGE_BANDS: Final = {"18-44": 18, "45-64": 45, "65-79": 65, "80+": 80}


def task_of(label: Label, at: timedelta, horizon: timedelta | None) -> Task:
    """Returns the task of a request. Raises TrainingError for an hourly task whose label has no onset."""
    if horizon is not None and label.rule not in TIMED_RULES:
        timed = ", ".join(rule for rule in RULES if rule in TIMED_RULES)
        raise TrainingError(
            f"--horizon: the label {label.rule} does not say when the outcome began, expected a label with an onset"
            f" ({timed}); name one with --label, or leave --horizon out"
        )
    first = at if horizon is None else _FIRST_HOUR
    return Task(
        task="first_day" if horizon is None else "hourly",
        at=first,
        horizon=horizon,
        hours_per_row=first / timedelta(hours=1),
        label=label.rule,
        onset_definition=onset_definition(label),
    )


def last_hours(stays: pd.DataFrame, task: Task, seed: int) -> np.ndarray:
    """Returns the hour of each stay's last prediction since admission; less than the hour of `task.at` if it has none.

    In the hourly task, a stay with the outcome is predicted until its onset, and any other stay until an hour drawn
    from those onset hours, so that both are compared at the same hours of a stay: otherwise late hours, which few
    stays reach, would give away who has no onset. The draw depends only on the seed and the ids of the stay.

    Args:
        stays: stay_id, patient_id, intime, outtime, outcome, onset of all stays that a model may learn from.
        task: the task.
        seed: decides the draws.
    """
    if task.horizon is None:
        return np.full(len(stays), task.at / HOUR)
    begins = hours_of(stays, stays["onset"])
    case = stays["outcome"].to_numpy(dtype=bool)
    ends = np.where(case, begins, _drawn(stays, np.sort(begins[case]), seed))
    # The last full hour before both.
    return np.asarray(np.ceil(np.fmin(ends, hours_of(stays, stays["outtime"]))) - 1)


def hours_of(stays: pd.DataFrame, times: pd.Series) -> np.ndarray:
    """Returns the hours from each stay's admission to a time; NaN if there is no time."""
    return ((times - stays["intime"]) / HOUR).to_numpy(dtype=float)


def predictions_of(stays: pd.DataFrame, task: Task) -> np.ndarray:
    """Returns the number of predictions of each stay."""
    return np.asarray((stays["last_hour"] - task.at / HOUR).to_numpy(dtype=float).astype(int) + 1)


def spans_of(stays: pd.DataFrame, task: Task, window: timedelta) -> pd.DataFrame:
    """Returns the spans of time that the predictions' windows cover, for each patient: patient_id, start, stop."""
    start = stays["intime"] + (task.at - window)
    stop = stays["intime"] + pd.to_timedelta(stays["last_hour"], unit="h")
    return merged(pd.DataFrame({"patient_id": stays["patient_id"], "start": start, "stop": stop}))


def rows_of(stays: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Returns the predictions of each stay: ROW_COLUMNS, birth_date and sex, ordered by patient, stay and time.

    Args:
        stays: STAY_COLUMNS, race, anchor_year_group, outcome, onset and last_hour (see `last_hours`).
        task: the task; the outcome of an hourly row is whether onset lies in (as_of, as_of + horizon].
    """
    first = task.at / HOUR
    ordered = stays.sort_values(["patient_id", "intime", "stay_id"])
    predictions = predictions_of(ordered, task)
    rows = ordered.loc[ordered.index.repeat(predictions)]
    number = np.arange(len(rows)) - np.repeat(np.cumsum(predictions) - predictions, predictions)
    as_of = rows["intime"].array + pd.Timedelta(task.at) + number * HOUR
    rows = rows.assign(as_of=as_of, hour=first + number)
    groups = {"sex_group": _sex_group(rows["sex"]), "age_band": _age_band(rows)}
    rows = rows.assign(outcome=_outcome(rows, task), **groups)
    return rows[[*ROW_COLUMNS, "birth_date", "sex"]].reset_index(drop=True)


def _drawn(stays: pd.DataFrame, hours: np.ndarray, seed: int) -> np.ndarray:
    if not len(hours):
        return np.full(len(stays), np.inf)
    keys = (f"{seed}/{patient}/{stay}" for patient, stay in zip(stays["patient_id"], stays["stay_id"], strict=True))
    fractions = np.array([int.from_bytes(sha256(key.encode()).digest()[:6]) / 2**48 for key in keys])
    return np.asarray(hours[(fractions * len(hours)).astype(int)])


def _outcome(rows: pd.DataFrame, task: Task) -> pd.Series:
    if task.horizon is None:
        return rows["outcome"].astype("boolean")
    ahead = rows["onset"] - rows["as_of"]
    return ((ahead > pd.Timedelta(0)) & (ahead <= pd.Timedelta(task.horizon))).astype("boolean")


def _sex_group(sex: pd.Series) -> pd.Series:
    return sex.where(sex.isin(["male", "female"]), "").astype("str")


def _age_band(rows: pd.DataFrame) -> pd.Series:
    """Returns the age band at the prediction, by completed years; empty below the youngest band."""
    age = completed_years(rows["birth_date"], pd.DatetimeIndex(rows["as_of"])).to_numpy()
    place = np.searchsorted(list(_AGE_BANDS.values()), age, side="right")
    return pd.Series(np.array(["", *_AGE_BANDS])[place], index=rows.index, dtype="str")
