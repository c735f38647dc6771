"""The gates: what is planted is caught, what is clean passes, and few patients are not judged."""

import numpy as np
import pandas as pd
import pytest

from wardround.core.candidates.boosted_trees import BoostedTrees
from wardround.core.candidates.logistic_regression import LogisticRegression
from wardround.core.evaluation.gates import GateResult
from wardround.core.evaluation.leakage import (
    _dealt_anew,
    _sure,
    dominant_feature,
    explained,
    failed,
    patient_overlap,
    permuted_labels,
    too_good,
)
from wardround.core.fitting import TrainingRows, out_of_fold
from wardround.core.metrics import Metric, auroc
from wardround.spec.leakage import Leakage

LIMITS = Leakage()
LINEAR = LogisticRegression.settings[0]
TREES = {"max_depth": 3, "eta": 0.3, "min_child_weight": 1, "rounds": 40}
PATIENTS, EACH = 150, 4


def _rows(**planted: str) -> TrainingRows:
    """A ward in which the columns a and b each tell something; with `leak`, one more column that tells nearly all."""
    generator = np.random.default_rng(4)
    patient = np.repeat(np.arange(PATIENTS), EACH)
    severity = np.repeat(generator.normal(size=PATIENTS), EACH)
    rows = PATIENTS * EACH
    outcome = (severity + 0.8 * generator.normal(size=rows) > 0.8).astype(int)
    features = pd.DataFrame({name: severity + generator.normal(size=rows) for name in ("a", "b")})
    features = features.assign(**{name: generator.normal(size=rows) for name in ("c", "d", "e")})
    if "leak" in planted:
        features[planted["leak"]] = outcome + 0.3 * generator.normal(size=rows)
    return TrainingRows(features, outcome, patient % 5, pd.Series([f"p{n}" for n in patient]))


def test_a_patient_on_two_sides_is_caught() -> None:
    patients = pd.Series(["a", "a", "b", "b", "c"])
    gate = patient_overlap(patients, pd.Series([0, 0, 1, -1, -1]))
    assert (gate.passed, gate.found, gate.limit) == (False, 1, 0)
    assert gate.message.startswith("1 patients are on two sides")
    assert failed((gate,)) == (gate,)
    apart = patient_overlap(patients, pd.Series([0, 0, 1, 1, -1]))
    assert (apart.passed, apart.message) == (True, "no patient is on two sides or in two folds")


def test_the_planted_effect_is_found_and_permuted_labels_find_nothing() -> None:
    rows = _rows()
    assert auroc(rows.outcome, out_of_fold(LogisticRegression, rows, seed=1)) > 0.7
    gate = permuted_labels(LogisticRegression, rows, LINEAR, LIMITS, seed=1)
    assert gate.passed is True
    assert abs(gate.found - 0.5) <= abs(gate.limit - 0.5) < 0.2


def test_permuted_labels_catch_patients_that_are_in_several_folds() -> None:
    gate = permuted_labels(BoostedTrees, _torn(), {**TREES, "max_depth": 8}, LIMITS, seed=1)
    assert gate.passed is False
    assert gate.found > 0.7
    assert "expected 0.5 within" in gate.message


def _torn() -> TrainingRows:
    """A column that is the patient's own, and folds by row: a model knows the patients that it is judged on."""
    rows = _rows()
    known = rows.features.assign(number=rows.patients.str[1:].astype(float))
    return rows._replace(features=known[["number"]], folds=np.arange(len(rows.outcome)) % 4)


class Contrary(BoostedTrees):
    """Says the opposite of what it has learnt."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return 1 - super().predict(inputs)


def test_scores_that_know_permuted_outcomes_the_wrong_way_round_are_caught_too() -> None:
    gate = permuted_labels(Contrary, _torn(), {**TREES, "max_depth": 8}, LIMITS, seed=1)
    assert gate.passed is False
    assert gate.found < 0.3
    assert gate.found < gate.limit < 0.5, "the limit lies on the side of what was found"


def test_outcomes_are_dealt_anew_within_each_fold_and_to_whole_patients() -> None:
    rows = _rows()
    # A fold of patients who all have the outcome, one where none has it, and three mixed ones.
    outcome = np.select([rows.folds == 0, rows.folds == 1], [1, 0], rows.outcome)
    dealt = _dealt_anew(rows._replace(outcome=outcome), (1, 0))
    facts = pd.DataFrame({"patient": rows.patients, "fold": rows.folds, "before": outcome, "after": dealt})
    per_patient = facts.groupby("patient").agg(
        fold=("fold", "first"), before=("before", "max"), after=("after", "max"), least=("after", "min")
    )
    assert (per_patient["after"] == per_patient["least"]).all(), "all rows of a patient get one outcome"
    by_fold = per_patient.groupby("fold")
    assert (by_fold["before"].sum() == by_fold["after"].sum()).all(), "no outcome moves to another fold"
    moved = by_fold.apply(lambda mine: (mine["before"] != mine["after"]).any())
    assert moved.tolist() == [False, False, True, True, True]


def test_clean_data_pass_the_permutation_with_any_seed() -> None:
    rows = _rows()
    assert all(permuted_labels(LogisticRegression, rows, LINEAR, LIMITS, seed).passed for seed in range(4))


def test_with_few_patients_permuted_labels_are_not_judged() -> None:
    rows = _rows()
    few = rows.take((rows.patients.str[1:].astype(int) < 15).to_numpy())
    gate = permuted_labels(LogisticRegression, few, LINEAR, LIMITS, seed=1)
    assert gate.passed is None
    assert gate.message == "too few patients to judge: 7 with the outcome, expected at least 30"


def test_a_planted_leak_is_named_and_stops_only_where_the_spec_says_so() -> None:
    rows = _rows(leak="told")
    gate = dominant_feature(BoostedTrees, rows, TREES, LIMITS, seed=1)
    assert (gate.passed, gate.columns) == (True, ("told",))
    assert gate.found > LIMITS.max_feature_cost
    strict = Leakage(dominant_feature="stop")
    assert dominant_feature(BoostedTrees, rows, TREES, strict, seed=1).passed is False


def test_features_that_share_what_they_tell_are_not_named() -> None:
    rows = _rows()
    twin = rows.features["a"] + 0.1 * np.random.default_rng(1).normal(size=len(rows.features))
    gate = dominant_feature(LogisticRegression, rows._replace(features=rows.features.assign(b=twin)), LINEAR, LIMITS, 1)
    assert (gate.passed, gate.columns) == (True, ())


def test_with_few_patients_no_feature_is_named() -> None:
    rows = _rows(leak="told")
    few = rows.take((rows.patients.str[1:].astype(int) < 40).to_numpy())
    gate = dominant_feature(BoostedTrees, few, TREES, LIMITS, seed=1)
    assert (gate.passed, gate.columns, "too few patients" in gate.message) == (None, (), True)


def _too_good(value: float | None, patients: int) -> GateResult:
    outcome = np.arange(patients) % 2
    return too_good(Metric(value=value, reason="none"), outcome, pd.Series(np.arange(patients)), ["told", "a"], LIMITS)


def test_an_auroc_above_the_limit_stops_until_it_is_explained() -> None:
    gate = _too_good(0.97, patients=100)
    assert gate.passed is False
    assert "0.970" in gate.message
    assert "told, a" in gate.message
    assert "--explained" in gate.message
    allowed = explained(gate, "the ward is simulated")
    assert (allowed.passed, allowed.explanation, allowed.found) == (True, "the ward is simulated", 0.97)
    assert explained(gate, None) == gate


@pytest.mark.parametrize(("value", "patients", "passed"), [(0.94, 100, True), (0.99, 40, None), (None, 100, None)])
def test_an_auroc_within_the_limit_or_of_few_patients_stops_nothing(value, patients, passed) -> None:
    assert _too_good(value, patients).passed is passed


@pytest.mark.parametrize(("value", "patients"), [(0.95, 100), (0.951, 100), (0.951, 40), (None, 100)])
def test_the_gate_states_the_auroc_and_what_it_was_judged_against(value: float | None, patients: int) -> None:
    gate = _too_good(value, patients)
    assert (gate.found, gate.limit) == (value, LIMITS.max_auroc)


def test_an_auroc_at_the_limit_passes_and_one_above_it_does_not() -> None:
    assert _too_good(LIMITS.max_auroc, patients=100).passed is True
    assert _too_good(LIMITS.max_auroc + 0.001, patients=100).passed is False


def test_an_explanation_makes_no_pass_of_a_gate_that_could_not_judge() -> None:
    allowed = explained(_too_good(0.99, patients=40), "the ward is simulated")
    assert (allowed.passed, allowed.explanation) == (None, "the ward is simulated")


@pytest.mark.parametrize(("low", "sure"), [(0.001, True), (0.0, False), (-0.01, False), (None, False)])
def test_a_cost_is_sure_only_where_its_whole_interval_is_above_nothing(low: float | None, sure: bool) -> None:
    assert _sure(Metric(value=0.1, low=low, high=0.2 if low is not None else None, reason="none")) is sure
