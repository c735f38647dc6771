"""A stored model is scored from its numbers alone: as its library scores it, without the library, and without code."""

import os
import pickle
from io import BytesIO
from typing import Any

import joblib
import numpy as np
import pytest
import xgboost
from sklearn.linear_model import LogisticRegression as Regression
from tests.candidates.test_candidates import INPUTS, OUTCOME

from wardround.candidates.boosted_trees import BoostedTrees
from wardround.candidates.logistic_regression import LogisticRegression
from wardround.candidates.random_forest import RandomForest
from wardround.candidates.scikit_learn_file import numbers_in
from wardround.errors import ModelError

# One call of the bedside door, a chunk of a screening, and more rows than go down the trees of a forest at once.
ROWS = [np.resize(INPUTS, (number, INPUTS.shape[1])) for number in (1, 200, 900)]


@pytest.fixture(scope="module")
def boosted() -> bytes:
    return BoostedTrees.fit(INPUTS, OUTCOME, seed=1).dump()


@pytest.mark.parametrize("rows", ROWS, ids=len)
def test_boosted_trees_say_what_xgboosts_own_package_says(boosted: bytes, rows: np.ndarray) -> None:
    package = xgboost.Booster({"nthread": 1}, model_file=bytearray(boosted))
    asked = xgboost.DMatrix(rows, nthread=1)

    scores, contributions = BoostedTrees.parse(boosted).explained(rows)

    assert np.array_equal(scores, package.predict(asked).astype(float))
    parts = package.predict(asked, pred_contribs=True).astype(float)
    assert np.array_equal(contributions.values, parts[:, :-1])
    assert contributions.bias == parts[0, -1]


@pytest.fixture(scope="module", params=[LogisticRegression, RandomForest])
def of_scikit_learn(request: pytest.FixtureRequest) -> tuple[Any, bytes]:
    return request.param, request.param.fit(INPUTS, OUTCOME, seed=1).dump()


@pytest.mark.parametrize("rows", ROWS, ids=len)
def test_what_scikit_learn_fitted_scores_as_scikit_learn_does(
    of_scikit_learn: tuple[Any, bytes], rows: np.ndarray
) -> None:
    candidate, stored = of_scikit_learn
    package = joblib.load(BytesIO(stored))
    assert candidate.parse(stored).predict(rows) == pytest.approx(package.predict_proba(rows)[:, 1], abs=1e-12)


def test_an_unknown_input_goes_where_xgboost_sends_it() -> None:
    gaps = np.where(np.random.default_rng(3).random(INPUTS.shape) < 0.2, np.nan, INPUTS)
    stored = BoostedTrees.fit(gaps, OUTCOME, seed=1).dump()
    package = xgboost.Booster(model_file=bytearray(stored))
    scores = BoostedTrees.parse(stored).predict(gaps)
    assert np.array_equal(scores, package.predict(xgboost.DMatrix(gaps)).astype(float))


@pytest.mark.parametrize("content", [b"no trees", b"{}", b'{"learner": 1}'], ids=["text", "nothing", "other JSON"])
def test_a_file_that_is_not_xgboosts_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"XGBoost: XGBoosterLoadModelFromBuffer failed"):
        BoostedTrees.parse(content)


class Runs:
    """What runs code as soon as it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("ran",)


def dumped(model: object) -> bytes:
    file = BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (dumped(Runs()), r"mkdir"),
        (pickle.dumps(Runs()), r"mkdir"),
        (dumped(np.array([Runs()], dtype=object)), r"an array of objects"),
        (dumped(Regression().set_params(random_state=np.random.RandomState(1))), r"numpy\.random"),
    ],
    ids=["joblib", "pickle", "in an array", "a generator"],
)
def test_a_file_that_names_anything_but_numbers_is_refused_and_nothing_runs(
    content: bytes, named: str, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=named):
        numbers_in(content)
    assert not list(tmp_path.iterdir())
