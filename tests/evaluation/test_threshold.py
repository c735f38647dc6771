"""The threshold of the high band, by each policy, on scores of training patients."""

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn import metrics as reference

from wardround.evaluation.threshold import choose_threshold
from wardround.spec.conditions import Bands

GENERATOR = np.random.default_rng(7)
OUTCOME = GENERATOR.integers(0, 2, size=200)
SCORE = np.clip(GENERATOR.normal(0.4 + 0.2 * OUTCOME, 0.2), 0, 1).round(2)
F1 = Bands(policy="f1", moderate_at=0.5)


def test_f1_takes_the_score_with_the_best_f1() -> None:
    threshold, policy = choose_threshold(OUTCOME, SCORE, F1, hours_per_row=24)
    tried = {at: reference.f1_score(OUTCOME, at <= SCORE) for at in np.unique(SCORE) if at > 0}
    assert policy.reached == pytest.approx(max(tried.values()))
    assert tried[threshold] == pytest.approx(policy.reached)
    assert (policy.target, policy.reason) == (None, None)


def test_a_score_of_zero_is_never_the_threshold() -> None:
    threshold, _ = choose_threshold(np.array([1, 1, 1, 0]), np.array([0.0, 0.0, 0.0, 0.1]), F1, 24)
    assert threshold == 0.1


@pytest.mark.parametrize("target", [0.5, 0.8, 0.95])
def test_sensitivity_takes_the_highest_score_that_flags_enough(target: float) -> None:
    bands = Bands(policy="sensitivity", sensitivity=target, moderate_at=0.5)
    threshold, policy = choose_threshold(OUTCOME, SCORE, bands, 24)
    assert policy.reached == pytest.approx(reference.recall_score(OUTCOME, threshold <= SCORE))
    assert policy.reached >= target
    assert reference.recall_score(OUTCOME, threshold < SCORE) < target


@pytest.mark.parametrize("hours", [1.0, 24.0])
def test_an_alert_budget_takes_the_lowest_score_within_it(hours: float) -> None:
    bands = Bands(policy="alert_budget", alerts_per_100_patient_days=480 / hours, moderate_at=0.5)
    threshold, policy = choose_threshold(OUTCOME, SCORE, bands, hours)
    lower = SCORE[threshold > SCORE].max()
    assert policy.reached == pytest.approx((threshold <= SCORE).mean() * 2400 / hours)
    assert policy.reached <= 480 / hours < (lower <= SCORE).mean() * 2400 / hours


def test_a_budget_that_no_threshold_meets_is_reported_as_missed() -> None:
    bands = Bands(policy="alert_budget", alerts_per_100_patient_days=1, moderate_at=0.5)
    threshold, policy = choose_threshold(np.array([1, 0, 0, 0]), np.array([0.9, 0.9, 0.2, 0.1]), bands, 24)
    assert (threshold, policy.reached) == (0.9, 50)
    assert policy.reason == "the highest score alone exceeds the budget"


def test_a_budget_that_is_used_up_exactly_is_met() -> None:
    bands = Bands(policy="alert_budget", alerts_per_100_patient_days=50, moderate_at=0.5)
    threshold, policy = choose_threshold(np.array([1, 0, 0, 0]), np.array([0.9, 0.7, 0.2, 0.1]), bands, 24)
    assert (threshold, policy.target, policy.reached, policy.reason) == (0.7, 50, 50, None)


def test_a_sensitivity_out_of_reach_takes_the_lowest_score_above_zero_and_says_so() -> None:
    bands = Bands(policy="sensitivity", sensitivity=0.8, moderate_at=0.5)
    threshold, policy = choose_threshold(np.array([1, 1, 0, 0]), np.array([0.9, 0.0, 0.5, 0.1]), bands, 24)
    assert (threshold, policy.target, policy.reached) == (0.1, 0.8, 0.5)
    assert policy.reason == "the rest of the outcomes score 0"


@pytest.mark.parametrize(
    "wrong",
    [{"policy": "sensitivity"}, {"policy": "f1", "sensitivity": 0.8}, {"policy": "alert_budget", "sensitivity": 1}],
)
def test_a_policy_has_its_own_target_and_no_other(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="no policy takes the key of another"):
        Bands(moderate_at=0.5, **wrong)
