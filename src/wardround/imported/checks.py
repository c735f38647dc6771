"""Checks with made-up rows whether Wardround can serve a model that was trained elsewhere.

The rows are plausible values of the condition's variables, drawn with a fixed seed; no patient's data are needed.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from wardround.errors import ModelError
from wardround.imported.about import ImportedInput
from wardround.imported.inputs import VALUE_SUMMARIES
from wardround.spec.conditions import Condition, Feature

_ROWS: Final = 16
_TOLERANCE: Final = 1e-6
_SPAN_OF_OTHERS: Final = (0.0, 24.0)  # counts, trends, hours
_SPANS: Final = {
    "age": (18.0, 95.0),
    "sex": (0.0, 1.0),
    "hours_in_unit": (0.0, 240.0),
    "hours_in_hospital": (0.0, 480.0),
}


@dataclass(frozen=True)
class Answers:
    """How a model expects its inputs, and what it can do."""

    kind: str
    takes: Literal["frame", "array"]
    takes_unknown: bool
    positive: int


@dataclass(frozen=True)
class Examination:
    """Tests a model; `where` names its file."""

    model: Any
    names: tuple[str, ...]
    where: str

    def answers(self, rows: np.ndarray) -> Answers:
        """Scores `rows` (in the model's own inputs) and returns what the model is. Raises ModelError."""
        self._check_inputs()
        takes = self._takes(rows)
        self._check_probabilities(self._ask(rows, takes), len(rows))
        unknown = _with_unknown(rows)
        takes_unknown = self._takes_unknown(unknown, takes)
        for tried in (rows, unknown) if takes_unknown else (rows,):
            self._check_repeatable(tried, takes)
        return Answers(type(self.model).__name__, takes, takes_unknown, self._positive())

    def _check_inputs(self) -> None:
        if not callable(getattr(self.model, "predict_proba", None)):
            raise self._error(f"a {type(self.model).__name__} without predict_proba", "one with it; wrap it")
        count = getattr(self.model, "n_features_in_", len(self.names))
        if count != len(self.names):
            raise self._error(f"{len(self.names)} feature_names and a model of {count}", "equal numbers; correct them")
        own = getattr(self.model, "feature_names_in_", None)
        if own is not None and [str(name) for name in own] != list(self.names):
            raise self._error("feature_names that are not the model's feature_names_in_", "its names in its order")

    def _takes(self, rows: np.ndarray) -> Literal["frame", "array"]:
        """Returns named columns, as in the tutorial, unless the model was fitted without names or fails with them."""
        fitted_bare = hasattr(self.model, "n_features_in_") and not hasattr(self.model, "feature_names_in_")
        order: tuple[Literal["frame", "array"], ...] = ("array", "frame") if fitted_bare else ("frame", "array")
        failures = []
        for takes in order:
            try:
                self._ask(rows, takes)
            except Exception as error:  # noqa: BLE001 - foreign code may raise anything
                failures.append(type(error).__name__)
            else:
                return takes
        raise self._error(f"predict_proba that fails with {' and '.join(failures)}", "probabilities of numbers; fix it")

    def _takes_unknown(self, rows: np.ndarray, takes: str) -> bool:
        try:
            answer = self._ask(rows, takes)
        except Exception:  # noqa: BLE001 - then it cannot
            return False
        return answer.shape == (len(rows), 2) and bool(np.isfinite(answer).all())

    def _check_probabilities(self, answer: np.ndarray, rows: int) -> None:
        if answer.shape != (rows, 2):
            raise self._error(
                f"predict_proba of shape {answer.shape} for {rows} rows",
                f"{(rows, 2)}: a column for no and one for yes; wrap the model",
            )
        inside = (answer >= -_TOLERANCE) & (answer <= 1 + _TOLERANCE)
        if not inside.all() or not np.allclose(answer.sum(axis=1), 1, atol=1e-3):
            raise self._error("predict_proba outside 0 to 1, or rows that do not sum to 1", "probabilities")

    def _check_repeatable(self, rows: np.ndarray, takes: str) -> None:
        together = self._ask(rows, takes)
        if not np.allclose(self._ask(rows, takes), together, atol=_TOLERANCE):
            raise self._error("a different answer the second time", "the same one; remove what is random (dropout?)")
        alone = np.concatenate([self._ask(rows[[at]], takes) for at in range(len(rows))])
        backwards = self._ask(rows[::-1], takes)[::-1]
        if not (np.allclose(alone, together, atol=_TOLERANCE) and np.allclose(backwards, together, atol=_TOLERANCE)):
            raise self._error(
                "a row's answer that depends on the other rows",
                "the same one as for the row alone (no batch statistics)",
            )

    def _positive(self) -> int:
        """Returns the column of predict_proba that means yes: by classes_, or else the second, as usual."""
        classes = getattr(self.model, "classes_", None)
        if classes is None:
            return 1
        listed = list(np.asarray(classes).tolist())
        if len(listed) != 2 or not all(isinstance(one, bool | int | float) for one in listed) or set(listed) != {0, 1}:
            raise self._error(f"classes_ {listed}", "0 and 1, or False and True; train it on those")
        return listed.index(1)

    def _ask(self, rows: np.ndarray, takes: str) -> np.ndarray:
        asked = pd.DataFrame(rows, columns=list(self.names)) if takes == "frame" else rows
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(self.model.predict_proba(asked), dtype=float)

    def _error(self, got: str, expected: str) -> ModelError:
        return ModelError(f"{self.where}: got {got}, expected {expected}")


def rows_to_try(inputs: Sequence[ImportedInput], condition: Condition) -> np.ndarray:
    """Returns made-up rows of the model's own inputs, in its units."""
    generator = np.random.default_rng(0)
    features = {feature.name: feature for feature in condition.feature_list}
    columns = []
    for one in inputs:
        low, high = _span(one.column, features.get(one.column), condition)
        values = generator.uniform(low, high, _ROWS) * one.factor + one.offset
        columns.append(np.floor(values) if one.whole else values)
    rows = np.column_stack(columns)
    sexes = [at for at, one in enumerate(inputs) if one.column == "sex"]
    rows[:, sexes] = np.round(rows[:, sexes])
    return rows


def _span(column: str, feature: Feature | None, condition: Condition) -> tuple[float, float]:
    if feature is None:
        return _SPANS[column]
    if feature.summary not in VALUE_SUMMARIES:
        return _SPAN_OF_OTHERS
    plausible = condition.variables[feature.variable].plausible
    return plausible.min, plausible.max


def _with_unknown(rows: np.ndarray) -> np.ndarray:
    """Returns the first rows again, each without one input in turn, and a row of unknown values only."""
    unknown = np.tile(rows[:1], (rows.shape[1] + 1, 1))
    np.fill_diagonal(unknown, np.nan)
    unknown[-1] = np.nan
    return unknown
