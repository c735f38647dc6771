"""Imputation and scaling are learned inside the folds and from no one else."""

import numpy as np
import pandas as pd

from wardround.core.candidates.logistic_regression import LogisticRegression
from wardround.core.fitting import CandidateResult, choose, inputs_from, judge, medians, out_of_fold
from wardround.core.metrics import Metric

NAN = float("nan")


def _data() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    features = pd.DataFrame(generator.normal(size=(100, 3)), columns=["a", "b", "c"])
    outcome = (features["a"] + generator.normal(size=100) > 0.5).to_numpy(dtype=int)
    return features.mask(generator.random((100, 3)) < 0.2), outcome, np.arange(100) % 5


def test_unknown_values_become_medians_and_a_column_never_seen_becomes_zero() -> None:
    features = pd.DataFrame({"a": [1.0, NAN, 5.0, 2.0], "never": [NAN] * 4})
    learned = medians(features)
    assert learned == {"a": 2.0, "never": 0.0}
    assert inputs_from(features, learned).tolist() == [[1, 0], [2, 0], [5, 0], [2, 0]]


def test_inputs_are_found_by_name_and_come_in_the_order_of_the_imputation() -> None:
    features = pd.DataFrame({"extra": [9.0], "b": [2.0], "a": [1.0]})
    assert inputs_from(features, {"a": 0.0, "b": 0.0}).tolist() == [[1.0, 2.0]]


def test_nothing_of_a_fold_influences_the_scores_of_another_row_of_it() -> None:
    features, outcome, folds = _data()
    before = out_of_fold(LogisticRegression, features, outcome, folds, seed=1)
    changed = features.copy()
    changed.iloc[0] = 1e6
    after = out_of_fold(LogisticRegression, changed, outcome, folds, seed=1)
    same_fold = (folds == folds[0]) & (np.arange(100) != 0)
    assert np.array_equal(after[same_fold], before[same_fold])
    assert not np.array_equal(after[~same_fold], before[~same_fold])


def test_every_row_gets_an_out_of_fold_score() -> None:
    features, outcome, folds = _data()
    scores = out_of_fold(LogisticRegression, features, outcome, folds, seed=1)
    assert np.isfinite(scores).all()
    assert judge(LogisticRegression, outcome, scores).metrics["auroc"].value > 0.6


def test_the_best_f1_is_chosen_and_of_equals_the_first() -> None:
    def result(f1: float) -> CandidateResult:
        return CandidateResult(title="", threshold=0.5, metrics={"f1": Metric(value=f1)})

    assert choose({"a": result(0.2), "b": result(0.5), "c": result(0.5)}) == "b"
