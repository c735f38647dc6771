"""Curves against scikit-learn's and against figures worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from wardround.core.evaluation.curves import calibration_bins, curves_of, decision_curve

GENERATOR = np.random.default_rng(3)
OUTCOME = GENERATOR.integers(0, 2, size=1000)
SCORE = np.clip(GENERATOR.normal(0.4 + 0.2 * OUTCOME, 0.2), 0, 1)


def test_curves_have_at_most_200_points_and_keep_their_areas() -> None:
    curves = curves_of(OUTCOME, SCORE)
    roc = [(point.false_positive_rate, point.sensitivity) for point in curves.roc]
    assert len(roc) <= 200
    assert len(curves.precision_recall) <= 200
    assert (roc[0], roc[-1]) == ((0, 0), (1, 1))
    assert np.trapezoid([y for _, y in roc], [x for x, _ in roc]) == pytest.approx(
        reference.roc_auc_score(OUTCOME, SCORE), abs=0.005
    )
    last = curves.precision_recall[-1]
    assert (last.recall, last.precision) == pytest.approx((1, OUTCOME.mean()))


def test_without_both_outcomes_there_are_no_curves() -> None:
    assert curves_of(np.zeros(5, dtype=int), SCORE[:5]).roc == ()


def test_bins_hold_all_rows_and_say_what_came_of_them() -> None:
    bins = calibration_bins(OUTCOME, SCORE, pd.Series(np.arange(1000)))
    assert (len(bins), sum(one.rows for one in bins)) == (10, 1000)
    assert sum(one.rows * one.observed for one in bins) == pytest.approx(OUTCOME.sum())
    assert [one.mean_predicted for one in bins] == sorted(one.mean_predicted for one in bins)


def test_bins_of_few_patients_are_not_shown() -> None:
    assert len(calibration_bins(OUTCOME[:40], SCORE[:40], pd.Series(np.arange(40)))) == 4
    assert calibration_bins(OUTCOME, SCORE, pd.Series(np.arange(1000) % 9)) == ()


def test_net_benefit_weighs_false_alerts_by_the_odds_of_the_threshold() -> None:
    outcome, score = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.3, 0.6, 0.2, 0.1])
    at_half = next(point for point in decision_curve(outcome, score) if point.threshold == 0.5)
    assert at_half.net_benefit == pytest.approx(1 / 5 - 1 / 5)
    assert at_half.treat_all == pytest.approx(2 / 5 - 3 / 5)
    at_fifth = next(point for point in decision_curve(outcome, score) if point.threshold == 0.2)
    assert at_fifth.net_benefit == pytest.approx(2 / 5 - 2 / 5 * 0.25)
