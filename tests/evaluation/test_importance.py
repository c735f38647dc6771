"""The columns that move scores most come first."""

import numpy as np
import pytest

from wardround.candidates.base import Contributions
from wardround.candidates.registry import CANDIDATES
from wardround.evaluation.importance import importance_of

INPUTS = np.random.default_rng(1).normal(size=(300, 4))
OUTCOME = (INPUTS[:, 2] > 0.5).astype(int)


@pytest.mark.parametrize(("name", "method"), [("xgboost", "shap"), ("logistic_regression", "linear_terms")])
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


class Plain:
    """Each column moves the score by its own value."""

    explained_by, unit = "linear_terms", "log-odds"

    def contributions(self, inputs: np.ndarray) -> Contributions:
        return Contributions(inputs, 0.0)


@pytest.mark.parametrize(("rows", "used", "mean"), [(10_000, 10_000, 0.5), (10_002, 5_001, 1.0), (20_001, 6_667, 0.5)])
def test_many_rows_are_thinned_evenly_from_the_first(rows: int, used: int, mean: float) -> None:
    """Moves every second row, starting with the first, by 1 (down, which counts as much as up)."""
    found = importance_of(Plain(), -(np.arange(rows) % 2 == 0).astype(float)[:, None], ("a",))
    assert found.rows == used
    assert found.columns[0].mean_absolute == pytest.approx(mean, abs=1e-4)


def test_equally_important_columns_keep_the_models_order() -> None:
    names = tuple(f"c{place}" for place in range(40))
    found = importance_of(Plain(), np.array([[*[1.0] * 39, 2.0]]), names)
    assert [each.column for each in found.columns] == ["c39", *names[:39]]
