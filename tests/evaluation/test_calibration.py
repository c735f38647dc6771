"""Calibrated scores keep their order, stay within 0 and 1, and depend on their own row only."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from wardround.candidates.base import probability
from wardround.evaluation.calibration import CALIBRATION, calibrated, fit_platt, log_odds
from wardround.evaluation.metrics import measure_with_intervals
from wardround.evaluation.results import Calibration
from wardround.evaluation.samples import Sample

SCORES = np.linspace(0, 1, 101)


def test_without_calibration_scores_stay_as_they_are() -> None:
    assert np.array_equal(calibrated(SCORES, Calibration()), SCORES)


def test_platt_scales_and_shifts_the_log_odds() -> None:
    score = calibrated(np.array([0.2, 0.5]), Calibration(method="platt", slope=2.0, intercept=-1.0))
    assert log_odds(score) == pytest.approx(2 * log_odds(np.array([0.2, 0.5])) - 1)


def test_calibration_keeps_the_order_and_never_leaves_0_to_1() -> None:
    score = calibrated(SCORES, Calibration(method="platt", slope=0.3, intercept=4.0))
    assert (np.diff(score) > 0).all()
    assert score.min() > 0
    assert score.max() < 1


def test_a_row_is_calibrated_independently_of_other_rows() -> None:
    calibration = Calibration(method="platt", slope=1.7, intercept=-0.4)
    assert [calibrated(SCORES[n : n + 1], calibration)[0] for n in range(101)] == calibrated(
        SCORES, calibration
    ).tolist()


def test_a_slope_that_would_reverse_the_order_of_scores_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Calibration(method="platt", slope=-1.0)


def _scored(slope: float, intercept: float, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes, and scores whose log-odds are off by a factor and a shift."""
    generator = np.random.default_rng(3)
    true = generator.normal(-1, 1.5, rows)
    return (generator.random(rows) < probability(true)).astype(int), probability((true - intercept) / slope)


def test_platt_finds_the_factor_and_the_shift() -> None:
    outcome, score = _scored(slope=0.5, intercept=-0.7)
    found = fit_platt(outcome, score, np.zeros(len(outcome)))
    assert (found.slope, found.intercept) == pytest.approx((0.5, -0.7), abs=0.1)


def test_platt_stays_finite_where_scores_separate_outcomes() -> None:
    found = fit_platt(np.array([0, 0, 0, 1, 1, 1]), np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9]), np.zeros(6))
    assert found.method == "platt"
    assert 0 < found.slope < 10


def test_platt_learns_from_platts_targets() -> None:
    # Platt 1999: (N+ + 1) / (N+ + 2) for those with the outcome, 1 / (N- + 2) for those without.
    outcome = np.array([0, 0, 0, 0, 1, 0, 1, 1])
    score = np.array([0.1, 0.2, 0.3, 0.35, 0.4, 0.6, 0.7, 0.9])
    target = np.where(outcome == 1, 4 / 5, 1 / 7)
    both = np.r_[np.ones(8), np.zeros(8)]
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(
        np.tile(log_odds(score), 2)[:, None], both, sample_weight=np.r_[target, 1 - target]
    )
    found = fit_platt(outcome, score, np.zeros(len(outcome)))
    assert (found.slope, found.intercept) == pytest.approx((reference.coef_[0, 0], reference.intercept_[0]), abs=1e-5)
    plain = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(log_odds(score)[:, None], outcome)
    assert found.slope < 0.9 * plain.coef_[0, 0], "with the outcomes themselves the slope would be another"


def test_a_shift_of_whole_folds_does_not_flatten_the_slope() -> None:
    # The models of three folds differ by a shift: too low where the outcome is frequent, as their training lacked it.
    generator = np.random.default_rng(4)
    folds = np.repeat([5, 1, 3], 3000)
    frequent = np.repeat([-2.0, -1.0, 0.0], 3000)
    true = generator.normal(frequent, 1.0)
    outcome = (generator.random(9000) < probability(true)).astype(int)
    score = probability((true - 1.5 * frequent) / 0.5)
    found, pooled = fit_platt(outcome, score, folds), fit_platt(outcome, score, np.zeros(9000))
    assert found.slope == pytest.approx(0.5, abs=0.04)
    assert pooled.slope < 0.85 * found.slope
    # The same slope as that of a regression with an indicator for each fold.
    fold = (folds[:, None] == np.unique(folds)).astype(float)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000, fit_intercept=False).fit(
        np.column_stack([log_odds(score), fold]), outcome
    )
    assert found.slope == pytest.approx(reference.coef_[0, 0], abs=2e-3)
    assert calibrated(score, found).mean() == pytest.approx(outcome.mean(), abs=1e-3)


def test_a_fold_without_the_outcome_says_nothing_about_the_slope_and_breaks_nothing() -> None:
    outcome, score = _scored(slope=0.5, intercept=-0.7)
    alone = fit_platt(outcome, score, np.zeros(len(outcome)))
    more = np.r_[outcome, np.zeros(50, dtype=int)], np.r_[score, np.full(50, 0.3)]
    found = fit_platt(*more, np.r_[np.zeros(len(outcome)), np.ones(50)])
    assert found.slope == pytest.approx(alone.slope, abs=1e-3)
    assert found.intercept < alone.intercept, "the mean score is the share with the outcome, of all rows"


def test_scores_that_fall_with_the_outcome_are_not_reversed() -> None:
    found = fit_platt(np.array([1, 1, 1, 0, 0, 0]), np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9]), np.zeros(6))
    assert (found.method, found.reason) == ("none", "out-of-fold scores do not rise with the outcome")


def test_slope_and_intercept_agree_with_a_regression() -> None:
    outcome, score = _scored(slope=0.5, intercept=-0.7)
    patients = pd.Series(np.arange(4000) // 2)
    found = measure_with_intervals(outcome, score, 0.5, Sample.by_chance(patients), CALIBRATION)
    reference = LogisticRegression(C=np.inf).fit(log_odds(score)[:, None], outcome)
    assert found["slope"].value == pytest.approx(reference.coef_[0, 0], abs=1e-3)
    shifted = probability(log_odds(score) + found["intercept"].value)
    assert shifted.mean() == pytest.approx(outcome.mean(), abs=1e-9)
    assert all(metric.low < metric.value < metric.high for metric in found.values())


def test_the_interval_of_the_intercept_is_that_of_the_share_with_the_outcome() -> None:
    # All score 0.2, so what is expected says nothing: of 120 patients 12 have the outcome.
    outcome, sample = (np.arange(120) < 12).astype(int), Sample.by_chance(pd.Series(range(120)))
    found = measure_with_intervals(outcome, np.full(120, 0.2), 0.5, sample, CALIBRATION)["intercept"]
    share = binomtest(12, 120).proportion_ci(method="wilson")
    ends = log_odds(np.array([0.1, share.low, share.high])) - log_odds(np.array([0.2]))
    assert (found.value, found.low, found.high) == pytest.approx(tuple(ends), abs=0.01)


def test_the_intercept_is_the_more_certain_the_more_of_the_outcome_the_scores_explain() -> None:
    outcome, score = _scored(slope=1.0, intercept=0.0, rows=400)
    sample = Sample.by_chance(pd.Series(range(400)))
    known, unknown = (
        measure_with_intervals(outcome, each, 0.5, sample, CALIBRATION)["intercept"]
        for each in (score, np.full(400, score.mean()))
    )
    information = (score * (1 - score)).sum()
    assert known.high - known.low == pytest.approx(2 * 1.96 / np.sqrt(information), rel=0.05)
    # The interval of the share with the outcome would be wider by so much.
    assert (unknown.high - unknown.low) * outcome.mean() * (1 - outcome.mean()) > (
        1.1 * (known.high - known.low) * information / 400
    )


def test_separated_outcomes_have_no_slope() -> None:
    found = measure_with_intervals(
        np.array([0, 0, 1, 1]),
        np.array([0.1, 0.2, 0.8, 0.9]),
        0.5,
        Sample.by_chance(pd.Series(list("abcd"))),
        CALIBRATION,
    )
    assert (found["slope"].value, found["slope"].reason) == (None, "the stays do not determine it")


# Of 181 rows, rounding seems to leave something that determines a slope.
@pytest.mark.parametrize(("rows", "same"), [(29, 0.3), (38, 1e-9), (173, 1.0), (181, 0.999)])
def test_scores_that_are_all_the_same_have_no_slope_and_an_intercept(rows: int, same: float) -> None:
    outcome = (np.arange(rows) % 3 == 0).astype(int)
    found = measure_with_intervals(
        outcome, np.full(rows, same), 0.5, Sample.by_chance(pd.Series(range(rows))), CALIBRATION
    )
    assert (found["slope"].value, found["slope"].reason) == (None, "the stays do not determine it")
    assert found["intercept"].low < found["intercept"].value < found["intercept"].high


@pytest.mark.parametrize("boldness", [0.05, 3.0, 12.0])
def test_the_slope_of_scores_that_are_far_too_timid_or_too_bold_is_found(boldness) -> None:
    generator = np.random.default_rng(5)
    truth = generator.normal(size=120)
    outcome = (generator.random(120) < probability(truth)).astype(int)
    told = np.clip(boldness * truth, -13, 13)
    sample = Sample.by_chance(pd.Series(range(120)))
    slope = measure_with_intervals(outcome, probability(told), 0.5, sample, CALIBRATION)["slope"]
    regression = LogisticRegression(C=1e12, tol=1e-10, max_iter=5000).fit(told[:, None], outcome)
    assert slope.value == pytest.approx(regression.coef_[0, 0], rel=1e-3)
