"""Counts alerts as people would get them: with the lock-out of the alert policy that every door uses."""

from datetime import timedelta

import numpy as np
import pandas as pd

from wardround.evaluation.alerts import Alerts, in_100_patient_days
from wardround.evaluation.intervals import Interval, share_interval
from wardround.evaluation.metrics import Metric, share_of
from wardround.evaluation.results import AlertEpisodes, Task
from wardround.evaluation.samples import Drawn, Sample
from wardround.evaluation.tallies import Scores


def alert_episodes(
    rows: pd.DataFrame, scores: Scores, sample: Sample, task: Task, lock_out: timedelta
) -> AlertEpisodes:
    """Returns what people would be told of the rows, if they are told of scores in the high band.

    Args:
        rows: stay_id, patient_id, as_of and outcome of all times at risk.
        scores: score of each row, and the threshold of the high band.
        sample: the rows' patients.
        task: says how many hours a row stands for.
        lock_out: the condition's.
    """
    high = scores.score >= scores.threshold
    raised = Alerts.of(rows, lock_out, task.hours_per_row).raised(high)
    flagged = rows.assign(raised=raised)[high].sort_values(
        ["stay_id", "as_of", "raised"], ascending=[True, True, False]
    )
    # Every flagged row belongs to the alert before it, which is the stay's own: a stay's first flagged row raises one.
    alerts = (
        flagged.assign(alert=flagged["raised"].cumsum())
        .groupby("alert")
        .agg(stay_id=("stay_id", "first"), outcome=("outcome", "max"))
    )
    counts, drawn = _per_patient(rows, alerts, sample, lock_out), sample.drawn
    sums = {name: float(each.sum()) for name, each in counts.items()}
    return AlertEpisodes(
        lock_out=lock_out,
        alerts=int(sums["alerts"]),
        true_alerts=int(sums["true_alerts"]),
        stays=int(sums["stays"]),
        stays_with_outcome=int(sums["with_outcome"]),
        stays_alerted=int(sums["alerted"]),
        # An alert is raised by a row, so alerts are a share of the rows; the lock-out bounds how many can raise one.
        alerts_per_100_patient_days=in_100_patient_days(
            share_of(counts["alerts"], counts["rows"], drawn, "no stay", counts["most_alerts"]), task.hours_per_row
        ),
        alerts_per_true_alert=_per_hit(counts["true_alerts"], counts["alerts"], drawn, "no alert was true"),
        share_alerted=share_of(counts["alerted"], counts["with_outcome"], drawn, "no stay with the outcome"),
        share_false_alarm=share_of(
            counts["false_alarm"], counts["without_outcome"], drawn, "no stay without the outcome"
        ),
    )


def _per_hit(hits: np.ndarray, rows: np.ndarray, drawn: Drawn, reason: str) -> Metric:
    """Returns sum(rows) / sum(hits), which falls as the share of hits rises; without hits it has no value."""
    if not hits.sum():
        return Metric(value=None, reason=reason)
    return Metric(value=rows.sum() / hits.sum(), **_turned(share_interval(hits, rows, drawn))._asdict())


def _turned(share: Interval) -> Interval:
    """Returns the interval of the inverse of a share that is above 0, and so is its interval."""
    if share.low is None or share.high is None:
        return share
    return Interval(1 / share.high, 1 / share.low)


def _per_patient(
    rows: pd.DataFrame, alerts: pd.DataFrame, sample: Sample, lock_out: timedelta
) -> dict[str, np.ndarray]:
    """Returns each of the counts, by the sample's number of the patient."""
    stays = rows.assign(number=sample.number).groupby("stay_id", sort=True)
    has_it = stays["outcome"].max().to_numpy(dtype=int)
    count = stays.size().to_numpy()
    of_stay = alerts.groupby("stay_id")["outcome"].agg(["size", "sum"]).reindex(stays.size().index, fill_value=0)
    raised, true = (of_stay[name].to_numpy(dtype=int) for name in ("size", "sum"))
    counts = {
        "rows": count,
        "most_alerts": _most_alerts(count, (stays["as_of"].max() - stays["as_of"].min()).to_numpy(), lock_out),
        "alerts": raised,
        "true_alerts": true,
        "stays": np.ones(len(count)),
        "with_outcome": has_it,
        "without_outcome": 1 - has_it,
        "alerted": (true > 0) & (has_it > 0),
        "false_alarm": (raised > 0) & (has_it == 0),
    }
    patients = stays["number"].first().to_numpy()
    return {name: np.bincount(patients, weights=each) for name, each in counts.items()}


def _most_alerts(rows: np.ndarray, span: np.ndarray, lock_out: timedelta) -> np.ndarray:
    """Returns how many alerts each stay could have had, if every row were flagged.

    Args:
        rows: rows of each stay.
        span: time from its first row to its last.
        lock_out: the condition's.
    """
    if not lock_out:
        return rows
    return np.minimum(rows, 1 + span // np.timedelta64(lock_out))
