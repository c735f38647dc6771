"""Computes the metrics and the whole evaluation of the test set."""

from datetime import timedelta
from typing import Final, NamedTuple

import pandas as pd

from wardround.evaluation.alert_episodes import alert_episodes
from wardround.evaluation.alerts import in_100_patient_days
from wardround.evaluation.band_shares import band_shares
from wardround.evaluation.calibration import CALIBRATION
from wardround.evaluation.curves import calibration_bins, curves_of, decision_curve
from wardround.evaluation.definitions import by_definition
from wardround.evaluation.leads import lead_time
from wardround.evaluation.measures import FLAGGED, METRICS
from wardround.evaluation.metrics import Metric, measure_with_intervals
from wardround.evaluation.results import (
    CalibrationOnTest,
    Definition,
    Design,
    Evaluation,
    Importance,
    MatchedHours,
    Policy,
    Task,
)
from wardround.evaluation.samples import Sample
from wardround.evaluation.subgroups import subgroups_of
from wardround.evaluation.tallies import Scores

_HIGH: Final = "high"
_MEASURES: Final = {**METRICS, **CALIBRATION, _HIGH: FLAGGED}


class Measured(NamedTuple):
    """The headline metrics, and the evaluation."""

    metrics: dict[str, Metric]
    evaluation: Evaluation


class AboutModel(NamedTuple):
    """What an evaluation contains about the model besides its scores.

    `definitions` are those of the label's onset, and `outcomes` those of each stay by them (see `by_definition`); both
    are empty for a label with one definition. `lock_out` is the condition's. `moderate` is where the moderate band
    starts.
    """

    task: Task
    policy: Policy
    importance: Importance
    design: Design
    lock_out: timedelta
    moderate: float
    definitions: tuple[Definition, ...] = ()
    outcomes: pd.DataFrame = pd.DataFrame()


def measured(rows: pd.DataFrame, scores: Scores, sample: Sample, about: AboutModel) -> Measured:
    """Measures everything on the test set.

    Args:
        rows: `training.tasks.ROW_COLUMNS` of all times at risk, at least one row.
        scores: calibrated score of each row, and the threshold of the high band.
        sample: the rows' patients.
        about: what the evaluation contains unchanged, and what it needs besides the rows.
    """
    placed = rows.reset_index(drop=True)
    outcome = placed["outcome"].to_numpy(dtype=int)
    found = measure_with_intervals(outcome, *scores, sample, _MEASURES)
    evaluation = Evaluation(
        policy=about.policy,
        calibration=CalibrationOnTest(
            slope=found["slope"],
            intercept=found["intercept"],
            brier=found["brier"],
            bins=calibration_bins(outcome, scores.score, placed["patient_id"]),
        ),
        curves=curves_of(outcome, scores.score),
        decision_curve=decision_curve(outcome, scores.score),
        alerts_per_100_patient_days=in_100_patient_days(found[_HIGH], about.task.hours_per_row),
        bands=band_shares(outcome, scores, about.moderate, sample),
        lead_time=lead_time(placed, *scores),
        subgroups=subgroups_of(placed, scores, sample),
        importance=about.importance,
        definitions=by_definition(placed, scores, sample, about.outcomes, about.definitions, about.task),
        design=about.design,
        matched_hours=_on_matched_hours(placed, scores, sample) if about.task.horizon is not None else None,
        episodes=alert_episodes(placed, scores, sample, about.task, about.lock_out),
    )
    return Measured({name: found[name] for name in METRICS}, evaluation)


def _on_matched_hours(rows: pd.DataFrame, scores: Scores, sample: Sample) -> MatchedHours:
    """Returns what the figures would be if only matched hours were judged (see `training.tasks.followed`)."""
    mine = rows["matched"].to_numpy(dtype=bool)
    outcome = rows["outcome"].to_numpy(dtype=int)[mine]
    metrics = measure_with_intervals(outcome, scores.score[mine], scores.threshold, sample.take(mine))
    return MatchedHours(rows=len(outcome), positives=int(outcome.sum()), metrics=metrics)
