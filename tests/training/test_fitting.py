"""Imputation and scaling are learned inside the folds and from no other rows."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from wardround.candidates.base import HyperParameters
from wardround.candidates.boosted_trees import BoostedTrees
from wardround.candidates.logistic_regression import LogisticRegression
from wardround.candidates.random_forest import RandomForest
from wardround.evaluation.alerts import Alerts
from wardround.evaluation.calibration import calibrated
from wardround.evaluation.metrics import Metric, measure_with_intervals
from wardround.evaluation.results import Calibration
from wardround.evaluation.samples import Sample
from wardround.spec.conditions import Bands
from wardround.training.fitting import (
    CandidateResult,
    OutOfFold,
    TrainingRows,
    choose,
    fold_results,
    for_a_sample,
    inputs_from,
    judge,
    medians,
    out_of_fold,
)

NAN = float("nan")


def _rows() -> TrainingRows:
    generator = np.random.default_rng(5)
    features = pd.DataFrame(generator.normal(size=(100, 3)), columns=["a", "b", "c"])
    outcome = (features["a"] + generator.normal(size=100) > 0.5).to_numpy(dtype=int)
    known = features.mask(generator.random((100, 3)) < 0.2)
    return TrainingRows(known, outcome, np.arange(100) % 5, pd.Series([f"p{n}" for n in range(100)]))


def _of_one_stay(rows: int, hours: int) -> Alerts:
    """A prediction every so many hours, with a lock-out of twelve."""
    as_of = pd.Timestamp("2150-01-01T00:00Z") + pd.to_timedelta(np.arange(rows) * hours, unit="h")
    return Alerts(pd.Series(["s"] * rows), pd.Series(as_of), timedelta(hours=12), hours)


def test_unknown_values_become_medians_and_a_column_without_values_becomes_zero() -> None:
    features = pd.DataFrame({"a": [1.0, NAN, 5.0, 2.0], "never": [NAN] * 4})
    learned = medians(features)
    assert learned == {"a": 2.0, "never": 0.0}
    assert inputs_from(features, learned).tolist() == [[1, 0], [2, 0], [5, 0], [2, 0]]


def test_inputs_are_found_by_name_and_come_in_the_order_of_the_imputation() -> None:
    features = pd.DataFrame({"extra": [9.0], "b": [2.0], "a": [1.0]})
    assert inputs_from(features, {"a": 0.0, "b": 0.0}).tolist() == [[1.0, 2.0]]


def test_nothing_of_a_fold_influences_the_scores_of_another_row_of_it() -> None:
    rows = _rows()
    before = out_of_fold(LogisticRegression, rows, seed=1)
    changed = rows.features.copy()
    changed.iloc[0] = 1e6
    after = out_of_fold(LogisticRegression, rows._replace(features=changed), seed=1)
    same_fold = (rows.folds == rows.folds[0]) & (np.arange(100) != 0)
    assert np.array_equal(after[same_fold], before[same_fold])
    assert not np.array_equal(after[~same_fold], before[~same_fold])


def test_every_row_gets_an_out_of_fold_score() -> None:
    rows = _rows()
    scores = out_of_fold(LogisticRegression, rows, seed=1)
    assert np.isfinite(scores).all()
    judged = OutOfFold(rows.outcome, rows.folds, scores, rows.sample)
    result = judge("", judged, Bands(policy="f1", moderate_at=0.5), _of_one_stay(100, hours=24))
    assert result.metrics["auroc"].value > 0.6
    assert (result.calibration.method, result.policy.reached) == ("platt", result.metrics["f1"].value)


def test_a_sample_has_all_rows_of_patients_that_the_seed_decides() -> None:
    rows = _rows()._replace(patients=pd.Series([f"p{n // 4}" for n in range(100)]))
    some = rows.some(40, seed=1)
    assert some.patients.value_counts().tolist() == [4] * 10
    assert some.patients.tolist() == rows.some(40, seed=1).patients.tolist() != rows.some(40, seed=2).patients.tolist()
    assert len(rows.some(100, seed=1).outcome) == 100


def test_a_thinned_sample_has_a_few_rows_of_every_patient_that_the_seed_decides() -> None:
    names = np.r_[np.repeat([f"p{n}" for n in range(10)], 9), [f"q{n}" for n in range(10)]]
    rows = _rows()._replace(patients=pd.Series(names))
    few = rows.thinned(60, seed=1)
    assert few.patients.value_counts().sort_index().tolist() == [3] * 10 + [1] * 10
    assert few.features.index.is_monotonic_increasing
    assert few.features.equals(rows.thinned(60, seed=1).features)
    assert not few.features.index.equals(rows.thinned(60, seed=2).features.index)
    assert rows.thinned(5, seed=1).patients.is_unique, "one of each, however many patients there are"
    assert rows.thinned(100, seed=1) is rows


def test_the_best_f1_is_chosen_and_of_equals_the_first() -> None:
    def result(f1: float) -> CandidateResult:
        return CandidateResult(title="", threshold=0.5, metrics={"f1": Metric(value=f1)})

    assert choose({"a": result(0.2), "b": result(0.5), "c": result(0.5)}) == "b"


def test_a_candidate_without_an_f1_is_chosen_only_if_none_has_one() -> None:
    none = CandidateResult(title="", threshold=0.5, metrics={"f1": Metric(value=None, reason="no stay")})
    some = CandidateResult(title="", threshold=0.5, metrics={"f1": Metric(value=0.2)})
    assert choose({"a": none, "b": some}) == "b"
    assert choose({"a": none, "b": none}) == "a"


def test_chosen_rows_keep_their_features_outcome_fold_and_patient() -> None:
    rows = _rows()
    chosen = np.arange(100) % 7 == 3
    taken = rows.take(chosen)
    assert taken.features.equals(rows.features[chosen])
    assert taken.outcome.tolist() == rows.outcome[chosen].tolist()
    assert taken.folds.tolist() == [n % 5 for n in range(3, 100, 7)]
    assert taken.patients.tolist() == [f"p{n}" for n in range(3, 100, 7)]


def test_as_many_rows_as_allowed_stay_in_their_order() -> None:
    rows = _rows()
    assert rows.some(100, seed=1) is rows


class Noting:
    """Records the rows, seed and setting that it was fitted with; its scores are the number of rows."""

    def __init__(self) -> None:
        self.fits: list[tuple[list[float], int, HyperParameters | None]] = []

    def fit(self, inputs: np.ndarray, _outcome: np.ndarray, seed: int, setting: HyperParameters | None) -> "Noting":
        self.fits.append((inputs[:, 0].tolist(), seed, setting))
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return np.full(len(inputs), float(len(self.fits[-1][0])))


def test_each_fold_is_scored_by_a_fit_to_all_other_folds_with_the_seed_and_the_setting() -> None:
    folds, setting = np.array([0, 1, 1, 2, 2, 2]), {"any": 3}
    rows = TrainingRows(pd.DataFrame({"a": np.arange(6.0)}), np.array([0, 1] * 3), folds, pd.Series(list("abcdef")))
    candidate = Noting()
    assert out_of_fold(candidate, rows, 7, setting).tolist() == [5, 4, 4, 3, 3, 3]
    assert candidate.fits == [([1, 2, 3, 4, 5], 7, setting), ([0, 3, 4, 5], 7, setting), ([0, 1, 2], 7, setting)]


def test_alerts_are_budgeted_by_the_hours_that_a_row_stands_for() -> None:
    # Half the rows have the outcome and the higher scores. At 50 alerts per 100 days half of the daily rows may be in
    # the high band, but of hourly rows only one of 48: the next one a lock-out later would be a second alert.
    outcome, scores = np.repeat([0, 1], 24), np.linspace(0.1, 0.9, 48)
    bands = Bands(policy="alert_budget", alerts_per_100_patient_days=50, moderate_at=0.5)
    rows = OutOfFold(outcome, np.arange(48) % 2, scores, Sample.by_chance(pd.Series(["p"] * 48)))
    daily, hourly = (judge("", rows, bands, _of_one_stay(48, hours)) for hours in (24, 1))
    assert (daily.policy.reached, hourly.policy.reached) == (pytest.approx(50), pytest.approx(50))
    assert (daily.metrics["sensitivity"].value, hourly.metrics["sensitivity"].value) == (1, pytest.approx(12 / 24))


def test_each_fold_has_its_setting_and_figures_of_its_own_rows_at_the_threshold_of_all() -> None:
    # Calibrated by an intercept of ln 3: a half becomes three quarters, a quarter a half, a tenth a quarter.
    scores = np.array([0.5, 0.25, 0.1, 0.5, 0.5, 0.1])
    outcome, folds = np.array([1, 0, 0, 0, 1, 1]), np.array([4, 4, 4, 2, 2, 2])
    calibration = Calibration(method="platt", slope=1, intercept=float(np.log(3)))
    result = CandidateResult(title="", threshold=0.7, metrics={}, calibration=calibration)
    rows = OutOfFold(outcome, folds, scores, Sample.by_chance(pd.Series(list("abcdef"))))
    first, second = fold_results(rows, {4: {"depth": 1}, 2: {"depth": 9}}, result)
    assert (first.fold, first.settings, second.fold, second.settings) == (4, {"depth": 1}, 2, {"depth": 9})
    # Above 0.7 is one row of the first fold, with the outcome, and two of the second, one with and one without it.
    assert (first.metrics["sensitivity"].value, first.metrics["ppv"].value) == (1, 1)
    assert (second.metrics["sensitivity"].value, second.metrics["ppv"].value) == (0.5, 0.5)
    assert first.metrics["brier"].value == pytest.approx((0.25**2 + 0.5**2 + 0.25**2) / 3)
    assert second.metrics["brier"].value == pytest.approx((0.75**2 + 0.25**2 + 0.75**2) / 3)


def test_every_figure_of_a_candidate_has_an_interval_over_patients_or_the_reason_why_it_has_none() -> None:
    # Forty patients with two rows each, half with the outcome; a fold has four patients with it and four without.
    patients = np.repeat(np.arange(40), 2)
    outcome, folds = (patients % 2), patients // 2 % 5
    scores = np.linspace(0.2, 0.8, 80) + 0.1 * outcome
    rows = OutOfFold(outcome, folds, scores, Sample.by_chance(pd.Series([f"p{patient}" for patient in patients])))
    result = judge("", rows, Bands(policy="f1", moderate_at=0.5), _of_one_stay(80, hours=1))
    expected = measure_with_intervals(outcome, calibrated(scores, result.calibration), result.threshold, rows.sample)
    assert result.metrics == expected
    assert result.metrics["auroc"].interval
    for fold in fold_results(rows, {0: {}, 3: {}}, result):
        assert fold.metrics["auroc"].interval is None
        assert "too few patients with the outcome (4)" in fold.metrics["auroc"].why_no_interval
        assert fold.metrics["sensitivity"].interval


def test_for_a_sample_leaves_hold_the_same_share_of_the_rows() -> None:
    large = BoostedTrees.large[0]
    assert for_a_sample(BoostedTrees, large, 0.1) == {**large, "min_child_weight": 20}
    assert for_a_sample(BoostedTrees, large, 1.0) == large
    # No leaf is asked for less than one row, unless it was.
    assert for_a_sample(BoostedTrees, {"min_child_weight": 5}, 0.1) == {"min_child_weight": 1}
    assert for_a_sample(BoostedTrees, {"min_child_weight": 0.5}, 0.1) == {"min_child_weight": 0.5}
    assert for_a_sample(RandomForest, {"min_samples_leaf": 20}, 0.1) == {"min_samples_leaf": 20}
