"""Which made-up rows a model from elsewhere must score, and how it must answer."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from wardround.errors import ModelError
from wardround.imported.about import ImportedInput
from wardround.imported.checks import Answers, Examination, rows_to_try
from wardround.spec.conditions import Condition, FeatureGroup
from wardround.spec.loading import load_condition

NAMES = ("a", "b", "c")
ROWS = np.random.default_rng(3).uniform(0.1, 0.9, size=(16, 3))


class Asked:
    """Records its inputs, and answers with the first input as the probability of yes unless told otherwise."""

    def __init__(self, answer: Any = None, **more: Any) -> None:
        self.answer = answer or (lambda rows: both(np.nan_to_num(rows[:, 0], nan=0.5)))
        self.asked: list[Any] = []
        vars(self).update(more)

    def predict_proba(self, rows: Any) -> np.ndarray:
        self.asked.append(rows)
        return self.answer(np.asarray(rows, dtype=float))


def both(positive: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - positive, positive])


def examined(model: Any) -> Answers:
    return Examination(model, NAMES, "own.joblib").answers(ROWS)


@pytest.fixture(scope="module")
def condition(schemas: Path) -> Condition:
    sepsis = load_condition("sepsis", schemas)
    group = FeatureGroup(
        variables=("heart_rate", "body_temperature"), summaries=("last", "slope", "count"), window=timedelta(hours=24)
    )
    return sepsis.model_copy(update={"features": sepsis.features.model_copy(update={"groups": (group,)})})


@pytest.mark.parametrize(
    ("one", "low", "high"),
    [
        (ImportedInput(name="x", column="heart_rate__last_24h", unit="bpm"), 1, 300),
        # From 25 to 45 Cel.
        (
            ImportedInput(name="x", column="body_temperature__last_24h", unit="°F", factor=1.8, offset=32.0),
            25 * 1.8 + 32,
            45 * 1.8 + 32,
        ),
        (ImportedInput(name="x", column="heart_rate__slope_24h", unit=""), 0, 24),
        (ImportedInput(name="x", column="heart_rate__count_24h", unit=""), 0, 24),
        (ImportedInput(name="x", column="age", unit=""), 18, 95),
        (ImportedInput(name="x", column="hours_in_unit", unit=""), 0, 240),
        (ImportedInput(name="x", column="hours_in_hospital", unit=""), 0, 480),
    ],
)
def test_made_up_values_are_plausible_in_the_models_unit(one, low, high, condition) -> None:
    values = rows_to_try([one], condition)
    assert values.shape == (16, 1)
    assert low <= values.min() < low + (high - low) / 4
    assert high - (high - low) / 4 < values.max() <= high
    assert len(np.unique(values)) == 16


def test_made_up_people_have_whole_years_and_one_of_two_sexes(condition) -> None:
    inputs = [
        ImportedInput(name="rate", column="heart_rate__last_24h", unit=""),
        ImportedInput(name="sex", column="sex", unit=""),
        ImportedInput(name="age", column="age", unit="", whole=True),
    ]
    rate, sex, age = rows_to_try(inputs, condition).T
    assert set(sex) == {0, 1}
    assert (age == np.floor(age)).all()
    assert (rate != np.floor(rate)).all()
    assert np.array_equal(rows_to_try(inputs, condition).T, [rate, sex, age]), "the same rows each time"
    # Rounded down, and not to the nearest year.
    exact = rows_to_try([*inputs[:2], inputs[2].model_copy(update={"whole": False})], condition)[:, 2]
    assert (age <= exact).all()
    assert (exact < age + 1).all()


@pytest.mark.parametrize(
    ("fitted", "first"),
    [
        ({}, pd.DataFrame),
        ({"n_features_in_": 3}, np.ndarray),
        ({"n_features_in_": 3, "feature_names_in_": np.array(NAMES)}, pd.DataFrame),
        ({"feature_names_in_": np.array(NAMES)}, pd.DataFrame),
    ],
)
def test_a_model_is_asked_first_as_it_was_fitted(fitted: dict[str, Any], first: type) -> None:
    model = Asked(**fitted)
    answers = examined(model)
    assert {type(rows) for rows in model.asked} == {first}
    assert answers == Answers("Asked", "frame" if first is pd.DataFrame else "array", True, 1)
    if first is pd.DataFrame:
        assert list(model.asked[0].columns) == list(NAMES)


def test_a_model_that_fails_as_it_was_fitted_is_asked_the_other_way() -> None:
    class Framed(Asked):
        def predict_proba(self, rows: Any) -> np.ndarray:
            rows.columns  # noqa: B018 - fails for an array
            return super().predict_proba(rows)

    assert examined(Framed(n_features_in_=3)).takes == "frame"


def test_each_input_is_unknown_once_and_all_are_unknown_once() -> None:
    model = Asked(n_features_in_=3)
    examined(model)
    unknown = next(rows for rows in model.asked if np.isnan(rows).any())
    assert np.isnan(unknown).tolist() == [
        [True, False, False], [False, True, False], [False, False, True], [True, True, True],
    ]  # fmt: skip
    assert np.array_equal(unknown[:3][~np.isnan(unknown[:3])], ROWS[0][[1, 2, 0, 2, 0, 1]])


def _refuses(rows: np.ndarray) -> np.ndarray:
    if np.isnan(rows).all(axis=1).any():
        raise ValueError
    return both(rows[:, 1] * 0 + 0.5) if np.isnan(rows).any() else both(rows[:, 0])


@pytest.mark.parametrize(
    "answer",
    [
        _refuses,
        lambda rows: both(rows[:, 0]),  # not a number for what is not known
        lambda rows: both(np.where(np.isnan(rows).all(axis=1), np.inf, 0.5)),
        lambda rows: both(np.full(len(rows), 0.5))[:, : 1 if np.isnan(rows).any() else 2],
        lambda rows: both(np.full(1 if np.isnan(rows).any() else len(rows), 0.5)),
    ],
)
def test_a_model_takes_unknown_values_only_if_each_gets_two_numbers(answer: Any) -> None:
    assert examined(Asked(answer)).takes_unknown is False


@pytest.mark.parametrize(
    ("no", "yes", "fine"),
    [
        (0.0, 1.0, True),
        (1.0, 0.0, True),
        (1 + 5e-7, -5e-7, True),
        (-5e-7, 1 + 5e-7, True),
        (1 + 1e-5, -1e-5, False),
        (-1e-5, 1 + 1e-5, False),
        (0.0, 1.0005, False),
        (1.0, -0.0005, False),
        (0.5, 0.5005, True),
        (0.5, 0.503, False),
        (0.5, 0.497, False),
    ],
)
def test_probabilities_lie_within_0_and_1_and_sum_to_1_but_for_rounding(no: float, yes: float, fine: bool) -> None:
    model = Asked(lambda rows: np.tile([no, yes], (len(rows), 1)))
    if fine:
        assert examined(model).positive == 1
    else:
        with pytest.raises(ModelError, match="predict_proba outside 0 to 1, or rows that do not sum to 1"):
            examined(model)


def test_one_row_that_is_not_a_probability_is_enough_to_refuse() -> None:
    with pytest.raises(ModelError, match="outside 0 to 1"):
        examined(Asked(lambda rows: both(np.where(rows[:, 0] == ROWS[9, 0], 2.0, 0.5))))
    with pytest.raises(ModelError, match="do not sum to 1"):
        examined(Asked(lambda rows: both(rows[:, 0]) - np.outer(rows[:, 0] == ROWS[9, 0], [0.05, 0.0])))


class Drifting(Asked):
    """Answers slightly more each time."""

    def __init__(self, step: float, first: float) -> None:
        super().__init__(lambda rows: both(np.full(len(rows), first + step * len(self.asked))))


@pytest.mark.parametrize("first", [0.0, 0.5])
def test_an_answer_may_differ_by_rounding_when_asked_again_and_by_no_more(first: float) -> None:
    # Some 18 answers lie between the first that is compared and the last: 9e-7 in all.
    assert examined(Drifting(5e-8, first)).kind == "Drifting"
    with pytest.raises(ModelError, match="a different answer the second time"):
        examined(Drifting(1e-4, first))


def _by_order(rows: np.ndarray) -> np.ndarray:
    """Answers a single row as in the order of ROWS, and differently in another order."""
    turned = len(rows) > 1 and rows[0, 0] == ROWS[-1, 0]
    return both(np.where(turned, 1 - rows[:, 0], rows[:, 0]))


@pytest.mark.parametrize("answer", [_by_order, lambda rows: both(rows[:, 0] if len(rows) > 1 else 1 - rows[:, 0])])
def test_a_rows_answer_must_not_depend_on_other_rows_or_their_order(answer: Any) -> None:
    with pytest.raises(ModelError, match="a row's answer that depends on the other rows"):
        examined(Asked(answer))


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        ([0, 1], 1),
        ([1, 0], 0),
        ([True, False], 0),
        ([0.0, 1.0], 1),
        (np.array([1, 0]), 0),
        ([0, 1, 2], None),
        ([0, 1, 1], None),
        ([1], None),
        ([1, 1], None),
        ([0, 2], None),
        (["0", "1"], None),
        ([0, "1"], None),
    ],
)
def test_yes_is_the_class_1_of_0_and_1(classes: Any, positive: int | None) -> None:
    model = Asked(classes_=classes)
    if positive is not None:
        assert examined(model).positive == positive
    else:
        with pytest.raises(ModelError, match=r"^own\.joblib: got classes_ \[.*\], expected 0 and 1, or False and True"):
            examined(model)
