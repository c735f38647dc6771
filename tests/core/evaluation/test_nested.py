"""Settings are chosen by folds that did not see them; scores are out of fold."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wardround.core.candidates.base import Contributions, Fitted
from wardround.core.evaluation.nested import nested_cross_validation
from wardround.core.fitting import TrainingRows

FITS: list[tuple[frozenset[float], float]] = []


@dataclass(frozen=True)
class Column(Fitted):
    """Scores by one column, which its setting names; keeps what it was fitted to."""

    column: int
    seen: frozenset[float]
    settings = ({"column": 0}, {"column": 1}, {"column": 2})

    @classmethod
    def fit(cls, inputs, _outcome, _seed, setting=None):
        FITS.append((frozenset(inputs[:, 3]), setting["column"]))
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


def test_the_setting_that_does_best_on_unseen_folds_is_chosen_everywhere() -> None:
    nested = nested_cross_validation(Column, _rows(informative=1), budget=3, seed=1)
    assert nested.setting == {"column": 1}
    assert nested.by_fold == {fold: {"column": 1} for fold in range(5)}
    assert np.isfinite(nested.scores).all()


def test_the_budget_says_how_many_settings_are_tried() -> None:
    nested = nested_cross_validation(Column, _rows(informative=2), budget=2, seed=1)
    assert nested.setting != {"column": 2}


def test_with_one_setting_there_is_nothing_to_choose() -> None:
    FITS.clear()
    nested = nested_cross_validation(Column, _rows(informative=2), budget=1, seed=1)
    assert nested.setting == {"column": 0}
    assert len(FITS) == 5


def test_of_few_patients_with_the_outcome_nothing_is_chosen() -> None:
    rows = _rows(informative=2)
    few = np.where(np.arange(200) < 100, rows.outcome, 0)
    nested = nested_cross_validation(Column, rows._replace(outcome=few), budget=3, seed=1)
    assert nested.setting == {"column": 0}


def test_what_a_fold_is_like_does_not_choose_its_setting() -> None:
    rows = _rows(informative=1)
    changed = rows.features.copy()
    # In fold 0 another column tells everything.
    changed.loc[rows.folds == 0, "a"] = 100.0 * rows.outcome[rows.folds == 0]
    before = nested_cross_validation(Column, rows, budget=3, seed=1)
    after = nested_cross_validation(Column, rows._replace(features=changed), budget=3, seed=1)
    assert after.by_fold[0] == before.by_fold[0]
