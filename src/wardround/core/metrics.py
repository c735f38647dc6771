"""Outcomes and scores in, metrics with bootstrap intervals out. What cannot be computed is None with a reason."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.spec.base import SpecModel

RESAMPLES: Final = 1000
LEVEL: Final = 0.95
# With fewer resamples than this share in which the metric exists, its interval would describe only the lucky ones.
_DEFINED_SHARE: Final = 0.9


class Metric(SpecModel):
    """A metric with its 95 % interval; None, with the reason, where the data do not define it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


class Scores(NamedTuple):
    """A model's scores of some stays, and the threshold from which it flags one."""

    score: np.ndarray
    threshold: float


@dataclass(frozen=True)
class Ranking:
    """Stays sorted by score, highest first, ready to be weighted again and again.

    Attributes:
        outcome: of each stay, 0 or 1.
        score: of each stay, a probability.
        last_of_tie: the place of the last stay of each distinct score.
        flagged: how many stays reach the threshold.
    """

    outcome: np.ndarray
    score: np.ndarray
    last_of_tie: np.ndarray
    flagged: int


@dataclass(frozen=True)
class Tally:
    """Weights summed: positives and negatives at or above each distinct score, and overall."""

    ranking: Ranking
    weight: np.ndarray
    true_positive: np.ndarray
    false_positive: np.ndarray

    @property
    def positives(self) -> float:
        return float(self.true_positive[-1])

    @property
    def negatives(self) -> float:
        return float(self.false_positive[-1])

    def flagged(self) -> tuple[float, float]:
        """True and false positives at the threshold."""
        weight, outcome = self.weight[: self.ranking.flagged], self.ranking.outcome[: self.ranking.flagged]
        return float((weight * outcome).sum()), float((weight * (1 - outcome)).sum())


class _Undefined(Exception):
    """The metric does not exist for these stays; the message says why."""


def _ratio(part: float, whole: float, reason: str) -> float:
    if whole <= 0:
        raise _Undefined(reason)
    return part / whole


_NO_POSITIVES: Final = "no stay with the outcome"
_NO_NEGATIVES: Final = "no stay without the outcome"


def _auroc(tally: Tally) -> float:
    """Area under the receiver operating characteristic; ties count half."""
    area = np.trapezoid(np.r_[0, tally.true_positive], np.r_[0, tally.false_positive])
    return _ratio(_ratio(float(area), tally.positives, _NO_POSITIVES), tally.negatives, _NO_NEGATIVES)


def _auprc(tally: Tally) -> float:
    """Average precision: precision at each distinct score, weighted by the recall it adds."""
    seen = tally.true_positive + tally.false_positive
    precision = np.divide(tally.true_positive, seen, out=np.zeros_like(seen), where=seen > 0)
    return _ratio(float((np.diff(tally.true_positive, prepend=0.0) * precision).sum()), tally.positives, _NO_POSITIVES)


def _f1(tally: Tally) -> float:
    hit, false_alarm = tally.flagged()
    _ratio(hit, tally.positives, _NO_POSITIVES)
    return 2 * hit / (hit + false_alarm + tally.positives)


def _sensitivity(tally: Tally) -> float:
    return _ratio(tally.flagged()[0], tally.positives, _NO_POSITIVES)


def _specificity(tally: Tally) -> float:
    return _ratio(tally.negatives - tally.flagged()[1], tally.negatives, _NO_NEGATIVES)


def _ppv(tally: Tally) -> float:
    hit, false_alarm = tally.flagged()
    return _ratio(hit, hit + false_alarm, "no stay reaches the threshold")


def _brier(tally: Tally) -> float:
    """Mean squared distance of probability and outcome."""
    squared = (tally.ranking.score - tally.ranking.outcome) ** 2
    return _ratio(float((tally.weight * squared).sum()), float(tally.weight.sum()), "no stay")


def _prevalence(tally: Tally) -> float:
    return _ratio(tally.positives, tally.positives + tally.negatives, "no stay")


METRICS: Final[dict[str, Callable[[Tally], float]]] = {
    "auroc": _auroc,
    "auprc": _auprc,
    "f1": _f1,
    "sensitivity": _sensitivity,
    "specificity": _specificity,
    "ppv": _ppv,
    "brier": _brier,
    "prevalence": _prevalence,
}


def measure(outcome: np.ndarray, score: np.ndarray, threshold: float) -> dict[str, Metric]:
    """All METRICS of stays, without intervals; a stay is flagged if its score reaches the threshold."""
    if not len(outcome):
        return {name: Metric(value=None, reason="no stay") for name in METRICS}
    ranking, _ = _rank(outcome, score, threshold)
    tally = _tally(ranking, np.ones(len(outcome)))
    return {name: _measured(metric, tally) for name, metric in METRICS.items()}


def measure_with_intervals(
    outcome: np.ndarray, score: np.ndarray, threshold: float, patients: pd.Series, seed: int
) -> dict[str, Metric]:
    """All METRICS with percentile intervals of a bootstrap over patients (all stays of a drawn patient together)."""
    points = measure(outcome, score, threshold)
    if not len(outcome):
        return points
    draws = _draws(outcome, Scores(score, threshold), patients, seed)
    return {name: _with_interval(point, draws[name]) for name, point in points.items()}


def differences_with_intervals(
    outcome: np.ndarray, first: Scores, second: Scores, patients: pd.Series, seed: int
) -> dict[str, Metric]:
    """All METRICS of `first` less those of `second` on the same stays; a resample draws the same patients for both."""
    measured = [measure(outcome, *scores) for scores in (first, second)]
    points = {name: _difference(measured[0][name], measured[1][name]) for name in METRICS}
    if not len(outcome):
        return points
    # The seed and the number of patients decide whom a resample draws, and both are the same here.
    ours, theirs = (_draws(outcome, scores, patients, seed) for scores in (first, second))
    return {name: _with_interval(point, ours[name] - theirs[name]) for name, point in points.items()}


def best_f1_threshold(outcome: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """The score above 0 at which flagging gives the highest F1, and that F1; of equals, the highest score."""
    ranking, _ = _rank(outcome, score, threshold=0.0)
    tally = _tally(ranking, np.ones(len(outcome)))
    f1 = 2 * tally.true_positive / (tally.true_positive + tally.false_positive + tally.positives)
    thresholds = ranking.score[ranking.last_of_tie]
    best = int(np.argmax(np.where(thresholds > 0, f1, -1.0)))
    return float(thresholds[best]), float(f1[best])


def _rank(outcome: np.ndarray, score: np.ndarray, threshold: float) -> tuple[Ranking, np.ndarray]:
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last_of_tie = np.flatnonzero(np.r_[np.diff(ranked) != 0, True])
    flagged = int((ranked >= threshold).sum())
    return Ranking(outcome[order].astype(float), ranked, last_of_tie, flagged), order


def _tally(ranking: Ranking, weight: np.ndarray) -> Tally:
    true_positive = np.cumsum(weight * ranking.outcome)[ranking.last_of_tie]
    false_positive = np.cumsum(weight * (1 - ranking.outcome))[ranking.last_of_tie]
    return Tally(ranking, weight, true_positive, false_positive)


def _difference(first: Metric, second: Metric) -> Metric:
    if first.value is None or second.value is None:
        return Metric(value=None, reason=first.reason or second.reason)
    return Metric(value=first.value - second.value)


def _measured(metric: Callable[[Tally], float], tally: Tally) -> Metric:
    try:
        return Metric(value=metric(tally))
    except _Undefined as undefined:
        return Metric(value=None, reason=str(undefined))


def _draws(outcome: np.ndarray, scores: Scores, patients: pd.Series, seed: int) -> dict[str, np.ndarray]:
    ranking, order = _rank(outcome, *scores)
    return _resampled(ranking, pd.factorize(patients, sort=True)[0][order], seed)


def _resampled(ranking: Ranking, patient: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    count = int(patient.max()) + 1
    draws = {name: np.full(RESAMPLES, np.nan) for name in METRICS}
    for resample in range(RESAMPLES):
        times_drawn = np.bincount(generator.integers(count, size=count), minlength=count)
        tally = _tally(ranking, times_drawn[patient].astype(float))
        for name, metric in METRICS.items():
            value = _measured(metric, tally).value
            draws[name][resample] = np.nan if value is None else value
    return draws


def _with_interval(point: Metric, draws: np.ndarray) -> Metric:
    if point.value is None:
        return point
    defined = draws[~np.isnan(draws)]
    if len(defined) < _DEFINED_SHARE * len(draws):
        return Metric(value=point.value, reason="no interval: too few resamples define it")
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Metric(value=point.value, low=float(low), high=float(high))
