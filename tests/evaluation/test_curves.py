"""Curves against scikit-learn's and against figures worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from wardround.evaluation.curves import calibration_bins, curves_of, decision_curve

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


def test_points_lie_where_the_curves_move() -> None:
    """Ten of a thousand rows have the outcome, and the highest scores."""
    curves = curves_of((np.arange(1000) < 10).astype(int), np.linspace(1, 0, 1000))
    # The path is 3 long. A row with the outcome moves it by 1/10 + 1/1000, one without by 1/990 + 1/1000, and from its
    # first row to its last there are 199 places, 2.899/198 = 0.01464 apart: each of the ten rows gets a point of its
    # own, and takes the first 63 places together. The other 136 are 7.28 rows apart.
    early = [point.recall for point in curves.precision_recall if point.precision == 1]
    assert early == pytest.approx([n / 10 for n in range(1, 11)])
    rows = np.array([round(point.false_positive_rate * 990) for point in curves.roc[11:]])
    assert (len(rows), rows[0], rows[-1]) == (136, 7, 990)
    assert set(np.diff(rows)) == {7, 8}
    assert [point.false_positive_rate for point in curves.roc[:11]] == [0] * 11


def test_rows_of_one_score_move_the_curves_in_one_step() -> None:
    """300 rows with the outcome, 100 without it, and 600 of the lowest score, half of them with the outcome."""
    outcome = np.repeat([1, 0, 1, 0], [300, 100, 300, 300])
    curves = curves_of(outcome, np.r_[np.linspace(1, 0.5, 400), np.full(600, 0.1)])
    # A row with the outcome moves the path by 1/600 + 1/1000, one without by 1/400 + 1/1000: the first kind ends
    # at 0.8 and the second at 1.15 of 3. The places are (3 - 0.00267)/198 = 0.01514 apart, from 0.00267 on.
    with_outcome = [point for point in curves.roc[1:] if point.false_positive_rate == 0]
    without = [point for point in curves.roc if 0 < point.false_positive_rate < 1]
    assert (len(with_outcome), len(without), len(curves.roc)) == (53, 23, 1 + 53 + 23 + 1)
    assert (without[-1].sensitivity, curves.roc[-1].sensitivity) == (0.5, 1)


def test_without_both_outcomes_there_are_no_curves() -> None:
    assert curves_of(np.zeros(5, dtype=int), SCORE[:5]).roc == ()


def test_bins_hold_all_rows_and_their_outcomes() -> None:
    bins = calibration_bins(OUTCOME, SCORE, pd.Series(np.arange(1000)))
    assert (len(bins), sum(one.rows for one in bins)) == (10, 1000)
    assert sum(one.rows * one.observed for one in bins) == pytest.approx(OUTCOME.sum())
    assert [one.mean_predicted for one in bins] == sorted(one.mean_predicted for one in bins)


def test_bins_of_few_patients_are_not_shown() -> None:
    assert len(calibration_bins(OUTCOME[:40], SCORE[:40], pd.Series(np.arange(40)))) == 4
    assert calibration_bins(OUTCOME, SCORE, pd.Series(np.arange(1000) % 9)) == ()


def test_bins_split_rows_of_one_score_in_their_order() -> None:
    outcome, score = (np.arange(1000) < 400).astype(int), np.arange(1000) % 2 / 2
    bins = calibration_bins(outcome, score, pd.Series(np.arange(1000)))
    assert [one.observed for one in bins] == [1, 1, 0, 0, 0] * 2


def test_net_benefit_weighs_false_alerts_by_the_odds_of_the_threshold() -> None:
    outcome, score = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.3, 0.6, 0.2, 0.1])
    at_half = next(point for point in decision_curve(outcome, score) if point.threshold == 0.5)
    assert at_half.net_benefit == pytest.approx(1 / 5 - 1 / 5)
    assert at_half.treat_all == pytest.approx(2 / 5 - 3 / 5)
    at_fifth = next(point for point in decision_curve(outcome, score) if point.threshold == 0.2)
    assert at_fifth.net_benefit == pytest.approx(2 / 5 - 2 / 5 * 0.25)
