"""Settings are chosen on folds that their models did not see."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from wardround.candidates.base import Contributions, Fitted
from wardround.training.fitting import TrainingRows
from wardround.training.nested import _best, is_large, nested_cross_validation

FITS: list[tuple[frozenset[float], float, int]] = []


@dataclass(frozen=True)
class Column(Fitted):
    """Scores by one column, which its setting names; records what it was fitted to."""

    column: int
    seen: frozenset[float]
    settings = ({"column": 0}, {"column": 1}, {"column": 2})

    @classmethod
    def fit(cls, inputs, _outcome, seed, setting=None):
        FITS.append((frozenset(inputs[:, 3]), setting["column"], seed))
        return cls(setting["column"], frozenset(inputs[:, 3]))

    def predict(self, inputs):
        assert not self.seen & frozenset(inputs[:, 3]), "scored a row that it was fitted to"
        return 1 / (1 + np.exp(-inputs[:, self.column]))

    def contributions(self, inputs):
        return Contributions(inputs, 0.0)

    def dump(self):
        return b""

    @classmethod
    def parse(cls, content):
        raise NotImplementedError


def _rows(informative: int) -> TrainingRows:
    generator = np.random.default_rng(1)
    outcome = (np.arange(200) % 4 == 0).astype(int)
    inputs = generator.normal(size=(200, 4))
    inputs[:, informative] += 2 * outcome
    inputs[:, 3] = np.arange(200)
    features = pd.DataFrame(inputs, columns=list("abcd"))
    return TrainingRows(features, outcome, np.arange(200) // 4 % 5, pd.Series([f"p{n // 2}" for n in range(200)]))


def _fits() -> list[tuple[list[int], float, int]]:
    """For each fit since FITS was cleared: the folds that it did not see, its setting and seed. Folds are whole."""
    folds = _rows(informative=1).folds
    unseen = [set(range(200)) - {int(row) for row in seen} for seen, *_ in FITS]
    for rows in unseen:
        assert rows == set(np.flatnonzero(np.isin(folds, list({folds[row] for row in rows}))))
    return [(sorted({int(folds[row]) for row in rows}), *told) for rows, (_, *told) in zip(unseen, FITS, strict=True)]


def test_the_setting_that_does_best_on_unseen_folds_is_chosen_everywhere() -> None:
    nested = nested_cross_validation(Column, _rows(informative=1), budget=3, seed=1)
    assert nested.setting == {"column": 1}
    assert nested.by_fold == {fold: {"column": 1} for fold in range(5)}


def test_the_budget_says_how_many_settings_are_tried() -> None:
    nested = nested_cross_validation(Column, _rows(informative=2), budget=2, seed=1)
    assert nested.setting != {"column": 2}


def test_with_one_setting_there_is_nothing_to_choose() -> None:
    FITS.clear()
    nested = nested_cross_validation(Column, _rows(informative=2), budget=1, seed=1)
    assert nested.setting == {"column": 0}
    assert nested.by_fold == {fold: {"column": 0} for fold in range(5)}
    assert not FITS


def test_settings_are_judged_on_a_fold_and_the_next_by_models_that_saw_neither() -> None:
    FITS.clear()
    nested_cross_validation(Column, _rows(informative=1), budget=3, seed=7)
    judged = [([fold, fold + 1] if fold < 4 else [0, 4], column, 7) for column in range(3) for fold in range(5)]
    assert _fits() == judged


def test_folds_that_leave_no_outcome_to_learn_from_are_skipped() -> None:
    rows = _rows(informative=1)
    outcome = (rows.folds < 2).astype(int) * (np.arange(200) % 4 < 3)
    features = rows.features.assign(b=rows.features["b"] + 3 * outcome)
    # Without the folds 0 and 1 no patient has the outcome; the other models judge the settings on either.
    patients = pd.Series([f"p{n}" for n in range(200)])
    lacking = rows._replace(features=features, outcome=outcome, patients=patients)
    assert nested_cross_validation(Column, lacking, budget=3, seed=1).setting == {"column": 1}


NAN = float("nan")


@pytest.mark.parametrize(
    ("judged", "best"),
    [
        ([[0.7, NAN], [0.6, 0.6]], 0),  # a mean, and no sum
        ([[0.6, NAN], [0.7, 0.7]], 1),  # what is not defined counts as nothing and not as good
        ([[0.7, NAN], [0.5, 0.5]], 0),  # a mean of its own figures, and not of as many as others have
        ([[0.5, 0.5], [0.5, 0.5 + 4e-10]], 0),  # a difference that only rounding makes is none
        ([[0.5, 0.5], [0.5, 0.5 + 1e-8]], 1),
        ([[NAN, NAN], [NAN, NAN]], 0),
    ],
)
def test_the_best_setting_has_the_highest_mean_of_its_defined_figures(judged: list[list[float]], best: int) -> None:
    assert _best(np.array(judged)) == best


@pytest.mark.parametrize("informative", [1, 2])
def test_with_few_patients_with_the_outcome_the_default_setting_is_used(informative: int) -> None:
    rows = _rows(informative)
    few = np.where(np.arange(200) < 100, rows.outcome, 0)
    nested = nested_cross_validation(Column, rows._replace(outcome=few), budget=3, seed=1)
    assert nested.setting == {"column": 0}


def test_a_fold_does_not_influence_the_choice_of_its_own_setting() -> None:
    rows = _rows(informative=1)
    changed = rows.features.copy()
    # In fold 0 another column carries all the signal.
    changed.loc[rows.folds == 0, "a"] = 100.0 * rows.outcome[rows.folds == 0]
    before = nested_cross_validation(Column, rows, budget=3, seed=1)
    after = nested_cross_validation(Column, rows._replace(features=changed), budget=3, seed=1)
    assert after.by_fold[0] == before.by_fold[0]


class WithLarge(Column):
    """Has a setting for large data, by the column that carries the signal in `_many`."""

    large = ({"column": 1},)
    settings = ({"column": 0}, {"column": 2})


def _many(patients: int, positive: int, rows_each: int = 13) -> TrainingRows:
    """Rows of many patients; the first `positive` patients have the outcome in their first row of two."""
    patient = np.repeat(np.arange(patients), rows_each)
    outcome = ((patient < positive) & (np.arange(len(patient)) % 2 == 0)).astype(int)
    inputs = np.random.default_rng(1).normal(size=(len(patient), 4))
    inputs[:, 1] += 2 * outcome
    inputs[:, 3] = np.arange(len(patient))
    return TrainingRows(
        pd.DataFrame(inputs, columns=list("abcd")), outcome, patient % 5, pd.Series(patient).astype(str)
    )


@pytest.mark.parametrize(
    ("patients", "positive", "each", "large"),
    [
        (1000, 1000, 13, True),  # 13,000 rows, half of which have the outcome, weigh 3,250
        (1000, 1000, 12, False),  # 12,000 weigh 3,000
        (499, 499, 40, False),  # 20,000 rows, but of too few patients
        (500, 500, 40, True),
        (4000, 400, 40, False),  # 160,000 rows weigh 7,600, but few patients have the outcome
    ],
)
def test_data_are_large_by_the_weight_of_their_rows_and_their_patients_with_the_outcome(
    patients: int, positive: int, each: int, large: bool
) -> None:
    assert is_large(_many(patients, positive, each)) == large


def test_settings_for_large_data_are_tried_there_after_the_usual_one_and_nowhere_else() -> None:
    large = _many(1000, 1000)
    assert nested_cross_validation(WithLarge, large, budget=2, seed=1).setting == {"column": 1}
    assert nested_cross_validation(WithLarge, large, budget=1, seed=1).setting == {"column": 0}
    small = large.take(large.patients.astype(int).to_numpy() < 400)
    assert nested_cross_validation(WithLarge, small, budget=3, seed=1).setting in WithLarge.settings


def test_settings_are_judged_on_all_rows() -> None:
    rows = _many(5000, 5000)
    FITS.clear()
    nested_cross_validation(WithLarge, rows, budget=2, seed=1)
    assert {len(seen) for seen, *_ in FITS[:10]} == {len(rows.outcome) * 3 // 5}


@dataclass(frozen=True)
class InRounds(Column):
    """Learns columns 0, 1 and 2 in so many rounds, and can tell what it would be with fewer of them."""

    settings = ({"column": 2}, {"column": 3})

    @classmethod
    def stages(cls, setting):
        return tuple({"column": column} for column in range(setting["column"], -1, -1))

    def predict_by_stage(self, inputs):
        for stage in range(self.column, -1, -1):
            yield InRounds(stage, self.seen).predict(inputs)


def test_the_number_of_rounds_is_chosen_on_unseen_folds_without_a_fit_for_each() -> None:
    FITS.clear()
    nested = nested_cross_validation(InRounds, _rows(informative=1), budget=2, seed=1)
    assert nested.setting == {"column": 1}
    assert nested.by_fold == {fold: {"column": 1} for fold in range(5)}
    assert [column for _, column, _ in FITS] == [2] * 5 + [3] * 5


def test_a_fold_does_not_influence_its_own_number_of_rounds() -> None:
    rows = _rows(informative=1)
    changed = rows.features.copy()
    changed.loc[rows.folds == 0, "a"] = 100.0 * rows.outcome[rows.folds == 0]
    after = nested_cross_validation(InRounds, rows._replace(features=changed), budget=2, seed=1)
    assert after.by_fold[0] == {"column": 1}


def test_without_a_search_all_rounds_are_used() -> None:
    assert nested_cross_validation(InRounds, _rows(informative=1), budget=1, seed=1).setting == {"column": 2}
