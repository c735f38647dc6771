"""The threshold of the high band, by each policy, on scores of training patients."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn import metrics as reference

from wardround.evaluation.alerts import Alerts
from wardround.evaluation.results import Policy
from wardround.evaluation.threshold import choose_threshold
from wardround.spec.conditions import Bands

GENERATOR = np.random.default_rng(7)
OUTCOME = GENERATOR.integers(0, 2, size=200)
SCORE = np.clip(GENERATOR.normal(0.4 + 0.2 * OUTCOME, 0.2), 0, 1).round(2)
# With others, so that the share with the outcome is below these scores.
RARE, RARE_SCORE = np.concatenate([OUTCOME, np.zeros(1800, dtype=int)]), np.concatenate([SCORE, np.zeros(1800)])
F1 = Bands(policy="f1", moderate_at=0.5)
HALF_A_DAY = timedelta(hours=12)


def daily(rows: int, lock_out: timedelta = HALF_A_DAY) -> Alerts:
    """Each row is the only prediction of its stay."""
    return Alerts(pd.Series(range(rows)), pd.Series(pd.Timestamp("2150-01-01T00:00Z"), range(rows)), lock_out, 24)


def hourly(hours: int, stays: int = 1, lock_out: timedelta = HALF_A_DAY) -> Alerts:
    """So many hours of each stay, one stay after the other."""
    as_of = pd.Timestamp("2150-01-01T00:00Z") + pd.to_timedelta(np.tile(np.arange(hours), stays), unit="h")
    return Alerts(pd.Series(np.repeat(np.arange(stays), hours)), pd.Series(as_of), lock_out, 1)


def budget(alerts: float) -> Bands:
    return Bands(policy="alert_budget", alerts_per_100_patient_days=alerts, moderate_at=0.5)


def sensitivity(target: float) -> Bands:
    return Bands(policy="sensitivity", sensitivity=target, moderate_at=0.5)


def chosen(outcome: Any, score: Any, bands: Bands, alerts: Alerts | None = None) -> tuple[float, Policy]:
    return choose_threshold(np.array(outcome), np.array(score), bands, alerts or daily(len(outcome)))


def test_f1_takes_the_score_with_the_best_f1() -> None:
    threshold, policy = chosen(RARE, RARE_SCORE, F1)
    tried = {at: reference.f1_score(RARE, at <= RARE_SCORE) for at in np.unique(SCORE) if at > 0}
    assert policy.reached == pytest.approx(max(tried.values()))
    assert tried[threshold] == pytest.approx(policy.reached)
    assert (policy.target, policy.reason, policy.lock_out) == (None, None, None)


def test_a_score_of_zero_is_never_the_threshold() -> None:
    threshold, _ = chosen([1, 0, 0, 0], [0.0, 0.0, 0.0, 0.3], F1)
    assert threshold == 0.3


@pytest.mark.parametrize("target", [0.5, 0.8, 0.95])
def test_sensitivity_takes_the_highest_score_that_flags_enough(target: float) -> None:
    threshold, policy = chosen(RARE, RARE_SCORE, sensitivity(target))
    assert policy.reached == pytest.approx(reference.recall_score(RARE, threshold <= RARE_SCORE))
    assert policy.reached >= target
    assert reference.recall_score(RARE, threshold < RARE_SCORE) < target
    assert policy.reason is None


def test_a_budget_of_daily_alerts_takes_the_lowest_score_within_it() -> None:
    threshold, policy = chosen(OUTCOME, SCORE, budget(20))
    lower = SCORE[threshold > SCORE].max()
    assert policy.reached == pytest.approx((threshold <= SCORE).mean() * 100)
    assert policy.reached <= 20 < (lower <= SCORE).mean() * 100
    assert (policy.target, policy.reason, policy.lock_out) == (20, None, HALF_A_DAY)


def test_a_budget_of_hourly_alerts_is_spent_on_what_people_get_and_not_on_each_flagged_hour() -> None:
    # Ten stays of 24 hours. In four of them every hour is in the band: 96 of 240 hours, but twice four alerts.
    stay = np.repeat(np.arange(10), 24)
    score = 0.9 - 0.05 * stay
    outcome = (stay == 0).astype(int)
    threshold, policy = chosen(outcome, score, budget(80), hourly(24, 10))
    assert threshold == pytest.approx(0.75)
    assert policy.reached == pytest.approx(80)
    without_lock_out, policy = chosen(outcome, score, budget(80), hourly(24, 10, timedelta()))
    assert (without_lock_out, policy.reached) == (0.9, pytest.approx(240))
    assert policy.reason == "the highest score alone exceeds the budget"


def test_a_budget_is_met_as_exactly_as_a_search_of_every_score_would() -> None:
    generator = np.random.default_rng(2)
    score = generator.random(24 * 30).round(3)
    outcome = (generator.random(len(score)) < 0.02).astype(int)
    alerts = hourly(24, 30)
    for target in (1, 10, 25, 60, 150):
        threshold, policy = choose_threshold(outcome, score, budget(target), alerts)
        rates = {at: alerts.per_100_patient_days(score >= at) for at in np.unique(score) if at >= outcome.mean()}
        within = [at for at, rate in rates.items() if rate <= target]
        assert threshold == (min(within) if within else score.max())
        assert policy.reached == pytest.approx(rates[threshold])


def test_a_budget_that_no_threshold_meets_is_reported_as_missed() -> None:
    threshold, policy = chosen([1, 0, 0, 0], [0.9, 0.9, 0.2, 0.1], budget(1))
    assert (threshold, policy.reached) == (0.9, 50)
    assert policy.reason == "the highest score alone exceeds the budget"


def test_a_budget_that_is_used_up_exactly_is_met() -> None:
    threshold, policy = chosen([1, 0, 0, 0], [0.9, 0.7, 0.2, 0.1], budget(50))
    assert (threshold, policy.target, policy.reached, policy.reason) == (0.7, 50, 50, None)


def test_a_sensitivity_out_of_reach_takes_the_lowest_score_above_zero_and_says_so() -> None:
    # One in six has the outcome, and 0.2 is above that.
    threshold, policy = chosen([1, 1] + [0] * 10, [0.9, 0.0, 0.5, 0.2] + [0.0] * 8, sensitivity(0.8))
    assert (threshold, policy.target, policy.reached) == (0.2, 0.8, 0.5)
    assert policy.reason == "the rest of the outcomes score 0"


@pytest.mark.parametrize(
    ("bands", "reached", "reason"),
    [
        (F1, 0.8, "the best F1 is at a score below 40.0 %, the share of these predictions with the outcome"),
        (sensitivity(1), 0.75, "more of the outcomes have only scores below 40.0 %, the share"),
        (budget(90), 40, "the rest of the budget would go to scores below 40.0 %, the share"),
    ],
)
def test_no_policy_flags_scores_below_the_share_with_the_outcome(bands, reached, reason) -> None:
    # Six of ten with the outcome would be found at 0.39, and the best F1 as well; four of ten have the outcome.
    outcome = [1, 1, 1, 0, 1, 0, 0, 0, 0, 0]
    score = [0.9, 0.8, 0.7, 0.6, 0.39, 0.3, 0.2, 0.2, 0.1, 0.1]
    if bands is F1:
        outcome, score = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [0.9, 0.8, 0.41, 0.39, 0.38, 0.3, 0.2, 0.2, 0.1, 0.1]
        reached = 2 * 3 / (3 + 4)
    threshold, policy = chosen(outcome, score, bands)
    assert threshold == (0.41 if bands is F1 else 0.6)
    assert threshold >= np.mean(outcome) == policy.prevalence
    assert policy.reached == pytest.approx(reached)
    assert policy.reason.startswith(reason)


def test_a_score_equal_to_the_share_with_the_outcome_may_be_the_threshold() -> None:
    threshold, policy = chosen([1, 1, 0, 0], [0.9, 0.5, 0.1, 0.1], sensitivity(1))
    assert (threshold, policy.reason) == (0.5, None)


def test_if_all_scores_are_below_the_share_nobody_is_high_and_it_says_so() -> None:
    for bands in (F1, sensitivity(0.5), budget(50)):
        threshold, policy = chosen([1, 1, 0, 0], [0.4, 0.3, 0.2, 0.1], bands)
        assert (threshold, policy.reached, policy.prevalence) == (0.5, 0, 0.5)
        assert "below 50.0 %, the share" in policy.reason


@pytest.mark.parametrize("bands", [F1, sensitivity(0.95), budget(5), budget(99)])
def test_on_calibrated_scores_the_threshold_is_one_of_them_and_never_below_the_share(bands) -> None:
    generator = np.random.default_rng(4)
    for _ in range(20):
        score = generator.beta(1, generator.integers(2, 40), size=300)
        outcome = (generator.random(300) < score).astype(int)
        outcome[0] = 1
        threshold, policy = chosen(outcome, score, bands)
        assert threshold in score
        assert threshold >= outcome.mean()
        assert (score >= threshold).any()
        assert policy.prevalence == pytest.approx(outcome.mean())


@pytest.mark.parametrize(
    "wrong",
    [{"policy": "sensitivity"}, {"policy": "f1", "sensitivity": 0.8}, {"policy": "alert_budget", "sensitivity": 1}],
)
def test_a_policy_has_its_own_target_and_no_other(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="no policy takes the key of another"):
        Bands(moderate_at=0.5, **wrong)
