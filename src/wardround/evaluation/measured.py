"""Computes the metrics and the whole evaluation of the test set."""

from typing import Final, NamedTuple

import pandas as pd

from wardround.evaluation.calibration import CALIBRATION
from wardround.evaluation.curves import calibration_bins, curves_of, decision_curve
from wardround.evaluation.leads import lead_time
from wardround.evaluation.metrics import METRICS, Measure, Metric, flagged_share, measure_with_intervals
from wardround.evaluation.other_onset import other_onset
from wardround.evaluation.results import CalibrationOnTest, Evaluation, Importance, Policy, Task
from wardround.evaluation.subgroups import subgroups_of
from wardround.evaluation.tallies import Scores
from wardround.evaluation.threshold import alerts_per_100_patient_days

_ALERTS: Final = "alerts"
_MEASURES: Final = {**METRICS, **CALIBRATION, _ALERTS: Measure(flagged_share, ())}


class Measured(NamedTuple):
    """The headline metrics, and the evaluation."""

    metrics: dict[str, Metric]
    evaluation: Evaluation


class AboutModel(NamedTuple):
    """What an evaluation contains about the model besides its scores.

    `onsets` has both times of Sepsis-3 (see `other_onset`), or is None.
    """

    task: Task
    policy: Policy
    importance: Importance
    onsets: pd.DataFrame | None


def measured(rows: pd.DataFrame, scores: Scores, about: AboutModel, seed: int) -> Measured:
    """Measures everything on the test set.

    Args:
        rows: `training.tasks.ROW_COLUMNS`, at least one row.
        scores: calibrated score of each row, and the threshold of the high band.
        about: what the evaluation contains unchanged, and what it needs besides the rows.
        seed: decides the resamples of patients.
    """
    placed = rows.reset_index(drop=True)
    outcome, patients = placed["outcome"].to_numpy(dtype=int), placed["patient_id"]
    found = measure_with_intervals(outcome, *scores, patients, seed, _MEASURES)
    evaluation = Evaluation(
        policy=about.policy,
        calibration=CalibrationOnTest(
            slope=found["slope"],
            intercept=found["intercept"],
            brier=found["brier"],
            bins=calibration_bins(outcome, scores.score, patients),
        ),
        curves=curves_of(outcome, scores.score),
        decision_curve=decision_curve(outcome, scores.score),
        alerts_per_100_patient_days=_alerts(found[_ALERTS], about.task),
        lead_time=lead_time(placed, *scores, seed),
        subgroups=subgroups_of(placed, scores, seed),
        importance=about.importance,
        sensitivity_to_onset=other_onset(placed, scores, about.onsets, about.task, seed),
    )
    return Measured({name: found[name] for name in METRICS}, evaluation)


def _alerts(share: Metric, task: Task) -> Metric:
    """Returns the share of rows that are flagged, as alerts per 100 patient-days."""
    figures = {
        name: None if figure is None else alerts_per_100_patient_days(figure, task.hours_per_row)
        for name, figure in (("value", share.value), ("low", share.low), ("high", share.high))
    }
    return Metric(**figures, reason=share.reason)
