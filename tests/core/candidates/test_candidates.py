"""What holds for every candidate: alone or in company, twice or once, a row gets one score that its parts explain."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from wardround.core.candidates.base import Fitted, probability
from wardround.core.candidates.registry import CANDIDATES

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
