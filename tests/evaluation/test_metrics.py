"""Metrics agree with scikit-learn's, have intervals, and give a reason where they do not exist."""

import itertools
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn import metrics as reference

from wardround.evaluation.calibration import CALIBRATION
from wardround.evaluation.measures import FLAGGED, METRICS, PatientRows, Smooth
from wardround.evaluation.metrics import (
    Metric,
    auroc,
    measure_with_intervals,
    paired_with_intervals,
)
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores, Steps

MEASURES: Final = {**METRICS, **CALIBRATION}
GENERATOR = np.random.default_rng(7)
OUTCOME = GENERATOR.integers(0, 2, size=200)
# Rounded, so that many scores tie.
SCORE = np.clip(GENERATOR.normal(0.4 + 0.2 * OUTCOME, 0.2), 0, 1).round(2)
PATIENTS = Sample.by_chance(pd.Series([f"p{n // 2}" for n in range(200)]))


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
    measured = {name: metric.value for name, metric in measure_with_intervals(OUTCOME, SCORE, 0.5, PATIENTS).items()}
    assert measured == pytest.approx(expected, abs=1e-12)


def test_intervals_enclose_their_metric_and_do_not_depend_on_the_order_of_rows() -> None:
    found, order = measure_with_intervals(OUTCOME, SCORE, 0.5, PATIENTS), GENERATOR.permutation(200)
    assert all(metric.low < metric.value < metric.high for metric in found.values())
    again = measure_with_intervals(OUTCOME[order], SCORE[order], 0.5, Sample.by_chance(PATIENTS.patients.iloc[order]))
    for name, metric in found.items():
        assert (again[name].low, again[name].high) == pytest.approx((metric.low, metric.high))


def test_the_prevalence_of_hours_is_as_certain_as_that_of_the_patients_who_can_have_the_outcome_in_some_of_them() -> (
    None
):
    # 40 stays of a day, 8 with the outcome, which lasts six hours.
    patients, outcome = pd.Series(np.repeat(np.arange(40), 24)), np.zeros((40, 24), dtype=int)
    outcome[:8, -6:] = 1
    sample = Sample.by_chance(patients)
    any_hour, six = (
        measure_with_intervals(outcome.ravel(), np.full(960, 0.5), 0.5, each)
        for each in (sample, sample.limited(patients, 6))
    )
    of_patients = binomtest(8, 40).proportion_ci(method="wilson")
    found = six["prevalence"]
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.05, of_patients.low / 4, of_patients.high / 4), rel=0.02
    )
    assert any_hour["prevalence"].high > 1.05 * found.high
    # Whoever is flagged in some hours may have the outcome in all of them.
    assert any_hour["ppv"] == six["ppv"]


def test_intervals_are_over_patients_not_stays() -> None:
    # Of these patients each has ten rows with neighbouring scores, which tell little more than one.
    in_tens = pd.Series(np.argsort(np.argsort(SCORE, kind="stable")) // 10)
    alone, together = (
        measure_with_intervals(OUTCOME, SCORE, 0.5, Sample.by_chance(each)) for each in (pd.Series(range(200)), in_tens)
    )
    for name in ("sensitivity", "specificity"):
        assert together[name].high - together[name].low > 1.5 * (alone[name].high - alone[name].low)


def test_without_the_outcome_in_the_test_metrics_are_none_with_a_reason() -> None:
    measured = measure_with_intervals(np.zeros(200, dtype=int), SCORE, 0.5, PATIENTS)
    missing = {name: metric.reason for name, metric in measured.items() if metric.value is None}
    assert missing == dict.fromkeys(("auroc", "auprc", "f1", "sensitivity"), "no stay with the outcome")
    assert measured["prevalence"].value == 0


def test_if_every_stay_has_the_outcome_specificity_and_auroc_do_not_exist() -> None:
    measured = measure_with_intervals(np.ones(200, dtype=int), SCORE, 0.5, PATIENTS)
    missing = {name: metric.reason for name, metric in measured.items() if metric.value is None}
    assert missing == {"auroc": "no stay without the outcome", "specificity": "no stay without the outcome"}


def test_if_no_stay_reaches_the_threshold_ppv_has_no_value() -> None:
    measured = measure_with_intervals(OUTCOME, SCORE, 2.0, PATIENTS)
    assert measured["ppv"].reason == "no stay reaches the threshold"
    assert (measured["f1"].value, measured["sensitivity"].value, measured["specificity"].value) == (0, 0, 1)


def _few(positives: int, patients: int = 40) -> dict[str, Metric]:
    """The metrics of a model without a mistake; a row for each patient."""
    outcome = (np.arange(patients) < positives).astype(int)
    return measure_with_intervals(
        outcome, np.where(outcome, 0.9, 0.1), 0.5, Sample.by_chance(pd.Series(range(patients)))
    )


def test_with_under_ten_patients_of_a_class_only_shares_and_means_of_rows_have_an_interval() -> None:
    for positives, which in ((3, "with"), (37, "without")):
        found = _few(positives)
        for name in ("auroc", "auprc"):
            assert (found[name].low, found[name].high) == (None, None)
            assert found[name].reason == f"too few patients {which} the outcome (3) for an interval"
        for name in ("sensitivity", "specificity", "ppv", "prevalence", "f1"):
            assert found[name].low < found[name].high, "not even three of three are an interval without width"


def test_brier_score_and_intercept_need_a_patient_of_each_class() -> None:
    sample, score = Sample.by_chance(pd.Series(range(40))), np.linspace(0.05, 0.4, 40)
    for positives in (1, 3, 39):
        found = measure_with_intervals((np.arange(40) < positives).astype(int), score, 0.5, sample, MEASURES)
        for name in ("brier", "intercept"):
            assert found[name].low < found[name].value < found[name].high
        assert found["slope"].interval is None
    nobody = measure_with_intervals(np.zeros(40, dtype=int), score, 0.5, sample, MEASURES)["brier"]
    assert nobody.value == pytest.approx((score**2).mean())
    assert nobody.reason == "too few patients with the outcome (0) for an interval"


@pytest.mark.parametrize(("positives", "shown"), [(24, False), (25, True)])
def test_the_auprc_needs_25_patients_with_the_outcome(positives: int, shown: bool) -> None:
    outcome = (np.arange(60) < positives).astype(int)
    found = measure_with_intervals(
        outcome, np.linspace(0.9, 0.1, 60) + np.arange(60) % 7 / 10, 0.5, Sample.by_chance(pd.Series(range(60)))
    )
    assert (found["auprc"].interval is not None, found["auroc"].interval is not None) == (shown, True)


def test_three_of_three_is_nearly_nothing_known() -> None:
    found, expected = _few(3)["sensitivity"], binomtest(3, 3).proportion_ci(method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((1, expected.low, expected.high))
    assert found.low < 0.44


def test_a_figure_without_variation_has_no_interval_and_a_reason() -> None:
    found = _few(20)["auroc"]
    assert (found.value, found.low) == (1, None)
    assert found.reason == "no interval: every patient gives the same figure"


def test_an_interval_without_width_of_an_earlier_release_is_none() -> None:
    stored = Metric(value=1.0, low=1.0, high=1.0)
    assert (stored.interval, stored.why_no_interval) == (None, "too few patients for an interval")
    assert Metric(value=0.5, low=0.4, high=0.6).interval == (0.4, 0.6)


def test_no_stays_at_all_is_a_reason_and_not_a_crash() -> None:
    measured = measure_with_intervals(np.zeros(0), np.zeros(0), 0.5, Sample.by_chance(pd.Series(dtype="str")))
    assert {name: metric.reason for name, metric in measured.items()} == dict.fromkeys(METRICS, "no stay")
    nothing = Scores(np.zeros(0), 0.5)
    paired = paired_with_intervals(np.zeros(0), nothing, nothing, Sample.by_chance(pd.Series(dtype="str")))
    assert (paired.first, paired.second, paired.difference) == (measured, measured, measured)


def test_a_model_does_not_differ_from_itself() -> None:
    same = paired_with_intervals(OUTCOME, Scores(SCORE, 0.5), Scores(SCORE, 0.5), PATIENTS).difference
    assert {(metric.value, metric.low) for metric in same.values()} == {(0, None)}
    assert {metric.reason for metric in same.values()} == {"no interval: every patient gives the same figure"}


def test_a_difference_is_that_of_the_figures_and_its_interval_pairs_the_patients() -> None:
    ours, theirs = Scores(SCORE, 0.5), Scores(np.clip(SCORE + 0.05 * np.sin(np.arange(200)), 0, 1), 0.5)
    paired = paired_with_intervals(OUTCOME, ours, theirs, PATIENTS)
    for name in METRICS.keys() - {"prevalence"}:
        difference, alone = paired.difference[name], [paired.first[name], paired.second[name]]
        assert alone == [measure_with_intervals(OUTCOME, *each, PATIENTS)[name] for each in (ours, theirs)]
        assert difference.value == pytest.approx(alone[0].value - alone[1].value)
        assert difference.low < difference.value < difference.high
        # The models agree about most patients, so the interval is narrower than either's own.
        assert difference.high - difference.low < min(each.high - each.low for each in alone)


def test_a_difference_obeys_the_same_rule_as_its_figures() -> None:
    outcome = (np.arange(40) < 3).astype(int)
    ours, theirs = (Scores(np.where(outcome, 0.9, low), 0.5) for low in (np.linspace(0, 1, 40), 0.1))
    paired = paired_with_intervals(outcome, ours, theirs, Sample.by_chance(pd.Series(range(40))))
    assert paired.difference["auroc"].low is None
    assert paired.difference["auroc"].reason == "too few patients with the outcome (3) for an interval"
    assert paired.difference["specificity"].low < paired.difference["specificity"].high
    # Both shares have an interval, but how they vary together is not known of three patients.
    assert paired.difference["sensitivity"].reason == "too few patients (3) for an interval"
    assert paired.difference["ppv"].reason == "too few patients (3) for an interval"


def test_a_figure_that_one_model_lacks_has_no_difference() -> None:
    paired = paired_with_intervals(OUTCOME, Scores(SCORE, 2.0), Scores(SCORE, 0.5), PATIENTS)
    difference = paired.difference["ppv"]
    assert (difference.value, difference.reason) == (None, "no stay reaches the threshold")


@pytest.mark.parametrize("name", [name for name, each in MEASURES.items() if hasattr(each, "moved")])
def test_the_part_of_a_row_is_how_far_one_more_such_row_moves_the_figure(name: str) -> None:
    tally, each = Steps.of(OUTCOME, Scores(SCORE, 0.5)).tally(), MEASURES[name]
    moved, cells = each.moved(tally), tally.cells
    assert (moved * cells).sum() == pytest.approx(0, abs=1e-12), "all rows twice are the same figure"
    for place in itertools.product(range(0, len(tally.score), 5), (0, 1)):
        more, less = cells.copy(), cells.copy()
        more[place], less[place] = cells[place] + 1e-4, cells[place] - 1e-4
        changed = [each.figure(replace(tally, negatives=one[:, 0], positives=one[:, 1])) for one in (more, less)]
        assert moved[place] == pytest.approx((changed[0] - changed[1]) / 2e-4, rel=1e-4, abs=1e-9)


def test_the_variance_of_the_auroc_is_delongs() -> None:
    alone = PatientRows(OUTCOME, Scores(SCORE, 0.5), Sample.by_chance(pd.Series(range(200))))
    pairs = np.sign(SCORE[OUTCOME == 1][:, None] - SCORE[OUTCOME == 0][None]) / 2 + 0.5
    # DeLong 1988: the variances of the placements of both classes, each divided by their number.
    expected = pairs.mean(axis=1).var() / len(pairs) + pairs.mean(axis=0).var() / pairs.shape[1]
    parts = METRICS["auroc"].estimate(pairs.mean(), alone).parts
    assert (parts**2).sum() == pytest.approx(expected)


def test_the_variance_of_the_auroc_of_patients_with_many_rows_is_obuchowskis() -> None:
    patients = pd.Series(np.arange(200) // 4)
    area = reference.roc_auc_score(OUTCOME, SCORE)
    ill, well = OUTCOME == 1, OUTCOME == 0
    expected = 0.0
    for patient in range(50):
        # Obuchowski 1997: placements summed over the patient's rows, those of both classes together.
        mine = (patients == patient).to_numpy()
        above = [np.mean(np.sign(score - SCORE[well]) / 2 + 0.5) - area for score in SCORE[mine & ill]]
        below = [np.mean(np.sign(SCORE[ill] - score) / 2 + 0.5) - area for score in SCORE[mine & well]]
        expected += (sum(above) / ill.sum() + sum(below) / well.sum()) ** 2
    parts = METRICS["auroc"].estimate(area, PatientRows(OUTCOME, Scores(SCORE, 0.5), Sample.by_chance(patients))).parts
    assert (parts**2).sum() == pytest.approx(expected)


def test_an_undetermined_figure_is_none_with_that_reason() -> None:
    nowhere = {"nowhere": Smooth(lambda _tally: np.nan, lambda tally: tally.cells, ())}
    found = measure_with_intervals(OUTCOME, SCORE, 0.5, PATIENTS, nowhere)["nowhere"]
    assert (found.value, found.low, found.reason) == (None, None, "the stays do not determine it")


def test_the_auroc_is_the_share_of_pairs_in_order_and_nan_without_pairs() -> None:
    # Of the four pairs two are in order, one is not, and one ties: (2 + 1/2) / 4.
    assert auroc(np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.5])) == pytest.approx(2.5 / 4)
    assert np.isnan(auroc(np.array([1, 1]), np.array([0.9, 0.4])))


def test_the_flagged_share_counts_rows_at_the_threshold_and_above_of_all_rows() -> None:
    # Of five rows three reach 0.5: one with the outcome, two without.
    outcome, score = np.array([1, 0, 0, 1, 0]), np.array([0.5, 0.7, 0.6, 0.4, 0.1])
    sample = Sample.by_chance(pd.Series(list("abcde")))
    assert measure_with_intervals(outcome, score, 0.5, sample, {"share": FLAGGED})["share"].value == 3 / 5
