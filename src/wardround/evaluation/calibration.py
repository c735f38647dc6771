"""Calibrates a candidate's scores, and measures how well calibrated they are."""

from typing import Final

import numpy as np

from wardround.candidates.base import probability
from wardround.evaluation.metrics import NEGATIVES, POSITIVES, Measure
from wardround.evaluation.results import Calibration
from wardround.evaluation.tallies import Scores, Steps, Tally

# A forest may score exactly 0 or 1, whose log-odds would be infinite.
_CERTAIN: Final = 1e-6
_ITERATIONS: Final = 50
# A steeper slope means that the outcome is separated from its absence: the regression has no solution.
_STEEPEST: Final = 100.0
# If the last step is longer than this, there is no solution either.
_SETTLED: Final = 1e-6


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
    positives, negatives = tally.all_positives[:, None], tally.all_negatives[:, None]
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    hits = tally.positives * high + tally.negatives * low
    intercept, slope = _regression(log_odds(tally.score), hits, tally.positives + tally.negatives)
    if not slope[0] > 0:
        return Calibration(reason="out-of-fold scores do not rise with the outcome")
    return Calibration(method="platt", slope=float(slope[0]), intercept=float(intercept[0]))


def _slope(tally: Tally) -> np.ndarray:
    return _regression(log_odds(tally.score), tally.positives, tally.positives + tally.negatives)[1]


def _intercept(tally: Tally) -> np.ndarray:
    """Returns the intercept with the slope fixed at 1, by Newton's method; the sum is monotone, so it converges."""
    steps, rows = log_odds(tally.score), tally.positives + tally.negatives
    intercept = np.zeros(len(rows))
    for _ in range(_ITERATIONS):
        expected = probability(intercept[:, None] + steps)
        surplus = tally.all_positives - (rows * expected).sum(axis=1)
        curvature = (rows * expected * (1 - expected)).sum(axis=1)
        move = np.clip(_quotient(surplus, curvature), -2, 2)
        intercept += move
        if np.nanmax(np.abs(move), initial=0) < 1e-10:
            break
    return intercept


CALIBRATION: Final = {
    "slope": Measure(_slope, (POSITIVES, NEGATIVES)),
    "intercept": Measure(_intercept, (POSITIVES, NEGATIVES)),
}
"""From a logistic regression of the outcome on the log-odds of the score; the intercept with the slope fixed at 1."""


def _regression(log_odds: np.ndarray, hits: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns intercept and slope per draw, by Newton's method; NaN where the outcomes are separated.

    Args:
        log_odds: log-odds of each step.
        hits: draws x steps: rows with the outcome (or Platt's targets, summed).
        rows: draws x steps: all rows.
    """
    # From a slope of 0, the steps stay short of the solution; from 1, they can overshoot and oscillate for ever.
    intercept, slope = np.zeros(len(hits)), np.zeros(len(hits))
    for _ in range(_ITERATIONS):
        expected = probability(intercept[:, None] + slope[:, None] * log_odds)
        weight = rows * expected * (1 - expected)
        surplus = hits - rows * expected
        first, second = surplus.sum(axis=1), surplus @ log_odds
        w, wx, wxx = weight.sum(axis=1), weight @ log_odds, weight @ log_odds**2
        determinant = w * wxx - wx**2
        to_intercept = np.clip(_quotient(wxx * first - wx * second, determinant), -2, 2)
        to_slope = np.clip(_quotient(w * second - wx * first, determinant), -2, 2)
        intercept, slope = intercept + to_intercept, slope + to_slope
        if np.nanmax(np.abs(np.r_[to_intercept, to_slope]), initial=0) < 1e-10:
            break
    settled = np.abs(np.r_[[to_intercept], [to_slope]]).max(axis=0) < _SETTLED
    undetermined = ~(settled & (np.abs(slope) < _STEEPEST))
    return np.where(undetermined, np.nan, intercept), np.where(undetermined, np.nan, slope)


def _quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 1e-12)
