"""Counts alerts as people would get them: with the lock-out of the alert policy that every door uses."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from wardround.evaluation.metrics import Metric, with_interval
from wardround.evaluation.results import AlertEpisodes, Task
from wardround.evaluation.tallies import RESAMPLES, Scores, times_drawn
from wardround.evaluation.threshold import HOURS_IN_100_DAYS
from wardround.results.alert_policy import AlertPolicy, Notification, Verdict, verdict
from wardround.results.bands import HIGH

# People are told at the prediction time itself, so nothing is late.
_LATE_AFTER: Final = timedelta(hours=1)
_COUNTS: Final = (
    "hundred_days", "alerts", "true_alerts", "stays", "with_outcome", "without_outcome", "alerted", "false_alarm",
)  # fmt: skip
# Each figure is a quotient of two counts; without the second it has no value, for the reason.
_FIGURES: Final = {
    "alerts_per_100_patient_days": ("alerts", "hundred_days", "no stay"),
    "alerts_per_true_alert": ("alerts", "true_alerts", "no alert was true"),
    "share_alerted": ("alerted", "with_outcome", "no stay with the outcome"),
    "share_false_alarm": ("false_alarm", "without_outcome", "no stay without the outcome"),
}


def alert_episodes(rows: pd.DataFrame, scores: Scores, task: Task, lock_out: timedelta, seed: int) -> AlertEpisodes:
    """Returns what people would be told of the rows, if they are told of scores in the high band.

    Args:
        rows: stay_id, patient_id, as_of and outcome of all times at risk.
        scores: score of each row, and the threshold of the high band.
        task: says how many hours a row stands for.
        lock_out: the condition's.
        seed: decides the resamples of patients.
    """
    policy = AlertPolicy(lock_out=lock_out, late_after=_LATE_AFTER, band=HIGH)
    flagged = rows.assign(score=scores.score)[scores.score >= scores.threshold].sort_values(["stay_id", "as_of"])
    told = _told(flagged, policy)
    # Every flagged row belongs to the alert before it, which is the stay's own: a stay's first flagged row is told.
    alerts = (
        flagged.assign(alert=np.cumsum(told))
        .groupby("alert")
        .agg(stay_id=("stay_id", "first"), outcome=("outcome", "max"))
    )
    counts = _per_patient(rows, alerts, task.hours_per_row / HOURS_IN_100_DAYS)
    sums = dict(zip(_COUNTS, counts.sum(axis=0).tolist(), strict=True))
    drawn = _draws(counts, seed)
    return AlertEpisodes(
        lock_out=lock_out,
        alerts=int(sums["alerts"]),
        true_alerts=int(sums["true_alerts"]),
        stays=int(sums["stays"]),
        stays_with_outcome=int(sums["with_outcome"]),
        stays_alerted=int(sums["alerted"]),
        **{name: _quotient(sums, drawn, *of) for name, of in _FIGURES.items()},
    )


def _quotient(sums: dict[str, float], drawn: dict[str, np.ndarray], part: str, whole: str, reason: str) -> Metric:
    """Returns one count by another, with the interval of their resamples; without the other, none for the reason."""
    if not sums[whole]:
        return Metric(value=None, reason=reason)
    draws = np.full(RESAMPLES, np.nan)
    np.divide(drawn[part], drawn[whole], out=draws, where=drawn[whole] > 0)
    return with_interval(Metric(value=sums[part] / sums[whole]), draws)


def _told(flagged: pd.DataFrame, policy: AlertPolicy) -> np.ndarray:
    """Returns of which rows, ordered by stay and time, people are told."""
    told = np.zeros(len(flagged), dtype=bool)
    last: Notification | None = None
    before = None
    times: list[datetime] = list(flagged["as_of"].dt.to_pydatetime()) if len(flagged) else []
    for place, (stay, as_of, score) in enumerate(zip(flagged["stay_id"], times, flagged["score"], strict=True)):
        last = last if stay == before else None
        before = stay
        if verdict(score, HIGH, as_of, policy, last, as_of) is Verdict.NOTIFY:
            told[place] = True
            last = Notification(as_of, as_of, HIGH)
    return told


def _per_patient(rows: pd.DataFrame, alerts: pd.DataFrame, hundred_days_per_row: float) -> np.ndarray:
    """Returns patients x _COUNTS, ordered by patient."""
    stays = rows.groupby("stay_id", sort=True).agg(
        patient_id=("patient_id", "first"), rows=("outcome", "size"), with_outcome=("outcome", "max")
    )
    mine = alerts.groupby("stay_id")["outcome"].agg(["size", "sum"]).reindex(stays.index, fill_value=0)
    has_it = stays["with_outcome"].to_numpy(dtype=int)
    counts = pd.DataFrame(
        {
            "hundred_days": stays["rows"].to_numpy() * hundred_days_per_row,
            "alerts": mine["size"].to_numpy(dtype=int),
            "true_alerts": mine["sum"].to_numpy(dtype=int),
            "stays": 1,
            "with_outcome": has_it,
            "without_outcome": 1 - has_it,
            "alerted": (mine["sum"].to_numpy(dtype=int) > 0) & (has_it > 0),
            "false_alarm": (mine["size"].to_numpy(dtype=int) > 0) & (has_it == 0),
        }
    )
    return counts[list(_COUNTS)].astype(float).groupby(stays["patient_id"].to_numpy(), sort=True).sum().to_numpy()


def _draws(counts: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Returns the counts in each resample of patients."""
    generator = np.random.default_rng(seed)
    drawn = np.stack([times_drawn(generator, len(counts)) @ counts for _ in range(RESAMPLES)])
    return dict(zip(_COUNTS, drawn.T, strict=True))
