"""What a model from elsewhere is given, what its answers become, and how they are shared among the columns."""

from io import BytesIO
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from wardround.candidates.imported import ImportedModel, in_one_thread, means_in_training
from wardround.errors import ModelError
from wardround.imported.about import Imported, ImportedInput

COLUMNS = ("a", "b", "c")
NAN = float("nan")


class Told:
    """Keeps what it is asked, and answers by its inputs."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def predict_proba(self, rows: Any) -> np.ndarray:
        self.asked.append(rows)
        positive = np.asarray(self.answer(np.asarray(rows, dtype=float)))
        return np.column_stack([1 - positive, positive])


def _imported(**changes: Any) -> Imported:
    fields = {
        "file": "own.joblib",
        "digest": "0" * 64,
        "schema_digest": None,
        "trusted_by": "ann",
        "kind": "Told",
        "inputs": tuple(ImportedInput(name=name.upper(), column=name, unit="") for name in COLUMNS),
        "typical": dict.fromkeys(COLUMNS, 0.0),
        "takes": "array",
        "takes_unknown": True,
        "positive": 1,
        "libraries": (),
    }
    return Imported(**{**fields, **changes})


def _model(answer: Any, **changes: Any) -> ImportedModel:
    return ImportedModel(Told(answer), _imported(**changes), COLUMNS, "model own")


def _additive(rows: np.ndarray) -> np.ndarray:
    return 0.4 + rows @ [0.1, -0.2, 0.05]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 401])
def test_of_parts_that_add_up_each_column_gets_its_own_however_many_rows_there_are(count: int) -> None:
    rows = np.random.default_rng(1).uniform(0, 1, size=(count, 3))
    found = _model(_additive, typical={"a": 0.5, "b": 0.25, "c": 1.0}).contributions(rows)
    assert found.values.shape == (count, 3)
    assert found.values == pytest.approx((rows - [0.5, 0.25, 1.0]) * [0.1, -0.2, 0.05])
    assert found.bias == pytest.approx(0.4 + 0.05 - 0.05 + 0.05)


def test_what_two_columns_do_together_is_halved_between_them() -> None:
    found = _model(lambda rows: rows[:, 0] * rows[:, 2]).contributions(np.array([[1.0, 1.0, 0.8]]))
    assert found.values[0] == pytest.approx([0.4, 0, 0.4])


def test_a_column_without_a_typical_value_is_compared_with_unknown() -> None:
    model = _model(lambda rows: np.where(np.isnan(rows[:, 1]), 0.2, 0.9), typical={"a": 0.0, "c": 0.0})
    found = model.contributions(np.array([[5.0, 5.0, 5.0]]))
    assert (found.values[0] == pytest.approx([0, 0.7, 0]), found.bias) == (True, 0.2)


INPUTS = (
    ImportedInput(name="third", column="c", unit="", whole=True),
    ImportedInput(name="first", column="a", unit="", factor=2.0, offset=-1.0),
    ImportedInput(name="again", column="a", unit="", factor=10.0, whole=True),
)


@pytest.mark.parametrize("takes", ["frame", "array"])
def test_a_model_is_given_its_own_inputs_in_its_order_and_units(takes: str) -> None:
    model = _model(lambda rows: rows[:, 0] * 0 + 0.5, inputs=INPUTS, takes=takes)
    model.predict(np.array([[0.26, 7.0, 3.9], [0.5, NAN, -0.1]]))
    [asked] = model.model.asked
    assert isinstance(asked, pd.DataFrame) is (takes == "frame")
    if takes == "frame":
        assert list(asked.columns) == ["third", "first", "again"]
    # Rounded down after the change of unit.
    assert np.asarray(asked) == pytest.approx(np.array([[3, -0.48, 2], [-1, 0, 5]]))


def test_the_probability_of_yes_is_in_the_column_that_the_card_says() -> None:
    assert _model(lambda rows: rows[:, 0], positive=0).predict(np.array([[0.3, 0, 0]])).tolist() == [0.7]


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        (0.12345678949, 0.123456789),
        (0.1234567896, 0.12345679),
        (-5e-7, 0.0),
        (1 + 5e-7, 1.0),
        (0.0, 0.0),
        (1.0, 1.0),
        (-2e-6, None),
        (1 + 2e-6, None),
        (NAN, None),
    ],
)
def test_a_score_has_nine_digits_and_lies_within_0_and_1(answer: float, score: float | None) -> None:
    model = _model(lambda rows: rows[:, 0])
    rows = np.array([[0.5, 0, 0], [answer, 0, 0]])
    if score is not None:
        assert model.predict(rows).tolist() == [0.5, score]
    else:
        with pytest.raises(ModelError, match="did not return probabilities"):
            model.predict(rows)


def test_what_cannot_be_restored_is_refused_by_the_name_of_its_error_alone() -> None:
    with pytest.raises(ModelError, match=r"^model own: cannot be restored \(\w+\); install what it was made with"):
        ImportedModel.parse(b"secret words", _imported(), COLUMNS, "model own")


def test_a_model_that_is_restored_scores_as_before_and_in_one_thread() -> None:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(60, 3))
    fitted = LogisticRegression().fit(inputs, inputs[:, 0] > 0)
    file = BytesIO()
    joblib.dump({"model": fitted}, file)
    model = ImportedModel.parse(file.getvalue(), _imported(), COLUMNS, "model own")
    assert (model.columns, model.where, model.imported) == (COLUMNS, "model own", _imported())
    assert model.predict(inputs) == pytest.approx(fitted.predict_proba(inputs)[:, 1], abs=1e-9)


def _scaled(scaler: Any, mean: float) -> Any:
    return scaler.fit(np.array([[mean - 1, 0.0], [mean + 1, 4.0]]))


def test_the_scaler_of_the_file_counts_before_that_of_a_pipeline() -> None:
    pipeline = make_pipeline(_scaled(StandardScaler(), 7), LogisticRegression())
    beside = {"model": pipeline, "scaler": _scaled(StandardScaler(), 3)}
    assert means_in_training(beside, ("x", "y")) == {"x": 3, "y": 2}
    assert means_in_training({"model": pipeline, "scaler": None}, ("x", "y")) == {"x": 7, "y": 2}


@pytest.mark.parametrize(
    ("loaded", "names"),
    [
        ({"model": None, "scaler": _scaled(MinMaxScaler(), 3)}, ("x", "y")),
        ({"model": None, "scaler": StandardScaler(with_mean=False, with_std=False).fit([[1.0, 2.0]])}, ("x", "y")),
        ({"model": None, "scaler": _scaled(StandardScaler(), 3)}, ("x",)),
        ({"model": make_pipeline(_scaled(MinMaxScaler(), 3), _scaled(StandardScaler(), 3))}, ("x", "y")),
        # Its means are those of what it rotates.
        ({"model": make_pipeline(_scaled(PCA(2), 3), LogisticRegression())}, ("x", "y")),
        ({"model": LogisticRegression()}, ("x", "y")),
    ],
)
def test_where_nothing_learned_a_mean_of_each_feature_there_are_none(loaded: dict[str, Any], names: Any) -> None:
    assert means_in_training(loaded, names) == {}


def test_only_the_number_of_threads_is_changed_in_a_model() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=3.0))
    before = {name: value for name, value in model.get_params().items() if not name.endswith("n_jobs")}
    after = in_one_thread(model).get_params()
    assert {name: after[name] for name in before} == before
    threads = make_pipeline(make_pipeline(RandomForestClassifier(n_jobs=3)))
    assert in_one_thread(threads)[0][0].n_jobs == 1
    assert in_one_thread(RandomForestClassifier(n_jobs=-1)).n_jobs == 1
    foreign = Told(_additive)
    assert in_one_thread(foreign) is foreign
