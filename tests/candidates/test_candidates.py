"""What holds for every candidate: alone or in company, twice or once, a row gets one score that its parts explain."""

from io import BytesIO

import joblib
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from wardround.candidates import random_forest
from wardround.candidates.base import Fitted, probability
from wardround.candidates.boosted_trees import BoostedTrees
from wardround.candidates.logistic_regression import LogisticRegression
from wardround.candidates.random_forest import RandomForest
from wardround.candidates.registry import CANDIDATES

ROWS, COLUMNS = 300, 12


def _data() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(11)
    inputs = generator.normal(size=(ROWS, COLUMNS))
    return inputs, (inputs[:, 2] + 0.5 * generator.normal(size=ROWS) > 0.8).astype(int)


INPUTS, OUTCOME = _data()


@pytest.fixture(scope="module", params=CANDIDATES)
def fitted(request) -> Fitted:
    return CANDIDATES[request.param].fit(INPUTS, OUTCOME, seed=1)


def test_it_learns_what_there_is_to_learn(fitted: Fitted) -> None:
    assert roc_auc_score(OUTCOME, fitted.predict(INPUTS)) > 0.9


def test_probabilities_are_natural_and_not_pushed_to_one_half(fitted: Fitted) -> None:
    assert fitted.predict(INPUTS).mean() == pytest.approx(OUTCOME.mean(), abs=0.03)


def test_the_same_data_and_seed_give_the_same_file(fitted: Fitted) -> None:
    assert type(fitted).fit(INPUTS, OUTCOME, seed=1).dump() == fitted.dump()


def test_what_is_stored_scores_and_explains_exactly_alike(fitted: Fitted) -> None:
    restored = type(fitted).parse(fitted.dump())
    assert np.array_equal(restored.predict(INPUTS), fitted.predict(INPUTS))
    assert np.array_equal(restored.contributions(INPUTS).values, fitted.contributions(INPUTS).values)


def test_a_row_scores_the_same_alone_in_a_batch_and_in_any_order(fitted: Fitted) -> None:
    order = np.random.default_rng(2).permutation(ROWS)
    in_batch = fitted.predict(INPUTS)
    assert np.array_equal(fitted.predict(INPUTS[order]), in_batch[order])
    assert [fitted.predict(INPUTS[row : row + 1])[0] for row in range(40)] == in_batch[:40].tolist()


def test_scores_and_contributions_in_one_are_those_of_each(fitted: Fitted) -> None:
    for rows in (INPUTS, INPUTS[:1]):
        scores, contributions = fitted.explained(rows)
        assert np.array_equal(scores, fitted.predict(rows))
        assert np.array_equal(contributions.values, fitted.contributions(rows).values)


def test_a_value_on_a_threshold_of_a_forest_goes_the_same_way_alone_and_in_a_batch() -> None:
    whole = np.round(INPUTS)
    forest = RandomForest.fit(whole, OUTCOME, seed=1)
    halves = np.concatenate([np.arange(-4, 4, 0.5)] * 20).reshape(-1, 1) * np.ones(COLUMNS)
    assert np.isin(forest.nodes.threshold, halves).sum() > 100
    in_batch = forest.predict(halves)
    assert [forest.predict(halves[row : row + 1])[0] for row in range(len(halves))] == in_batch.tolist()


def test_contributions_and_bias_sum_to_the_prediction(fitted: Fitted) -> None:
    values, bias = fitted.contributions(INPUTS)
    assert values.shape == INPUTS.shape
    total = values.sum(axis=1) + bias
    explained = probability(total) if fitted.unit == "log-odds" else total
    assert explained == pytest.approx(fitted.predict(INPUTS), abs=1e-6)


def test_contributions_of_a_row_do_not_depend_on_other_rows(fitted: Fitted) -> None:
    in_batch = fitted.contributions(INPUTS).values
    alone = [fitted.contributions(INPUTS[row : row + 1]).values[0] for row in range(20)]
    assert np.array_equal(np.array(alone), in_batch[:20])


def test_the_column_that_decides_contributes_most(fitted: Fitted) -> None:
    values, _ = fitted.contributions(INPUTS)
    assert np.abs(values).mean(axis=0).argmax() == 2
    highest = INPUTS[:, 2].argmax()
    assert values[highest, 2] > 0


def test_a_column_that_never_varies_is_no_trouble(fitted: Fitted) -> None:
    constant = INPUTS.copy()
    constant[:, 5] = 7.0
    scores = type(fitted).fit(constant, OUTCOME, seed=1).predict(constant)
    assert np.isfinite(scores).all()


def test_probability_does_not_overflow() -> None:
    assert probability(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0.0, 0.5, 1.0]


def test_the_usual_setting_is_the_first_and_another_is_used_as_given(fitted: Fitted) -> None:
    kind, (usual, other, *_) = type(fitted), fitted.settings
    assert fitted.dump() == kind.fit(INPUTS, OUTCOME, 1, usual).dump()
    small = {name: 7 if name in ("num_boost_round", "n_estimators") else value for name, value in other.items()}
    assert kind.fit(INPUTS, OUTCOME, 1, small).dump() != fitted.dump()


def test_a_regression_scores_as_scikit_learn_does_whatever_the_scale_of_its_columns() -> None:
    scaled = 50 + 10 * INPUTS
    fitted = LogisticRegression.fit(scaled, OUTCOME, 1)
    pipeline = joblib.load(BytesIO(fitted.dump()))
    assert fitted.predict(scaled) == pytest.approx(pipeline.predict_proba(scaled)[:, 1], abs=1e-12)
    assert fitted.contributions(scaled).values.mean(axis=0) == pytest.approx(np.zeros(COLUMNS), abs=1e-9)


def test_a_weaker_penalty_leaves_larger_coefficients() -> None:
    fits = [LogisticRegression.fit(INPUTS, OUTCOME, 1, {"C": weak}) for weak in (0.0005, 0.05, 0.5, 5.0)]
    sizes = [abs(fitted.coefficients[2]) for fitted in fits]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 2 * sizes[0]


def test_a_forest_grows_as_its_setting_says_on_so_many_rows_at_most(monkeypatch) -> None:
    setting = {"n_estimators": 9, "min_samples_leaf": 4, "max_depth": 3, "max_features": 0.5}
    forest = RandomForest.fit(INPUTS, OUTCOME, 1, setting).whole()
    assert len(forest.estimators_) == 9
    assert max(tree.get_depth() for tree in forest.estimators_) == 3
    assert (forest.min_samples_leaf, forest.max_features, forest.random_state) == (4, 0.5, 1)
    monkeypatch.setattr(random_forest, "_MOST_ROWS", 60)
    few = RandomForest.fit(INPUTS, OUTCOME, 1, setting).whole()
    assert [tree.tree_.weighted_n_node_samples[0] for tree in few.estimators_] == [60] * 9


def test_a_forest_explains_each_row_by_the_moves_down_its_trees() -> None:
    forest = RandomForest.fit(
        INPUTS, OUTCOME, 1, {"n_estimators": 5, "min_samples_leaf": 5, "max_depth": 4, "max_features": 0.5}
    )
    expected, bias = np.zeros((20, COLUMNS)), 0.0
    for estimator in forest.whole().estimators_:
        tree = estimator.tree_
        bias += tree.value[0, 0, 1] / 5
        for row in range(20):
            node = 0
            while tree.children_left[node] >= 0:
                column = tree.feature[node]
                left = np.float32(INPUTS[row, column]) <= tree.threshold[node]
                below = (tree.children_left if left else tree.children_right)[node]
                expected[row, column] += (tree.value[below, 0, 1] - tree.value[node, 0, 1]) / 5
                node = below
    found = forest.contributions(INPUTS[:20])
    assert found.values == pytest.approx(expected, abs=1e-12)
    assert found.bias == pytest.approx(bias)


def test_boosting_takes_as_many_rounds_as_its_setting_says() -> None:
    assert BoostedTrees.fit(INPUTS, OUTCOME, 1, {"max_depth": 2, "num_boost_round": 7}).trees.rounds == 7


def test_the_stages_of_boosted_trees_are_the_fits_with_fewer_rounds() -> None:
    setting = {**BoostedTrees.settings[0], "num_boost_round": 120}
    stages = BoostedTrees.stages(setting)
    assert [stage["num_boost_round"] for stage in stages] == [120, 100, 50]
    found = list(BoostedTrees.fit(INPUTS, OUTCOME, 1, setting).predict_by_stage(INPUTS))
    assert len(found) == len(stages)
    for stage, scores in zip(stages, found, strict=True):
        assert scores == pytest.approx(BoostedTrees.fit(INPUTS, OUTCOME, 1, stage).predict(INPUTS), abs=1e-6)


@pytest.mark.parametrize("candidate", [RandomForest, LogisticRegression])
def test_a_candidate_without_rounds_has_one_stage(candidate) -> None:
    setting = candidate.settings[0]
    fitted = candidate.fit(INPUTS, OUTCOME, 1, setting)
    assert candidate.stages(setting) == (setting,)
    assert [scores.tolist() for scores in fitted.predict_by_stage(INPUTS)] == [fitted.predict(INPUTS).tolist()]


def test_the_setting_for_large_data_learns_nothing_from_few_rows() -> None:
    scores = BoostedTrees.fit(INPUTS, OUTCOME, 1, BoostedTrees.large[0]).predict(INPUTS)
    assert np.ptp(scores) == 0
    assert scores[0] == pytest.approx(OUTCOME.mean(), abs=1e-3)
