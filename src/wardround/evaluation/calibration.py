"""Calibrates a candidate's scores, and measures how well calibrated they are."""

from typing import Final

import numpy as np

from wardround.candidates.base import probability
from wardround.evaluation.measures import NEGATIVES, POSITIVES, Smooth
from wardround.evaluation.results import Calibration
from wardround.evaluation.tallies import Scores, Steps, Tally

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
    held = np.clip(score, _CERTAIN, 1 - _CERTAIN)
    return np.asarray(np.log(held) - np.log1p(-held))


def calibrated(score: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Returns each score's calibrated probability. It does not depend on other rows, and the order of scores stays."""
    if calibration.method == "none":
        return score
    return probability(calibration.intercept + calibration.slope * log_odds(score))


def fit_platt(outcome: np.ndarray, score: np.ndarray) -> Calibration:
    """Fits a logistic regression of the outcome on the log-odds of out-of-fold scores (Platt 1999).

    Platt's targets (a little below 1, a little above 0) keep the fit finite if the scores separate the outcomes.
    """
    tally = Steps.of(outcome, Scores(score, 1.0)).tally()
    positives, negatives = tally.all_positives, tally.all_negatives
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    hits = tally.positives * high + tally.negatives * low
    intercept, slope = _regression(log_odds(tally.score), hits, tally.positives + tally.negatives)
    if not slope > 0:
        return Calibration(reason="out-of-fold scores do not rise with the outcome")
    return Calibration(method="platt", slope=slope, intercept=intercept)


def _slope(tally: Tally) -> float:
    return _regression(log_odds(tally.score), tally.positives, tally.positives + tally.negatives)[1]


def _slope_moved(tally: Tally) -> np.ndarray:
    """Returns each row's part in the slope: the inverse information times the row's score function."""
    steps, rows = log_odds(tally.score), tally.positives + tally.negatives
    intercept, slope = _regression(steps, tally.positives, rows)
    expected = probability(intercept + slope * steps)
    weight = rows * expected * (1 - expected)
    w, wx, wxx = weight.sum(), weight @ steps, weight @ steps**2
    return _moved(expected, (w * steps - wx) / (w * wxx - wx**2))


def _intercept(tally: Tally) -> float:
    """Returns the intercept with the slope fixed at 1, by Newton's method; the sum is monotone, so it converges."""
    steps, rows = log_odds(tally.score), tally.positives + tally.negatives
    intercept = 0.0
    for _ in range(_ITERATIONS):
        expected = probability(intercept + steps)
        surplus = tally.all_positives - rows @ expected
        move = np.clip(surplus / (rows @ (expected * (1 - expected))), -2, 2)
        intercept += float(move)
        if abs(move) < _CONVERGED:
            break
    return intercept


def _intercept_moved(tally: Tally) -> np.ndarray:
    expected = probability(_intercept(tally) + log_odds(tally.score))
    weight = (tally.positives + tally.negatives) @ (expected * (1 - expected))
    return _moved(expected, np.full(len(expected), 1 / weight))


def _moved(expected: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    """Returns the parts of a row without and with the outcome. Shape: steps x 2."""
    return np.stack([-expected * leverage, (1 - expected) * leverage], axis=1)


CALIBRATION: Final = {
    "slope": Smooth(_slope, _slope_moved, (POSITIVES, NEGATIVES)),
    "intercept": Smooth(_intercept, _intercept_moved, (POSITIVES, NEGATIVES)),
}
"""From a logistic regression of the outcome on the log-odds of the score; the intercept with the slope fixed at 1."""


def _regression(log_odds: np.ndarray, hits: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """Returns intercept and slope, by Newton's method; NaN if the outcomes are separated.

    Args:
        log_odds: log-odds of each step.
        hits: rows with the outcome of each step (or Platt's targets, summed).
        rows: all rows of each step.
    """
    # From a slope of 0, the steps stay short of the solution; from 1, they can overshoot and oscillate for ever.
    intercept, slope, moves = 0.0, 0.0, np.full(2, np.inf)
    for _ in range(_ITERATIONS):
        expected = probability(intercept + slope * log_odds)
        weight = rows * expected * (1 - expected)
        surplus = hits - rows * expected
        first, second = surplus.sum(), surplus @ log_odds
        w, wx, wxx = weight.sum(), weight @ log_odds, weight @ log_odds**2
        determinant = w * wxx - wx**2
        if not determinant > _SINGULAR:
            return np.nan, np.nan
        moves = np.clip(np.array([wxx * first - wx * second, w * second - wx * first]) / determinant, -2, 2)
        intercept, slope = intercept + float(moves[0]), slope + float(moves[1])
        if np.abs(moves).max() < _CONVERGED:
            break
    if not np.abs(moves).max() < _SETTLED or abs(slope) >= _STEEPEST:
        return np.nan, np.nan
    return intercept, slope
