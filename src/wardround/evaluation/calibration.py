"""Calibrates a candidate's scores, and measures how well calibrated they are."""

from typing import Final, NamedTuple

import numpy as np

from wardround.candidates.base import probability
from wardround.evaluation.intervals import Estimate, Interval
from wardround.evaluation.measures import (
    NEGATIVES,
    POSITIVES,
    Measure,
    Need,
    PatientRows,
    Smooth,
    estimated_mean,
    smooth_apart,
)
from wardround.evaluation.results import Calibration
from wardround.evaluation.tallies import Tally

# A forest may score exactly 0 or 1, whose log-odds would be infinite.
_CERTAIN: Final = 1e-6
_ITERATIONS: Final = 50
_CONVERGED: Final = 1e-10
# A steeper slope means that the outcome is separated from its absence: the regression has no solution.
_STEEPEST: Final = 100.0
# If the last step is longer than this, there is no solution either.
_SETTLED: Final = 1e-6
# All rows score the same, or nearly all are certain: nothing determines a slope.
_SINGULAR: Final = 1e-12


def log_odds(score: np.ndarray) -> np.ndarray:
    """Returns the log-odds of probabilities, clipped to within 1e-6 of 0 and 1."""
    held = np.minimum(np.maximum(score, _CERTAIN), 1 - _CERTAIN)
    return np.asarray(np.log(held) - np.log1p(-held))


def calibrated(score: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Returns each score's calibrated probability. It does not depend on other rows, and the order of scores stays."""
    if calibration.method == "none":
        return score
    return probability(calibration.intercept + calibration.slope * log_odds(score))


def fit_platt(outcome: np.ndarray, score: np.ndarray, folds: np.ndarray) -> Calibration:
    """Fits a logistic regression of the outcome on the log-odds of out-of-fold scores (Platt 1999).

    Platt's targets (a little below 1, a little above 0) keep the fit finite if the scores separate the outcomes.

    The slope is that within folds. Each fold is scored by a model of its own, and one that was fitted without many of
    the patients with the outcome scores too low just where there are many. Pooled scores therefore rank worse than
    each model does (Parker, Guenter & Bedo 2007), and a slope across folds would be too flat. The intercept is of all
    rows together, so that the mean score is the share with the outcome.

    Args:
        outcome: outcome of each row, 0 or 1.
        score: out-of-fold score of each row.
        folds: fold of each row.
    """
    steps, positives = log_odds(score), float(outcome.sum())
    high, low = (positives + 1) / (positives + 2), 1 / (len(outcome) - positives + 2)
    targets, ones = np.where(outcome == 1, high, low), np.ones(len(outcome))
    _, slope = _regression(steps, targets, ones, np.unique(folds, return_inverse=True)[1])
    if not slope > 0:
        return Calibration(reason="out-of-fold scores do not rise with the outcome")
    return Calibration(method="platt", slope=slope, intercept=_shift(slope * steps, targets, ones))


def _slope(tally: Tally) -> float:
    return _regression(log_odds(tally.score), tally.positives, tally.positives + tally.negatives)[1]


def _slope_moved(tally: Tally) -> np.ndarray:
    """Returns each row's part in the slope: the inverse information times the row's score function."""
    steps, rows = log_odds(tally.score), tally.positives + tally.negatives
    intercepts, slope = _regression(steps, tally.positives, rows)
    expected = probability(intercepts[0] + slope * steps)
    weight = rows * expected * (1 - expected)
    w, wx, wxx = weight.sum(), weight @ steps, weight @ steps**2
    return _missed(expected) * ((w * steps - wx) / (w * wxx - wx**2))[:, None]


class Intercept(NamedTuple):
    """The intercept with the slope fixed at 1, which rises with the share of rows with the outcome.

    Its interval is that of this share, as certain as what is left of the outcome once the scores are known.
    """

    needs: tuple[Need, ...] = (POSITIVES, NEGATIVES)

    def figure(self, tally: Tally) -> float:
        return _shift(log_odds(tally.score), tally.positives, tally.positives + tally.negatives)

    def moved(self, tally: Tally) -> np.ndarray:
        """Returns how far one more row moves the intercept (steps x 2)."""
        expected = probability(self.figure(tally) + log_odds(tally.score))
        information = (tally.positives + tally.negatives) @ (expected * (1 - expected))
        return _missed(expected) / information

    def estimate(self, value: float, rows: PatientRows) -> Estimate:
        tally, moved = rows.tally, self.moved(rows.tally)
        steps, of_steps = log_odds(tally.score), tally.positives + tally.negatives
        # A row that has the outcome instead of none moves the intercept by so much, whatever its score.
        rises = float((moved[0, 1] - moved[0, 0]) * of_steps.sum())
        share, drawn = tally.all_positives / float(of_steps.sum()), rows.drawn._replace(alike=True)
        # What the scores expect of a patient is not bounded by the horizon, so it may be all of his rows that miss.
        found = estimated_mean(share, moved / rises, rows, drawn, rows.counted)
        interval = found.interval.shown(lambda each: _shift(steps, each * of_steps, of_steps))
        return found._replace(value=value, interval=interval, parts=found.parts * rises)

    def apart(self, first: Estimate, second: Estimate, rows: PatientRows) -> Interval:
        return smooth_apart(first, second, rows)


def _missed(expected: np.ndarray) -> np.ndarray:
    """Returns the outcome less what is expected of it, of a row of each step (steps x 2)."""
    return np.stack([-expected, 1 - expected], axis=1)


CALIBRATION: Final[dict[str, Measure]] = {
    "slope": Smooth(_slope, _slope_moved, (POSITIVES, NEGATIVES)),
    "intercept": Intercept(),
}
"""From a logistic regression of the outcome on the log-odds of the score; the intercept with the slope fixed at 1."""


def _shift(log_odds: np.ndarray, hits: np.ndarray, rows: np.ndarray) -> float:
    """Returns what to add to log-odds, so that as many hits are expected as there are (both by step).

    By Newton's method; the sum is monotone, so it converges.
    """
    shift = 0.0
    for _ in range(_ITERATIONS):
        expected = probability(shift + log_odds)
        surplus = hits.sum() - rows @ expected
        move = np.clip(surplus / (rows @ (expected * (1 - expected))), -2, 2)
        shift += float(move)
        if abs(move) < _CONVERGED:
            break
    return shift


def _regression(
    log_odds: np.ndarray, hits: np.ndarray, rows: np.ndarray, groups: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Returns the intercept of each group and their common slope, by Newton's method; NaN if outcomes are separated.

    Args:
        log_odds: log-odds of each step.
        hits: rows with the outcome of each step (or Platt's targets, summed).
        rows: all rows of each step.
        groups: number of each step's group, from 0; None for one group.
    """
    group = np.zeros(len(log_odds), dtype=int) if groups is None else groups
    none = np.full(group.max() + 1, np.nan)

    def summed(of_steps: np.ndarray) -> np.ndarray:
        return np.bincount(group, weights=of_steps)

    # From a slope of 0, the steps stay short of the solution; from 1, they can overshoot and oscillate for ever.
    intercepts, slope, moves = np.zeros(len(none)), 0.0, np.full(len(none) + 1, np.inf)
    for _ in range(_ITERATIONS):
        expected = probability(intercepts[group] + slope * log_odds)
        weight, surplus = rows * expected * (1 - expected), hits - rows * expected
        w, wx, missing = summed(weight), summed(weight * log_odds), summed(surplus)
        if not w.min() > 0:
            return none, np.nan
        mean = wx / w
        squares = weight @ log_odds**2
        within = squares - wx @ mean  # the information on the slope, once the intercepts are known
        if not within * w.sum() > _SINGULAR * max(squares * w.sum(), 1.0):
            return none, np.nan
        steeper = (surplus @ log_odds - mean @ missing) / within
        moves = np.clip(np.append(missing / w - mean * steeper, steeper), -2, 2)
        intercepts, slope = intercepts + moves[:-1], slope + float(moves[-1])
        if np.abs(moves).max() < _CONVERGED:
            break
    if not np.abs(moves).max() < _SETTLED or abs(slope) >= _STEEPEST:
        return none, np.nan
    return intercepts, slope
