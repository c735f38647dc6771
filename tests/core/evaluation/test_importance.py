"""What moves scores most comes first."""

import numpy as np
import pytest

from wardround.core.candidates.registry import CANDIDATES
from wardround.core.evaluation.importance import importance_of

INPUTS = np.random.default_rng(1).normal(size=(300, 4))
OUTCOME = (INPUTS[:, 2] > 0.5).astype(int)


@pytest.mark.parametrize(("name", "method"), [("xgboost", "shap"), ("logistic_regression", "contributions")])
def test_the_planted_effect_is_first_and_the_method_is_named(name: str, method: str) -> None:
    fitted = CANDIDATES[name].fit(INPUTS, OUTCOME, seed=1)
    found = importance_of(fitted, INPUTS, ("a", "b", "planted", "d"))
    assert (found.method, found.unit, found.rows) == (method, "log-odds", 300)
    assert found.columns[0].column == "planted"
    expected = np.abs(fitted.contributions(INPUTS).values).mean(axis=0).max()
    assert found.columns[0].mean_absolute == pytest.approx(expected)


def test_without_rows_nothing_matters() -> None:
    fitted = CANDIDATES["xgboost"].fit(INPUTS, OUTCOME, seed=1)
    assert {each.mean_absolute for each in importance_of(fitted, INPUTS[:0], ("a", "b", "c", "d")).columns} == {0.0}
