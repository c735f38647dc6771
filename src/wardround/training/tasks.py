"""What is predicted, and when: finds the prediction times of stays and the outcomes at each. No clock.

Two tasks, whose predictions are spread over a stay as a screening spreads them. *daily*: one prediction a day, of the
stay's outcome. A nightly screening meets each stay at another hour since admission, so the first prediction is at an
hour drawn for the stay within a day from `at`. *hourly*: a prediction at every full hour, of whether onset occurs
within the horizon. Both predict at all times at risk: before onset, and while the stay continues.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.core.microseconds import PER_HOUR
from wardround.core.stays import OF_STAY, completed_years
from wardround.errors import TrainingError
from wardround.evaluation.results import Task
from wardround.features.windows import merged
from wardround.results.training_hours import TrainingHours
from wardround.spec.conditions import Label
from wardround.training.labels import RULES, TIMED_RULES, onset_definition

HOUR: Final = pd.Timedelta(hours=1)
_FIRST_HOUR: Final = timedelta(hours=1)

# What every row of a training table says about its stay, besides the outcome; filled by `rows_of`.
ROW_COLUMNS: Final = (
    "stay_id", "patient_id", "as_of", "outcome", "matched", "hour", "onset", "unit", "race", "anchor_year_group",
    "sex_group", "age_band",
)  # fmt: skip
_AGE_BANDS: Final = {"18-44": 18, "45-64": 45, "65-79": 65, "80+": 80}
# A model is asked about hours that at least so many patients, and this share of them, reach in its training data.
_FEWEST_PATIENTS: Final = 10
_SHARE_OF_PATIENTS: Final = 0.01


def task_of(label: Label, at: timedelta, horizon: timedelta | None) -> Task:
    """Returns the task of a request. Raises TrainingError for an hourly task whose label has no onset."""
    if horizon is not None and label.rule not in TIMED_RULES:
        timed = ", ".join(rule for rule in RULES if rule in TIMED_RULES)
        raise TrainingError(
            f"--horizon: the label {label.rule} does not say when the outcome began, expected a label with an onset"
            f" ({timed}); name one with --label, or leave --horizon out"
        )
    return Task(
        task="daily" if horizon is None else "hourly",
        at=at if horizon is None else _FIRST_HOUR,
        horizon=horizon,
        hours_per_row=24 if horizon is None else 1,
        label=label.rule,
        onset_definition=onset_definition(label),
        suspicion=label.suspicion,
    )


def first_hours(stays: pd.DataFrame, task: Task, seed: int) -> np.ndarray:
    """Returns the hour of each stay's first prediction since admission: `task.at`, or a daily task's drawn hour.

    The draw is uniform over the 24 full hours from `task.at` on, and depends only on the seed and the ids of the stay.
    """
    return np.asarray(task.at / HOUR + np.floor(_fractions(stays, seed, "first") * task.hours_per_row))


class Followed(NamedTuple):
    """For each stay, hours since admission: those of its last prediction, and of its last one in the matched design;
    and the hours that a model trained on these stays covers."""

    last_hour: np.ndarray
    matched_until: np.ndarray
    covered: TrainingHours


def followed(stays: pd.DataFrame, task: Task, seed: int) -> Followed:
    """Returns how long stays are followed: as long as they are at risk, before onset and while the stay continues.

    No further than to the last hour that enough patients reach (10, and 1 % of them), because a model is neither
    fitted nor judged where there is nearly nobody, and is not asked there either.

    In the *matched* design of an hourly task, a stay without the outcome is followed only until an hour drawn from the
    onset hours of those with it, so that both are compared at the same hours of a stay. That takes the time since
    admission out of the comparison, and leaves fewer rows. It is no sample of the hours that a screening scores:
    figures on it say how well stays are told apart at equal hours, and not what happens in a unit.

    Args:
        stays: stay_id, patient_id, intime, outtime, outcome, onset, first_hour of the stays that a model may learn
            from; each is at risk at its first hour.
        task: the task.
        seed: decides the draws.
    """
    onsets, first = hours_of(stays, stays["onset"]), stays["first_hour"].to_numpy(dtype=float)
    case = stays["outcome"].to_numpy(dtype=bool) & ~np.isnan(onsets)
    ends = np.fmin(np.where(case, onsets, np.inf), hours_of(stays, stays["outtime"]))
    last = _last_before(ends, first, task)
    until = _reached_by_enough(last, stays["patient_id"], task)
    last = np.minimum(last, first + task.hours_per_row * np.floor((until - first) / task.hours_per_row))
    matched = last
    if task.horizon is not None:
        drawn = _drawn(stays, np.sort(onsets[case]), seed)
        matched = np.where(case, last, np.minimum(last, _last_before(drawn, first, task)))
    return Followed(last, matched, TrainingHours(first=task.at, last=timedelta(hours=until)))


def _last_before(ends: np.ndarray, first: np.ndarray, task: Task) -> np.ndarray:
    """Returns the hour of each stay's last prediction before its end; less than its first hour if it has none."""
    return np.asarray(first + task.hours_per_row * (np.ceil((ends - first) / task.hours_per_row) - 1))


def _reached_by_enough(last: np.ndarray, patients: pd.Series, task: Task) -> float:
    """Returns the last hour of prediction that enough patients reach, but at least the first step.

    Of fewer than ten patients no model is trained; then it is the last hour that anybody reaches.
    """
    reached = np.sort(pd.Series(last).groupby(patients.to_numpy()).max().to_numpy())[::-1]
    enough = max(_FEWEST_PATIENTS, int(np.ceil(_SHARE_OF_PATIENTS * len(reached))))
    found = reached[enough - 1] if len(reached) >= enough else reached.max(initial=0)
    return float(max(found, task.at / HOUR + task.hours_per_row))


def hours_of(stays: pd.DataFrame, times: pd.Series) -> np.ndarray:
    """Returns the hours from each stay's admission to a time; NaN if there is no time."""
    return ((times - stays["intime"]) / HOUR).to_numpy(dtype=float)


def predictions_of(stays: pd.DataFrame, task: Task) -> np.ndarray:
    """Returns the number of predictions of each stay."""
    steps = (stays["last_hour"] - stays["first_hour"]).to_numpy(dtype=float) / task.hours_per_row
    return np.asarray(np.floor(steps + 1e-9).astype(int) + 1)


def spans_of(stays: pd.DataFrame, window: timedelta) -> pd.DataFrame:
    """Returns the spans of time that the predictions' windows cover, for each patient: patient_id, start, stop."""
    start = stays["intime"] + pd.to_timedelta(stays["first_hour"], unit="h") - window
    stop = stays["intime"] + pd.to_timedelta(stays["last_hour"], unit="h")
    return merged(pd.DataFrame({"patient_id": stays["patient_id"], "start": start, "stop": stop}))


def rows_of(stays: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Returns the predictions of each stay: ROW_COLUMNS and OF_STAY, ordered by patient, stay and time.

    Args:
        stays: STAY_COLUMNS, race, anchor_year_group, outcome, onset, first_hour, last_hour and matched_until (see
            `followed`).
        task: the task; the outcome of an hourly row is whether onset lies in (as_of, as_of + horizon].
    """
    ordered = stays.sort_values(["patient_id", "intime", "stay_id"])
    predictions = predictions_of(ordered, task)
    rows = ordered.loc[ordered.index.repeat(predictions)]
    number = np.arange(len(rows)) - np.repeat(np.cumsum(predictions) - predictions, predictions)
    hour = rows["first_hour"].to_numpy(dtype=float) + number * task.hours_per_row
    # To the microsecond, as all columns of times: a fraction of an hour would otherwise make nanoseconds of them.
    since = pd.to_timedelta(np.round(hour * PER_HOUR).astype(np.int64), unit="us").as_unit("us")
    as_of = rows["intime"].array + since
    rows = rows.assign(as_of=as_of, hour=hour, matched=hour <= rows["matched_until"].to_numpy(dtype=float))
    groups = {"sex_group": _sex_group(rows["sex"]), "age_band": _age_band(rows)}
    rows = rows.assign(outcome=_outcome(rows, task), **groups)
    return rows[[*ROW_COLUMNS, *OF_STAY]].reset_index(drop=True)


def _drawn(stays: pd.DataFrame, hours: np.ndarray, seed: int) -> np.ndarray:
    if not len(hours):
        return np.full(len(stays), np.inf)
    return np.asarray(hours[(_fractions(stays, seed) * len(hours)).astype(int)])


def _fractions(stays: pd.DataFrame, seed: int, *what: str) -> np.ndarray:
    """Returns a number from 0 to below 1 for each stay, which depends only on the seed, `what` and the stay's ids."""
    ids = zip(stays["patient_id"], stays["stay_id"], strict=True)
    keys = ("/".join((str(seed), *what, patient, stay)) for patient, stay in ids)
    return np.array([int.from_bytes(sha256(key.encode()).digest()[:6]) / 2**48 for key in keys])


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
