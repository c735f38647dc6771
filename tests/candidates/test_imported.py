"""Models that were trained elsewhere: how they are asked, what they are refused for, and how they are explained."""

import warnings
from io import BytesIO
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

from wardround.candidates.imported import ImportedModel, in_one_thread, means_in_training, whole_model
from wardround.errors import ModelError
from wardround.imported.about import Imported, ImportedInput
from wardround.imported.checks import Examination

NAMES = ("heart_rate", "temperature", "lactate", "age")
COLUMNS = ("heart_rate__mean_24h", "body_temperature__mean_24h", "lactate__mean_24h", "age")
INPUTS = (
    ImportedInput(name="heart_rate", column=COLUMNS[0], unit="bpm"),
    ImportedInput(name="temperature", column=COLUMNS[1], unit="°F", factor=1.8, offset=32.0),
    ImportedInput(name="lactate", column=COLUMNS[2], unit="mmol/L"),
    ImportedInput(name="age", column=COLUMNS[3], unit="", whole=True),
)


def _patients() -> tuple[pd.DataFrame, np.ndarray]:
    """Rows in canonical units, and an outcome that lactate and heart rate decide."""
    generator = np.random.default_rng(5)
    usual, spread = np.array([85.0, 37.0, 2.0, 65.0]), np.array([15.0, 0.7, 1.0, 12.0])
    rows = generator.normal(usual, spread, size=(200, 4))
    risk = (rows[:, 2] - 2.0) + 0.03 * (rows[:, 0] - 85.0) + generator.normal(0, 0.3, 200)
    return pd.DataFrame(rows, columns=list(COLUMNS)), (risk > 0.3).astype(int)


ROWS, OUTCOME = _patients()


def as_the_model_sees_them(rows: pd.DataFrame) -> pd.DataFrame:
    seen = rows.set_axis(list(NAMES), axis=1)
    return seen.assign(temperature=seen["temperature"] * 1.8 + 32, age=np.floor(seen["age"]))


class Network(BaseEstimator):
    """A small network with an interface of its own around it, as people wrap PyTorch: arrays only, no classes_."""

    def __init__(self, weights: Any = None) -> None:
        self.weights = weights

    def fit(self, inputs: pd.DataFrame, outcome: np.ndarray) -> "Network":
        scaler = StandardScaler().fit(inputs.to_numpy())
        inner = MLPClassifier((4,), max_iter=400, solver="lbfgs", random_state=1)
        self.weights = (scaler, inner.fit(scaler.transform(inputs.to_numpy()), outcome))
        return self

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        if not isinstance(inputs, np.ndarray):
            raise TypeError("a tensor is made of an array")
        scaler, inner = self.weights
        return inner.predict_proba(scaler.transform(inputs)).astype(np.float32)


def lightgbm() -> Any:
    try:
        from lightgbm import LGBMClassifier
    except OSError:  # the wheel takes the system's libgomp
        pytest.skip("LightGBM cannot be loaded here: install libgomp1")
    return LGBMClassifier(n_estimators=20, min_child_samples=5, n_jobs=2, verbose=-1)


# A maker, how it wants to be asked, whether it takes unknown values.
KINDS: dict[str, tuple[Any, str, bool]] = {
    "logistic": (lambda: make_pipeline(StandardScaler(), LogisticRegression()), "frame", False),
    "forest": (lambda: RandomForestClassifier(20, n_jobs=-1, random_state=1), "frame", True),
    "xgboost": (lambda: XGBClassifier(n_estimators=20, max_depth=3, n_jobs=2), "frame", True),
    "lightgbm": (lightgbm, "frame", True),
    "mlp": (
        lambda: make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=400, solver="lbfgs", random_state=1)),
        "frame",
        False,
    ),
    "wrapped network": (Network, "array", False),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def trained(kind: str) -> Any:
    return KINDS[kind][0]().fit(as_the_model_sees_them(ROWS), OUTCOME)


def examined(model: Any, rows: pd.DataFrame = ROWS, names: tuple[str, ...] = NAMES) -> Any:
    return Examination(in_one_thread(model), names, "own.joblib").answers(as_the_model_sees_them(rows[:16]).to_numpy())


def served(model: Any, typical: dict[str, float]) -> ImportedModel:
    """The model as it comes out of the store."""
    answers = examined(model)
    file = BytesIO()
    joblib.dump({"model": model, "metadata": {}}, file)
    imported = Imported(
        file="own.joblib",
        digest="0" * 64,
        schema_digest=None,
        trusted_by="a",
        kind=answers.kind,
        inputs=INPUTS,
        typical=typical,
        takes=answers.takes,
        takes_unknown=answers.takes_unknown,
        positive=answers.positive,
        libraries=(),
    )
    return ImportedModel.parse(file.getvalue(), imported, COLUMNS, "model own")


TYPICAL = dict(zip(COLUMNS, (80.0, 37.0, 1.2, 65.0), strict=True))


def test_every_kind_of_model_is_asked_as_it_wants(kind, trained) -> None:
    _, takes, takes_unknown = KINDS[kind]
    answers = examined(trained)
    assert (answers.takes, answers.takes_unknown, answers.positive) == (takes, takes_unknown, 1)


def test_it_scores_as_it_does_by_itself(kind, trained) -> None:
    seen = as_the_model_sees_them(ROWS)
    own = trained.predict_proba(seen if KINDS[kind][1] == "frame" else seen.to_numpy())[:, 1]
    assert served(trained, TYPICAL).predict(ROWS.to_numpy()) == pytest.approx(own, abs=1e-6)


def test_contributions_and_bias_sum_to_the_score(trained) -> None:
    model, rows = served(trained, TYPICAL), ROWS.to_numpy()[:30]
    values, bias = model.contributions(rows)
    assert values.sum(axis=1) + bias == pytest.approx(model.predict(rows), abs=1e-6)
    assert model.contributions(rows[:0]).values.shape == (0, 4)


def test_a_row_is_explained_alike_alone_and_in_company(trained) -> None:
    model, rows = served(trained, TYPICAL), ROWS.to_numpy()[:3]
    together = model.contributions(rows).values
    alone = np.vstack([model.contributions(rows[[at]]).values for at in range(len(rows))])
    assert alone == pytest.approx(together, abs=1e-6)


def test_what_decides_contributes_most_and_what_is_typical_contributes_nothing() -> None:
    model = served(KINDS["logistic"][0]().fit(as_the_model_sees_them(ROWS), OUTCOME), TYPICAL)
    row = np.array([[80.0, 37.0, 5.0, 65.0]])
    values = model.contributions(row).values[0]
    assert values[2] > 0.2
    assert values[[0, 1, 3]].tolist() == [0.0, 0.0, 0.0]


def test_a_model_that_takes_unknown_values_is_compared_with_knowing_nothing() -> None:
    model = served(XGBClassifier(n_estimators=20, n_jobs=1).fit(as_the_model_sees_them(ROWS), OUTCOME), {})
    unknown = np.full((1, 4), np.nan)
    assert model.contributions(unknown).values.tolist() == [[0.0] * 4]
    assert model.contributions(ROWS.to_numpy()[:1]).bias == pytest.approx(model.predict(unknown)[0])


def test_a_model_of_bare_numbers_is_asked_with_bare_numbers() -> None:
    bare = LogisticRegression(max_iter=500).fit(as_the_model_sees_them(ROWS).to_numpy(), OUTCOME == 1)
    answers = examined(bare)
    assert (answers.takes, answers.positive) == ("array", 1)


class Odd:
    """Answers whatever it is told to."""

    def __init__(self, answer: Any, **more: Any) -> None:
        self.answer = answer
        vars(self).update(more)

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        return self.answer(np.asarray(rows, dtype=float))


def both(positive: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - positive, positive])


GENERATOR = np.random.default_rng(2)
FINE = Odd(lambda rows: both(1 / (1 + np.exp(-rows[:, 2]))))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SVC(), "a SVC without predict_proba"),
        (Odd(lambda rows: np.full(len(rows), 0.5)), r"shape \(16,\) for 16 rows"),
        (Odd(lambda rows: np.full((len(rows), 3), 1 / 3)), r"shape \(16, 3\)"),
        (Odd(lambda rows: both(rows[:, 2])), "outside 0 to 1"),
        (Odd(lambda rows: np.full((len(rows), 2), 0.9)), "do not sum to 1"),
        (Odd(lambda rows: both(np.full(len(rows), np.nan))), "outside 0 to 1"),
        (Odd(lambda rows: both(GENERATOR.random(len(rows)))), "a different answer the second time"),
        (Odd(lambda rows: both((rows[:, 2] > rows[:, 2].mean()) / 2)), "depends on the other rows"),
        (Odd(FINE.answer, classes_=np.array(["no", "yes"])), r"classes_ \['no', 'yes'\], expected 0 and 1"),
        (Odd(FINE.answer, classes_=np.array([1, 2])), r"classes_ \[1, 2\]"),
        (Odd(FINE.answer, n_features_in_=5), "4 feature_names and a model of 5"),
        (Odd(FINE.answer, feature_names_in_=np.array(NAMES[::-1])), "not the model's feature_names_in_"),
        (Odd(lambda rows: [][len(rows)]), "fails with IndexError and IndexError"),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_reason(model, message) -> None:
    with pytest.raises(ModelError, match=rf"own\.joblib: got .*{message}"):
        examined(model)


def test_a_statistic_of_the_batch_is_found_among_unknown_values_too() -> None:
    def fill_with_the_batch(rows: np.ndarray) -> np.ndarray:
        known = np.where(np.isnan(rows), np.nanmean(rows, axis=0), rows)
        return both(1 / (1 + np.exp(2 - known[:, 2])))

    with pytest.raises(ModelError, match="depends on the other rows"):
        examined(Odd(fill_with_the_batch))


def test_the_probability_of_yes_is_found_by_the_order_of_classes() -> None:
    assert examined(Odd(FINE.answer, classes_=np.array([1, 0]))).positive == 0
    assert examined(Odd(FINE.answer, classes_=np.array([False, True]))).positive == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda rows: [][int(rows[0, 0])], "failed with IndexError$"),
        (lambda rows: rows[:, :1], "gave shape"),
        (both, "gave shape"),
        (lambda rows: both(rows[:, 0]), "did not return probabilities"),
    ],
)
def test_an_odd_answer_is_no_score_and_what_a_model_says_is_not_passed_on(answer, message) -> None:
    imported = served(KINDS["logistic"][0]().fit(as_the_model_sees_them(ROWS), OUTCOME), TYPICAL).imported
    with pytest.raises(ModelError, match=f"^model own: predict_proba {message}"):
        ImportedModel(Odd(answer), imported, COLUMNS, "model own").predict(ROWS.to_numpy())


def test_what_a_model_prints_goes_nowhere(capfd) -> None:
    def talk(rows: np.ndarray) -> np.ndarray:
        print(rows)  # noqa: T201
        warnings.warn(str(rows), stacklevel=1)
        return both(np.full(len(rows), 0.5))

    imported = served(KINDS["logistic"][0]().fit(as_the_model_sees_them(ROWS), OUTCOME), TYPICAL).imported
    assert ImportedModel(Odd(talk), imported, COLUMNS, "model own").predict(ROWS.to_numpy()[:1]).tolist() == [0.5]
    assert capfd.readouterr() == ("", "")


def test_a_scaler_beside_the_model_is_used_only_by_a_model_that_was_trained_behind_it() -> None:
    seen = as_the_model_sees_them(ROWS)
    scaler = StandardScaler().fit(seen)
    behind = LogisticRegression().fit(scaler.transform(seen), OUTCOME)
    beside = RandomForestClassifier(5, random_state=1).fit(seen, OUTCOME)
    expected = behind.predict_proba(scaler.transform(seen))
    assert whole_model({"model": behind, "scaler": scaler}).predict_proba(seen) == pytest.approx(expected)
    assert whole_model({"model": beside, "scaler": scaler}) is beside
    assert whole_model({"model": behind, "scaler": None}) is behind


def test_means_of_the_training_are_those_of_the_scaler_wherever_it_is() -> None:
    seen = as_the_model_sees_them(ROWS)
    scaler = StandardScaler().fit(seen)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(seen, OUTCOME)
    for loaded in ({"model": FINE, "scaler": scaler}, {"model": pipeline}):
        assert means_in_training(loaded, NAMES) == pytest.approx(seen.mean().to_dict())
    assert means_in_training({"model": FINE}, NAMES) == {}


def test_threads_are_taken_from_a_model_and_from_those_inside_it() -> None:
    model = in_one_thread(make_pipeline(StandardScaler(), RandomForestClassifier(5, n_jobs=-1)))
    assert model[-1].n_jobs == 1
