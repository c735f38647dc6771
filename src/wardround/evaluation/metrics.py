"""Computes metrics with bootstrap intervals. A metric that cannot be computed is None, with a reason."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.evaluation.tallies import MAX_STEPS, RESAMPLES, Scores, Steps, Tally
from wardround.spec.base import SpecModel

_LEVEL: Final = 0.95
# If the metric exists in fewer of the resamples than this share, its interval would describe only the lucky ones.
_DEFINED_SHARE: Final = 0.9


class Metric(SpecModel):
    """A metric with its 95 % interval; None, with the reason, if the data do not define it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


class Need(NamedTuple):
    """What a measure cannot do without: a count per draw, and the reason to give if it is 0."""

    rows: Callable[[Tally], np.ndarray]
    reason: str


class Measure(NamedTuple):
    """A figure of a tally (per draw), and what it needs to exist."""

    figure: Callable[[Tally], np.ndarray]
    needs: tuple[Need, ...]


class Paired(NamedTuple):
    """The same measures of two models, and the first minus the second."""

    first: dict[str, Metric]
    second: dict[str, Metric]
    difference: dict[str, Metric]


_ROWS: Final = Need(lambda tally: tally.all_positives + tally.all_negatives, "no stay")
POSITIVES: Final = Need(lambda tally: tally.all_positives, "no stay with the outcome")
NEGATIVES: Final = Need(lambda tally: tally.all_negatives, "no stay without the outcome")
_ALERTS: Final = Need(lambda tally: tally.true_alerts + tally.false_alerts, "no stay reaches the threshold")


def _auroc(tally: Tally) -> np.ndarray:
    """Returns the area under the receiver operating characteristic; ties count half."""
    below = tally.all_negatives[:, None] - np.cumsum(tally.negatives, axis=1) + tally.negatives / 2
    return (tally.positives * below).sum(axis=1) / (tally.all_positives * tally.all_negatives)


def _auprc(tally: Tally) -> np.ndarray:
    """Returns the average precision: precision at each distinct score, weighted by the recall that it adds."""
    found = np.cumsum(tally.positives, axis=1)
    seen = found + np.cumsum(tally.negatives, axis=1)
    precision = np.divide(found, seen, out=np.zeros_like(seen), where=seen > 0)
    return (tally.positives * precision).sum(axis=1) / tally.all_positives


def _f1(tally: Tally) -> np.ndarray:
    return 2 * tally.true_alerts / (tally.true_alerts + tally.false_alerts + tally.all_positives)


def flagged_share(tally: Tally) -> np.ndarray:
    """Returns the share of rows at or above the threshold."""
    return (tally.true_alerts + tally.false_alerts) / (tally.all_positives + tally.all_negatives)


METRICS: Final[dict[str, Measure]] = {
    "auroc": Measure(_auroc, (POSITIVES, NEGATIVES)),
    "auprc": Measure(_auprc, (POSITIVES,)),
    "f1": Measure(_f1, (POSITIVES,)),
    "sensitivity": Measure(lambda tally: tally.true_alerts / tally.all_positives, (POSITIVES,)),
    "specificity": Measure(lambda tally: 1 - tally.false_alerts / tally.all_negatives, (NEGATIVES,)),
    "ppv": Measure(lambda tally: tally.true_alerts / (tally.true_alerts + tally.false_alerts), (_ALERTS,)),
    "brier": Measure(lambda tally: tally.squared / (tally.all_positives + tally.all_negatives), ()),
    "prevalence": Measure(lambda tally: tally.all_positives / (tally.all_positives + tally.all_negatives), ()),
}
"""Measures by name; brier is the mean squared distance between probability and outcome."""


def measure(outcome: np.ndarray, score: np.ndarray, threshold: float) -> dict[str, Metric]:
    """Returns all METRICS of the rows, without intervals; a row is flagged if its score reaches the threshold."""
    return _points(outcome, Scores(score, threshold), METRICS)


def auroc(outcome: np.ndarray, score: np.ndarray) -> float:
    """Returns the AUROC alone; NaN if it does not exist."""
    value = _points(outcome, Scores(score, 0.0), {"auroc": METRICS["auroc"]})["auroc"].value
    return np.nan if value is None else value


def measure_with_intervals(
    outcome: np.ndarray,
    score: np.ndarray,
    threshold: float,
    patients: pd.Series,
    seed: int,
    measures: Mapping[str, Measure] = METRICS,
) -> dict[str, Metric]:
    """Returns `measures` with percentile intervals of a bootstrap over patients (all rows of a patient together)."""
    scores = Scores(score, threshold)
    points = _points(outcome, scores, measures)
    if not len(outcome):
        return points
    draws = _draws(outcome, scores, patients, seed, measures)
    return {name: with_interval(point, draws[name]) for name, point in points.items()}


def paired_with_intervals(
    outcome: np.ndarray,
    first: Scores,
    second: Scores,
    patients: pd.Series,
    seed: int,
    measures: Mapping[str, Measure] = METRICS,
) -> Paired:
    """Returns `measures` of two models for the same rows, and `first` minus `second`; both get the same draws."""
    ours, theirs = (_points(outcome, scores, measures) for scores in (first, second))
    apart = {name: _difference(ours[name], theirs[name]) for name in measures}
    if not len(outcome):
        return Paired(ours, theirs, apart)
    draws = [_draws(outcome, scores, patients, seed, measures) for scores in (first, second)]
    return Paired(
        {name: with_interval(ours[name], draws[0][name]) for name in measures},
        {name: with_interval(theirs[name], draws[1][name]) for name in measures},
        {name: with_interval(apart[name], draws[0][name] - draws[1][name]) for name in measures},
    )


def with_interval(point: Metric, draws: np.ndarray) -> Metric:
    """Returns the metric with the percentile interval of its draws, which are NaN where they do not define it."""
    if point.value is None:
        return point
    defined = draws[~np.isnan(draws)]
    if len(defined) < _DEFINED_SHARE * len(draws):
        return Metric(value=point.value, reason="no interval: too few resamples define it")
    low, high = np.quantile(defined, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Metric(value=point.value, low=float(low), high=float(high))


def _points(outcome: np.ndarray, scores: Scores, measures: Mapping[str, Measure]) -> dict[str, Metric]:
    if not len(outcome):
        return {name: Metric(value=None, reason="no stay") for name in measures}
    tally = Steps.of(outcome, scores).tally()
    return {name: _point(each, tally) for name, each in measures.items()}


def _point(each: Measure, tally: Tally) -> Metric:
    for need in each.needs:
        if not need.rows(tally)[0]:
            return Metric(value=None, reason=need.reason)
    figure = float(each.figure(tally)[0])
    if np.isnan(figure):
        return Metric(value=None, reason="the stays do not determine it")
    return Metric(value=figure)


def _draws(
    outcome: np.ndarray, scores: Scores, patients: pd.Series, seed: int, measures: Mapping[str, Measure]
) -> dict[str, np.ndarray]:
    """Returns each measure's figure per draw; NaN where a draw does not define it."""
    batches = [
        {name: _figures(each, tally) for name, each in measures.items()}
        for tally in Steps.of(outcome, scores, MAX_STEPS).draws(patients, seed, RESAMPLES)
    ]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in measures}


def _figures(each: Measure, tally: Tally) -> np.ndarray:
    exists = np.all([need.rows(tally) > 0 for need in (_ROWS, *each.needs)], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(exists, each.figure(tally), np.nan)


def _difference(first: Metric, second: Metric) -> Metric:
    if first.value is None or second.value is None:
        return Metric(value=None, reason=first.reason or second.reason)
    return Metric(value=first.value - second.value)
