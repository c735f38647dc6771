"""Chooses the threshold of the high band by the condition's policy, from out-of-fold scores of training patients.

A budget limits what people get: alerts with the condition's lock-out, and not predictions in the high band. No policy
puts the threshold below the share of predictions with the outcome: such a score says that a patient is at less risk
than the average of those who are screened, whatever the policy asks for.
"""

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from wardround.evaluation.alerts import Alerts
from wardround.evaluation.results import Policy
from wardround.evaluation.tallies import Scores, Steps, Tally
from wardround.spec.conditions import Bands


class _Place(NamedTuple):
    """How many steps of the score reach the threshold, and why that misses the policy's target, if it does."""

    steps: int
    reason: str | None = None


def choose_threshold(outcome: np.ndarray, score: np.ndarray, bands: Bands, alerts: Alerts) -> tuple[float, Policy]:
    """Returns the threshold, and what the policy reached with it.

    It is one of the scores, above 0 and not below the share of rows with the outcome; if there is none, it is that
    share, and nobody is in the high band.

    Args:
        outcome: outcome of each row, 0 or 1, at least one of them 1.
        score: probability of each row, at least one of them above 0.
        bands: the policy and its target.
        alerts: the same rows.
    """
    tally = Steps.of(outcome, Scores(score, 0.0)).tally()
    prevalence = float(outcome.mean())
    usable = int((tally.score > 0).sum())
    place = _not_below(prevalence, _wanted(tally, score, usable, bands, alerts), tally, bands)
    threshold = float(tally.score[place.steps - 1]) if place.steps else prevalence
    policy = Policy(
        name=bands.policy,
        target=bands.target,
        reached=_reached(tally, score, place.steps, bands, alerts),
        reason=place.reason,
        prevalence=prevalence,
        lock_out=alerts.lock_out if bands.policy == "alert_budget" else None,
    )
    return threshold, policy


def _wanted(tally: Tally, score: np.ndarray, usable: int, bands: Bands, alerts: Alerts) -> _Place:
    """Returns what the policy asks for; of equally good thresholds the highest, unless it has an alert budget."""
    found, wrong = np.cumsum(tally.positives)[:usable], np.cumsum(tally.negatives)[:usable]
    match bands.policy:
        case "f1":
            return _Place(int(np.argmax(found / (found + wrong + tally.all_positives))) + 1)
        case "sensitivity":
            enough = np.flatnonzero(found / tally.all_positives >= float(bands.sensitivity or 0))
            if not len(enough):
                return _Place(usable, "the rest of the outcomes score 0")
            return _Place(int(enough[0]) + 1)
        case "alert_budget":
            budget = float(bands.alerts_per_100_patient_days or 0)
            # There are never fewer alerts at a lower threshold.
            within = bisect_right(
                range(usable), budget, key=lambda step: alerts.per_100_patient_days(score >= tally.score[step])
            )
            return _Place(within) if within else _Place(1, "the highest score alone exceeds the budget")


def _not_below(prevalence: float, wanted: _Place, tally: Tally, bands: Bands) -> _Place:
    """Returns the place, with no step whose score is below the prevalence."""
    allowed = int((tally.score >= prevalence).sum())
    if wanted.steps <= allowed:
        return wanted
    share = f"below {100 * prevalence:.1f} %, the share of these predictions with the outcome"
    match bands.policy:
        case "f1":
            reason = f"the best F1 is at a score {share}"
        case "sensitivity":
            reason = f"more of the outcomes have only scores {share}"
        case "alert_budget":
            reason = f"the rest of the budget would go to scores {share}"
    return _Place(allowed, reason)


def _reached(tally: Tally, score: np.ndarray, steps: int, bands: Bands, alerts: Alerts) -> float:
    """Returns the policy's figure if so many steps reach the threshold."""
    found, wrong = float(tally.positives[:steps].sum()), float(tally.negatives[:steps].sum())
    match bands.policy:
        case "f1":
            return 2 * found / (found + wrong + tally.all_positives)
        case "sensitivity":
            return found / tally.all_positives
        case "alert_budget":
            return alerts.per_100_patient_days(score >= tally.score[steps - 1]) if steps else 0.0
