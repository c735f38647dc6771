"""The gates catch planted leaks, let clean data pass, and do not judge few patients."""

import numpy as np
import pandas as pd
import pytest

from wardround.candidates.base import Contributions, HyperParameters
from wardround.candidates.boosted_trees import BoostedTrees
from wardround.candidates.logistic_regression import LogisticRegression
from wardround.evaluation.gates import GateResult
from wardround.evaluation.metrics import Metric, auroc
from wardround.spec.leakage import Leakage
from wardround.training import leakage
from wardround.training.fitting import TrainingRows, out_of_fold
from wardround.training.leakage import (
    _cost,
    _permuted_outcomes,
    _sure,
    _suspects,
    _with_permuted,
    dominant_feature,
    explained,
    failed,
    patient_overlap,
    permuted_labels,
    too_good,
)

LIMITS = Leakage()
LINEAR = LogisticRegression.settings[0]
TREES = {"max_depth": 3, "eta": 0.3, "min_child_weight": 1, "num_boost_round": 40}
PATIENTS, EACH = 150, 4


def _rows(**planted: str) -> TrainingRows:
    """A ward whose columns a and b each carry some signal; with `leak`, one more column carries nearly all of it."""
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


def test_a_few_rows_of_each_patient_are_enough_to_catch_them(monkeypatch) -> None:
    rows = _torn()
    most = 2 * rows.patients.nunique()
    assert most < len(rows.outcome)
    monkeypatch.setattr(leakage, "_MOST_PERMUTED", most)
    gate = permuted_labels(BoostedTrees, rows, {**TREES, "max_depth": 8}, LIMITS, seed=1)
    assert gate.passed is False
    assert gate.found > 0.6


def _torn() -> TrainingRows:
    """A column that identifies the patient, and folds by row: a model knows the patients that it is judged on."""
    rows = _rows()
    known = rows.features.assign(number=rows.patients.str[1:].astype(float))
    return rows._replace(features=known[["number"]], folds=np.arange(len(rows.outcome)) % 4)


class Contrary(BoostedTrees):
    """Scores the opposite of what it has learned."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return 1 - super().predict(inputs)


def test_scores_that_know_permuted_outcomes_the_wrong_way_round_are_caught_too() -> None:
    gate = permuted_labels(Contrary, _torn(), {**TREES, "max_depth": 8}, LIMITS, seed=1)
    assert gate.passed is False
    assert gate.found < 0.3
    assert gate.found < gate.limit < 0.5, "the limit lies on the side of what was found"


def test_outcomes_are_permuted_within_each_fold_and_by_whole_patients() -> None:
    rows = _rows()
    # A fold of patients who all have the outcome, one where none has it, and three mixed ones.
    outcome = np.select([rows.folds == 0, rows.folds == 1], [1, 0], rows.outcome)
    dealt = _permuted_outcomes(rows._replace(outcome=outcome), (1, 0))
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


def test_features_that_carry_the_same_information_are_not_named() -> None:
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


def test_an_explanation_does_not_make_an_unjudged_gate_pass() -> None:
    allowed = explained(_too_good(0.99, patients=40), "the ward is simulated")
    assert (allowed.passed, allowed.explanation) == (None, "the ward is simulated")


@pytest.mark.parametrize(("low", "sure"), [(0.001, True), (0.0, False), (-0.01, False), (None, False)])
def test_a_cost_is_certain_only_if_its_whole_interval_is_above_zero(low: float | None, sure: bool) -> None:
    assert _sure(Metric(value=0.1, low=low, high=0.2 if low is not None else None, reason="none")) is sure


def _permuted_with(monkeypatch, found: list[float]) -> GateResult:
    """The result of the gate of permuted labels for ten given AUROCs."""
    given = iter(found)
    monkeypatch.setattr(leakage, "_with_permuted", lambda *_: next(given))
    return permuted_labels(LogisticRegression, _rows(), LINEAR, LIMITS, seed=1)


@pytest.mark.parametrize(
    ("mean", "apart", "passed", "side", "message"),
    [
        (0.55, 0.06, True, 1, "AUROC 0.550 with permuted labels, expected 0.5 within 0.096"),
        (0.45, 0.06, True, -1, "AUROC 0.450 with permuted labels, expected 0.5 within 0.096"),
        (0.7, 0.06, False, 1, "AUROC 0.700 with permuted labels, expected 0.5 within 0.096; scores know the outcome"),
        (0.3, 0.06, False, -1, "AUROC 0.300 with permuted labels, expected 0.5 within 0.096; scores know the outcome"),
        (0.55, 0.15, None, 1, "AUROC 0.550 with permuted labels, expected 0.5 within 0.239: too few patients to judge"),
        (0.5, 0.125, True, 1, "AUROC 0.500 with permuted labels, expected 0.5 within 0.199"),
        (0.5, 0.0, True, 1, "AUROC 0.500 with permuted labels, expected 0.5 within 0.000"),
    ],
)
def test_ten_aurocs_with_permuted_labels_may_differ_from_one_half_by_their_interval(
    monkeypatch, mean: float, apart: float, passed: bool | None, side: int, message: str
) -> None:
    gate = _permuted_with(monkeypatch, [mean - apart, mean + apart] * 5)
    # Ten values that lie `apart` from their mean have a deviation of apart x sqrt(10 / 9): its part for ten is a third.
    assert (gate.passed, gate.found) == (passed, pytest.approx(mean))
    assert gate.limit == pytest.approx(0.5 + side * 4.781 * apart / 3)
    assert gate.message.startswith(message)


def test_permuted_labels_are_not_judged_if_a_fold_leaves_one_outcome_only(monkeypatch) -> None:
    gate = _permuted_with(monkeypatch, [0.5] * 9 + [np.nan])
    assert (gate.passed, gate.found, gate.limit) == (None, None, None)
    assert gate.message == "a fold has patients of one outcome only: too few to judge"


def test_the_permutation_takes_each_fold_in_turn_with_the_setting_and_its_own_seeds(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(leakage, "_with_permuted", lambda *given: asked.append(given) or 0.5)
    monkeypatch.setattr(leakage, "_MOST_ROWS", 400)
    rows = _rows()
    permuted_labels(LogisticRegression, rows, LINEAR, LIMITS, seed=7)
    assert [given[2:] for given in asked] == [(LINEAR, repeat % 5, (7, repeat)) for repeat in range(10)]
    some = rows.some(400, seed=7).patients.tolist()
    assert all(given[1].patients.tolist() == some for given in asked)


class Weighing:
    """Scores a row by a weighted sum of its columns, and records how it was fitted."""

    weights: tuple[float, ...] = (1.0,)

    def __init__(self) -> None:
        self.fits: list[tuple[int, int, int, HyperParameters | None]] = []

    def fit(self, inputs: np.ndarray, outcome: np.ndarray, seed: int, setting: HyperParameters | None) -> "Weighing":
        self.fits.append((len(inputs), int(outcome.sum()), seed, setting))
        return self

    def contributions(self, inputs: np.ndarray) -> Contributions:
        assert not np.isnan(inputs).any(), "a candidate is asked about known values only"
        return Contributions(inputs, 0.0)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return self.contributions(inputs).values.sum(axis=1)


def test_a_permutation_learns_outside_the_fold_and_is_judged_inside_it() -> None:
    rows, candidate = _rows(), Weighing()
    rows = rows._replace(folds=np.where(rows.folds == 2, 2, 1))
    dealt, inside = _permuted_outcomes(rows, (3, 4)), rows.folds == 2
    found = _with_permuted(candidate, rows, LINEAR, 2, (3, 4))
    assert candidate.fits == [(480, dealt[~inside].sum(), 3, LINEAR)]
    assert found == auroc(dealt[inside], rows.features[inside].to_numpy().sum(axis=1))


def test_the_seed_decides_the_permutation_whatever_the_order_of_rows() -> None:
    rows = _rows()
    dealt, order = _permuted_outcomes(rows, (1, 0)), np.random.default_rng(3).permutation(len(rows.outcome))
    shuffled = TrainingRows(
        rows.features.iloc[order], rows.outcome[order], rows.folds[order], rows.patients.iloc[order]
    )
    assert _permuted_outcomes(shuffled, (1, 0)).tolist() == dealt[order].tolist()
    assert _permuted_outcomes(rows, (1, 1)).tolist() != dealt.tolist()


def _sixteen() -> TrainingRows:
    """In fold 1, 16 rows with the outcome, each told by one column, and as many without; more rows elsewhere."""
    told = {"known": 3, "x": 6, "y": 4, "z": 3}
    column = np.repeat(np.arange(4), list(told.values()))
    inside = np.zeros((32, 4))
    inside[np.arange(16), column] = 1.0
    features = pd.DataFrame(np.vstack([inside, np.zeros((10, 4))]), columns=list(told))
    outcome = np.r_[np.ones(16), np.zeros(16), np.ones(5), np.zeros(5)].astype(int)
    return TrainingRows(features, outcome, np.repeat([1, 2], [32, 10]), pd.Series(np.arange(42)))


def test_a_feature_is_examined_if_one_fold_loses_more_than_half_the_limit_without_it() -> None:
    # The AUROC is 1. Without its column each told row ties with all others: 1/32 less. x costs 6/32, y 4/32 (just half
    # the limit of a quarter), the other two 3/32.
    candidate, setting = Weighing(), {"any": 1}
    found = list(_suspects(candidate, _sixteen(), setting, Leakage(max_feature_cost=0.25), 7, ()))
    assert found == ["x"]
    assert candidate.fits == [(10, 5, 7, setting)], "it learns from the rows outside the fold"


def test_every_fit_of_the_gate_has_the_setting_and_the_seed() -> None:
    candidate, setting = Weighing(), {"any": 1}
    dominant_feature(candidate, _sixteen(), setting, Leakage(max_feature_cost=0.15, min_patients=2), seed=7)
    assert all(fit[2:] == (7, setting) for fit in candidate.fits)
    # Two folds as they are, one to look for suspects (all four cost 3/32 or more), and two without each suspect.
    assert len(candidate.fits) == 2 + 1 + 2 * 4


def test_a_cost_is_that_of_the_auroc_and_repeats() -> None:
    rows = _rows()._replace(folds=np.arange(PATIENTS * EACH) // EACH % 2)
    whole = out_of_fold(Weighing(), rows, 1, LINEAR)
    cost = _cost(Weighing(), rows, LINEAR, whole, "a", 1)
    left = rows.features.drop(columns="a").to_numpy().sum(axis=1)
    assert cost.value == pytest.approx(auroc(rows.outcome, whole) - auroc(rows.outcome, left))
    assert cost == _cost(Weighing(), rows, LINEAR, whole, "a", 1)
    assert cost.low < cost.value < cost.high


def _named(monkeypatch, costs: dict[str, Metric]) -> GateResult:
    """The result of the gate of the dominant feature for features with the given costs."""
    monkeypatch.setattr(leakage, "_suspects", lambda *_: iter(costs))
    monkeypatch.setattr(leakage, "_cost", lambda *given: costs[given[4]])
    return dominant_feature(LogisticRegression, _rows(), LINEAR, LIMITS, seed=1)


UNSURE = Metric(value=0.3, low=-0.1, high=0.6)
NO_COST = Metric(value=None, reason="no stay with the outcome")


def test_features_with_a_certain_cost_above_the_limit_are_named_with_the_largest_cost(monkeypatch) -> None:
    costs = {
        "at_limit": Metric(value=LIMITS.max_feature_cost, low=0.01, high=0.1),
        "unsure": UNSURE,
        "none": NO_COST,
        "leak": Metric(value=0.06, low=0.01, high=0.1),
        "small": Metric(value=0.01, low=0.005, high=0.02),
        "worse": Metric(value=0.08, low=0.02, high=0.2),
    }
    gate = _named(monkeypatch, costs)
    assert (gate.passed, gate.columns, gate.found, gate.limit) == (True, ("leak", "worse"), 0.08, 0.05)
    assert gate.message.startswith("without leak, worse the AUROC falls by 0.080, more than 0.05; make sure")


@pytest.mark.parametrize(("costs", "found"), [({}, 0), ({"none": NO_COST}, 0), ({"none": NO_COST, "b": UNSURE}, 0.3)])
def test_the_largest_cost_is_given_if_no_feature_is_named(monkeypatch, costs: dict, found: float) -> None:
    gate = _named(monkeypatch, costs)
    assert (gate.passed, gate.columns, gate.found, gate.limit) == (True, (), found, 0.05)
    assert gate.message == "no feature surely costs more than 0.05 AUROC"


def test_a_large_cost_without_an_interval_is_not_judged_and_says_so(monkeypatch) -> None:
    cost = Metric(value=0.3, reason="too few patients with the outcome (3) for an interval")
    gate = _named(monkeypatch, {"told": cost})
    assert (gate.passed, gate.columns, gate.found) == (None, (), 0.3)
    assert gate.message.startswith("without told the AUROC falls by 0.300 (too few patients with the outcome (3)")
    assert _named(monkeypatch, {"told": cost, "leak": Metric(value=0.4, low=0.1, high=0.6)}).columns == ("leak",)


def test_the_gate_of_too_good_says_if_the_auroc_has_no_interval() -> None:
    few = Metric(value=0.9, reason="too few patients with the outcome (3) for an interval")
    told = too_good(few, np.arange(100) % 2, pd.Series(np.arange(100)), ["a"], LIMITS)
    assert "AUROC 0.900 (too few patients with the outcome (3) for an interval) on the test patients" in told.message


def test_costs_use_a_limited_number_of_rows_and_scores_with_the_same_seed_and_setting(monkeypatch) -> None:
    asked, rows = [], _rows()
    monkeypatch.setattr(leakage, "_MOST_ROWS", 400)
    monkeypatch.setattr(leakage, "_suspects", lambda *given: asked.append(given) or iter(["a"]))
    monkeypatch.setattr(leakage, "_cost", lambda *given: asked.append(given) or NO_COST)
    dominant_feature(LogisticRegression, rows, {"C": 5.0}, LIMITS, seed=7)
    some = rows.some(400, seed=7)
    suspected, cost = asked
    assert suspected[2:] == ({"C": 5.0}, LIMITS, 7, ())
    assert (cost[2], cost[4:]) == ({"C": 5.0}, ("a", 7))
    for given in asked:
        assert given[1].patients.tolist() == some.patients.tolist()
    assert cost[3].tolist() == out_of_fold(LogisticRegression, some, 7, {"C": 5.0}).tolist()


def _judged(with_outcome: int, without: int) -> GateResult:
    outcome = np.repeat([1, 0], [with_outcome, without])
    return too_good(Metric(value=0.99), outcome, pd.Series(np.arange(len(outcome))), ["a"], LIMITS)


def test_thirty_patients_with_the_outcome_and_thirty_without_are_enough_to_judge() -> None:
    assert _judged(30, 30).passed is False
    for counts, fewest in (((29, 90), "29 with the outcome"), ((90, 7), "7 without it")):
        gate = _judged(*counts)
        assert gate.passed is None
        assert f"too few patients to judge: {fewest}, expected at least 30" in gate.message
