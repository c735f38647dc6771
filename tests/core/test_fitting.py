"""Imputation and scaling are learned inside the folds and from no one else."""

import numpy as np
import pandas as pd

from wardround.core.candidates.logistic_regression import LogisticRegression
from wardround.core.fitting import CandidateResult, TrainingRows, choose, inputs_from, judge, medians, out_of_fold
from wardround.core.metrics import Metric
from wardround.spec.conditions import Bands

NAN = float("nan")


def _rows() -> TrainingRows:
    generator = np.random.default_rng(5)
    features = pd.DataFrame(generator.normal(size=(100, 3)), columns=["a", "b", "c"])
    outcome = (features["a"] + generator.normal(size=100) > 0.5).to_numpy(dtype=int)
    known = features.mask(generator.random((100, 3)) < 0.2)
    return TrainingRows(known, outcome, np.arange(100) % 5, pd.Series([f"p{n}" for n in range(100)]))


def test_unknown_values_become_medians_and_a_column_never_seen_becomes_zero() -> None:
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
    result = judge("", rows.outcome, scores, Bands(policy="f1", moderate_at=0.5), hours_per_row=24)
    assert result.metrics["auroc"].value > 0.6
    assert (result.calibration.method, result.policy.reached) == ("platt", result.metrics["f1"].value)


def test_some_rows_are_all_rows_of_some_patients_and_the_seed_says_of_whom() -> None:
    rows = _rows()._replace(patients=pd.Series([f"p{n // 4}" for n in range(100)]))
    some = rows.some(40, seed=1)
    assert some.patients.value_counts().tolist() == [4] * 10
    assert some.patients.tolist() == rows.some(40, seed=1).patients.tolist() != rows.some(40, seed=2).patients.tolist()
    assert len(rows.some(100, seed=1).outcome) == 100


def test_the_best_f1_is_chosen_and_of_equals_the_first() -> None:
    def result(f1: float) -> CandidateResult:
        return CandidateResult(title="", threshold=0.5, metrics={"f1": Metric(value=f1)})

    assert choose({"a": result(0.2), "b": result(0.5), "c": result(0.5)}) == "b"
