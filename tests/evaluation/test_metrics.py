"""Metrics agree with scikit-learn's, have intervals, and give a reason where they do not exist."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from wardround.evaluation.metrics import (
    METRICS,
    Measure,
    Metric,
    auroc,
    flagged_share,
    measure,
    measure_with_intervals,
    paired_with_intervals,
    with_interval,
)
from wardround.evaluation.tallies import Scores

GENERATOR = np.random.default_rng(7)
OUTCOME = GENERATOR.integers(0, 2, size=200)
# Rounded, so that many scores tie.
SCORE = np.clip(GENERATOR.normal(0.4 + 0.2 * OUTCOME, 0.2), 0, 1).round(2)
PATIENTS = pd.Series([f"p{n // 2}" for n in range(200)])


def test_metrics_agree_with_scikit_learn() -> None:
    flagged = SCORE >= 0.5
    expected = {
        "auroc": reference.roc_auc_score(OUTCOME, SCORE),
        "auprc": reference.average_precision_score(OUTCOME, SCORE),
        "f1": reference.f1_score(OUTCOME, flagged),
        "sensitivity": reference.recall_score(OUTCOME, flagged),
        "specificity": reference.recall_score(1 - OUTCOME, ~flagged),
        "ppv": reference.precision_score(OUTCOME, flagged),
        "brier": reference.brier_score_loss(OUTCOME, SCORE),
        "prevalence": OUTCOME.mean(),
    }
    measured = {name: metric.value for name, metric in measure(OUTCOME, SCORE, 0.5).items()}
    assert measured == pytest.approx(expected, abs=1e-12)


def test_intervals_enclose_their_metric_and_repeat_with_the_seed() -> None:
    first = measure_with_intervals(OUTCOME, SCORE, 0.5, PATIENTS, seed=1)
    assert all(metric.low < metric.value < metric.high for metric in first.values())
    assert measure_with_intervals(OUTCOME, SCORE, 0.5, PATIENTS, seed=1) == first
    assert measure_with_intervals(OUTCOME, SCORE, 0.5, PATIENTS, seed=2) != first


def test_intervals_are_over_patients_not_stays() -> None:
    alone = pd.Series([f"p{n}" for n in range(200)])
    in_tens = pd.Series([f"p{n}" for n in np.argsort(np.argsort(SCORE, kind="stable")) // 10])
    width = {
        name: metric.high - metric.low
        for name, metric in (
            ("alone", measure_with_intervals(OUTCOME, SCORE, 0.5, alone, seed=1)["brier"]),
            ("in tens", measure_with_intervals(OUTCOME, SCORE, 0.5, in_tens, seed=1)["brier"]),
        )
    }
    assert width["in tens"] > width["alone"]


def test_without_the_outcome_in_the_test_metrics_are_none_with_a_reason() -> None:
    measured = measure_with_intervals(np.zeros(200, dtype=int), SCORE, 0.5, PATIENTS, seed=1)
    missing = {name: metric.reason for name, metric in measured.items() if metric.value is None}
    assert missing == dict.fromkeys(("auroc", "auprc", "f1", "sensitivity"), "no stay with the outcome")
    assert measured["prevalence"].value == 0


def test_if_every_stay_has_the_outcome_specificity_and_auroc_do_not_exist() -> None:
    measured = measure(np.ones(5, dtype=int), np.linspace(0, 1, 5), 0.5)
    missing = {name: metric.reason for name, metric in measured.items() if metric.value is None}
    assert missing == {"auroc": "no stay without the outcome", "specificity": "no stay without the outcome"}


def test_if_no_stay_reaches_the_threshold_ppv_has_no_value() -> None:
    measured = measure(OUTCOME, SCORE, 2.0)
    assert measured["ppv"].reason == "no stay reaches the threshold"
    assert (measured["f1"].value, measured["sensitivity"].value, measured["specificity"].value) == (0, 0, 1)


def test_a_metric_that_most_resamples_lack_gets_no_interval() -> None:
    outcome = np.zeros(200, dtype=int)
    outcome[0] = 1
    measured = measure_with_intervals(outcome, SCORE, 0.5, PATIENTS, seed=1)
    for name in ("auroc", "auprc", "f1", "sensitivity"):
        assert measured[name].value is not None
        assert (measured[name].low, measured[name].reason) == (None, "no interval: too few resamples define it")


def test_no_stays_at_all_is_a_reason_and_not_a_crash() -> None:
    measured = measure_with_intervals(np.zeros(0), np.zeros(0), 0.5, pd.Series(dtype="str"), seed=1)
    assert {name: metric.reason for name, metric in measured.items()} == dict.fromkeys(METRICS, "no stay")
    nothing = Scores(np.zeros(0), 0.5)
    paired = paired_with_intervals(np.zeros(0), nothing, nothing, pd.Series(dtype="str"), seed=1)
    assert (paired.first, paired.second, paired.difference) == (measured, measured, measured)


def test_a_model_does_not_differ_from_itself() -> None:
    same = paired_with_intervals(OUTCOME, Scores(SCORE, 0.5), Scores(SCORE, 0.5), PATIENTS, seed=1).difference
    assert {(metric.value, metric.low, metric.high) for metric in same.values()} == {(0, 0, 0)}


def test_a_difference_is_that_of_the_figures_and_its_interval_pairs_the_patients() -> None:
    ours, theirs = Scores(SCORE, 0.5), Scores(np.clip(SCORE + 0.05 * np.sin(np.arange(200)), 0, 1), 0.6)
    paired = paired_with_intervals(OUTCOME, ours, theirs, PATIENTS, seed=1)
    difference, alone = paired.difference["auroc"], [paired.first["auroc"], paired.second["auroc"]]
    assert alone == [measure_with_intervals(OUTCOME, *each, PATIENTS, seed=1)["auroc"] for each in (ours, theirs)]
    assert difference.value == pytest.approx(alone[0].value - alone[1].value)
    assert difference.low < difference.value < difference.high
    # Drawn apart, the two models' patients would differ, and the interval would be wider than either's own.
    assert difference.high - difference.low < min(each.high - each.low for each in alone)


def test_a_figure_that_one_model_lacks_has_no_difference() -> None:
    paired = paired_with_intervals(OUTCOME, Scores(SCORE, 2.0), Scores(SCORE, 0.5), PATIENTS, seed=1)
    difference = paired.difference["ppv"]
    assert (difference.value, difference.reason) == (None, "no stay reaches the threshold")


def test_many_distinct_scores_are_drawn_in_steps_that_move_no_interval() -> None:
    outcome = np.random.default_rng(1).integers(0, 2, size=6000)
    exact = np.random.default_rng(2).normal(0.4 + 0.2 * outcome, 0.2).clip(0, 1)
    few = exact.round(2)
    patients = pd.Series(np.arange(6000) // 4)
    fine = measure_with_intervals(outcome, exact, 0.5, patients, seed=1)
    coarse = measure_with_intervals(outcome, few, 0.495, patients, seed=1)
    for name in METRICS:
        assert (fine[name].low, fine[name].high) == pytest.approx((coarse[name].low, coarse[name].high), abs=0.01)
        assert fine[name].low < fine[name].value < fine[name].high


def test_an_interval_leaves_out_a_fortieth_of_the_draws_at_each_end() -> None:
    found = with_interval(Metric(value=500.0), np.arange(1001.0))
    assert (found.value, found.low, found.high) == (500, pytest.approx(25), pytest.approx(975))


@pytest.mark.parametrize(("defined", "low"), [(9, 1.0), (8, None)])
def test_nine_in_ten_draws_must_define_a_figure_for_an_interval(defined: int, low: float | None) -> None:
    draws = np.where(np.arange(10) < defined, 1.0, np.nan)
    assert with_interval(Metric(value=1.0), draws).low == low


def test_a_few_draws_without_the_outcome_or_with_one_such_row_do_not_take_the_interval_away() -> None:
    # Three of a hundred patients: 5 % of the draws hold none of them, another 15 % one of them once.
    outcome = np.zeros(100, dtype=int)
    outcome[:3] = 1
    score = np.tile([0.9, 0.1], 50)
    found = measure_with_intervals(outcome, score, 0.5, pd.Series(np.arange(100)), seed=1)
    assert all(metric.low is not None for metric in found.values())
    # Of the three the first and the last are flagged.
    assert (found["sensitivity"].value, found["sensitivity"].low, found["sensitivity"].high) == (2 / 3, 0, 1)


def test_an_undetermined_figure_is_none_with_that_reason() -> None:
    nowhere = {"nowhere": Measure(lambda tally: np.full(len(tally.squared), np.nan), ())}
    found = measure_with_intervals(OUTCOME, SCORE, 0.5, PATIENTS, 1, nowhere)["nowhere"]
    assert (found.value, found.low, found.reason) == (None, None, "the stays do not determine it")


def test_the_auroc_is_the_share_of_pairs_in_order_and_nan_without_pairs() -> None:
    # Of the four pairs two are in order, one is not, and one ties: (2 + 1/2) / 4.
    assert auroc(np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.5])) == pytest.approx(2.5 / 4)
    assert np.isnan(auroc(np.array([1, 1]), np.array([0.9, 0.4])))


def test_the_flagged_share_counts_rows_at_the_threshold_and_above_of_all_rows() -> None:
    share = {"share": Measure(flagged_share, ())}
    # Of five rows three reach 0.5: one with the outcome, two without.
    outcome, score = np.array([1, 0, 0, 1, 0]), np.array([0.5, 0.7, 0.6, 0.4, 0.1])
    assert measure_with_intervals(outcome, score, 0.5, pd.Series(list("abcde")), 1, share)["share"].value == 3 / 5
