"""Chooses the threshold of the high band by the condition's policy, from out-of-fold scores of training patients."""

from typing import Final

import numpy as np

from wardround.evaluation.results import Policy
from wardround.evaluation.tallies import Scores, Steps, Tally
from wardround.spec.conditions import Bands

HOURS_IN_100_DAYS: Final = 2400.0


def alerts_per_100_patient_days(flagged_share: float, hours_per_row: float) -> float:
    """Returns flagged predictions per 100 days of care, where each prediction stands for `hours_per_row` hours."""
    return flagged_share * HOURS_IN_100_DAYS / hours_per_row


def choose_threshold(
    outcome: np.ndarray, score: np.ndarray, bands: Bands, hours_per_row: float
) -> tuple[float, Policy]:
    """Returns the threshold, which is above 0 and one of the scores, and what the policy reached with it.

    Args:
        outcome: outcome of each row, 0 or 1, at least one of them 1.
        score: probability of each row, at least one of them above 0.
        bands: the policy and its target.
        hours_per_row: hours of care that a row stands for.
    """
    tally = Steps.of(outcome, Scores(score, 0.0)).tally()
    reached = _reached(tally, bands, hours_per_row)
    usable = int((tally.score > 0).sum())
    place, reason = _place(reached[:usable], bands)
    policy = Policy(name=bands.policy, target=bands.target, reached=float(reached[place]), reason=reason)
    return float(tally.score[place]), policy


def _reached(tally: Tally, bands: Bands, hours_per_row: float) -> np.ndarray:
    """Returns the policy's figure with the threshold at each step."""
    found, wrong = np.cumsum(tally.positives), np.cumsum(tally.negatives)
    match bands.policy:
        case "f1":
            return np.asarray(2 * found / (found + wrong + found[-1]))
        case "sensitivity":
            return np.asarray(found / found[-1])
        case "alert_budget":
            return np.asarray((found + wrong) / (found[-1] + wrong[-1]) * HOURS_IN_100_DAYS / hours_per_row)


def _place(reached: np.ndarray, bands: Bands) -> tuple[int, str | None]:
    """Returns the step of the threshold (of equally good ones, the highest), and why it misses the target, if so."""
    target = bands.target
    if target is None:
        return int(np.argmax(reached)), None
    if bands.policy == "sensitivity":
        enough = np.flatnonzero(reached >= target)
        return (int(enough[0]), None) if len(enough) else (len(reached) - 1, "the rest of the outcomes score 0")
    within = np.flatnonzero(reached <= target)
    return (int(within[-1]), None) if len(within) else (0, "the highest score alone exceeds the budget")
