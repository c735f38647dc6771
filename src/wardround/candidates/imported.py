"""Scores with a model that was trained elsewhere; contributions in probability, from changing one input at a time.

All that is known of a foreign model is its answers. So a row is reached from the typical one: the inputs are set to the
row's values one at a time, and each move of the probability is credited to the column that was set. The moves of a
walk add up to the row's probability minus that of the typical row. Because they depend on the order, they are averaged
over a few fixed orders, each with its reverse: a sample of the Shapley values against one baseline, exact in its sum
but not in its parts.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO, StringIO
from typing import Any, ClassVar, Final, Self

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from wardround.candidates.base import Contributions, Scorer, Unit
from wardround.errors import ModelError
from wardround.imported.about import Imported

_ORDERS: Final = 4  # each is walked in both directions
_SEED: Final = 1
_ROWS_AT_ONCE: Final = 200
# Sums of floats vary with the number of rows scored together; rounding to this many digits removes the variation.
_DIGITS: Final = 9
_SLACK: Final = 1e-6  # how far a single-precision probability may lie outside 0 to 1


@dataclass(frozen=True)
class ImportedModel(Scorer):
    """An object with predict_proba, together with what the card says about its inputs.

    `columns` are those of `inputs`, in canonical units. A NaN input is unknown; only models that accept unknown values
    receive one.
    """

    model: Any
    imported: Imported
    columns: tuple[str, ...]
    where: str
    unit: ClassVar[Unit] = "probability"
    file_name: ClassVar[str] = "model.joblib"

    @classmethod
    def parse(cls, content: bytes, imported: Imported, columns: tuple[str, ...], where: str) -> Self:
        """Loads a model; raises ModelError. Call it only once the content's digest was checked: joblib can run code."""
        with warnings.catch_warnings():
            # scikit-learn warns of a different patch release; minor releases were already compared with the card's.
            warnings.simplefilter("ignore")
            try:
                model = whole_model(joblib.load(BytesIO(content)))
            except Exception as error:  # noqa: BLE001 - whatever foreign code raises, without what it says
                raise ModelError(
                    f"{where}: cannot be restored ({type(error).__name__}); install what it was made with, or import"
                    " it again"
                ) from None
        return cls(in_one_thread(model), imported, columns, where)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return np.round(self._score(inputs), _DIGITS)

    def contributions(self, inputs: np.ndarray) -> Contributions:
        parts = [self._parts(inputs[at : at + _ROWS_AT_ONCE]) for at in range(0, len(inputs), _ROWS_AT_ONCE)]
        values = np.concatenate(parts) if parts else np.zeros(inputs.shape)
        return Contributions(values, float(self._score(self._typical[np.newaxis])[0]))

    def _parts(self, inputs: np.ndarray) -> np.ndarray:
        values = np.zeros(inputs.shape)
        for order in self._orders:
            steps = np.tile(self._typical, (len(order) + 1, len(inputs), 1))
            for step, column in enumerate(order, start=1):
                steps[step:, :, column] = inputs[:, column]
            scores = self._score(steps.reshape(-1, len(self.columns))).reshape(len(order) + 1, len(inputs))
            values[:, order] += np.diff(scores, axis=0).T
        return np.ascontiguousarray(values / len(self._orders))

    @cached_property
    def _typical(self) -> np.ndarray:
        return np.array([self.imported.typical.get(column, np.nan) for column in self.columns])

    @cached_property
    def _orders(self) -> list[np.ndarray]:
        generator = np.random.default_rng(_SEED)
        orders = [np.arange(len(self.columns)), *(generator.permutation(len(self.columns)) for _ in range(_ORDERS - 1))]
        return [walk for order in orders for walk in (order, order[::-1])]

    def _score(self, inputs: np.ndarray) -> np.ndarray:
        try:
            with _silence():
                answer = np.asarray(self.model.predict_proba(self._asked(inputs)), dtype=float)
        except Exception as error:  # noqa: BLE001 - what foreign code says may quote a patient's values
            raise ModelError(f"{self.where}: predict_proba failed with {type(error).__name__}") from None
        if answer.shape != (len(inputs), 2):
            raise ModelError(f"{self.where}: predict_proba gave shape {answer.shape}, expected {(len(inputs), 2)}")
        scores = answer[:, self.imported.positive]
        if not ((scores >= -_SLACK) & (scores <= 1 + _SLACK)).all():
            raise ModelError(f"{self.where}: predict_proba did not return probabilities; do not use it")
        return np.clip(scores, 0.0, 1.0)

    def _asked(self, inputs: np.ndarray) -> Any:
        """Returns rows as the model expects them: its own inputs, in its order and units."""
        wanted = self.imported.inputs
        factor = np.array([one.factor for one in wanted])
        offset = np.array([one.offset for one in wanted])
        values = inputs[:, [self.columns.index(one.column) for one in wanted]] * factor + offset
        whole = [one.whole for one in wanted]
        values[:, whole] = np.floor(values[:, whole])
        return pd.DataFrame(values, columns=[one.name for one in wanted]) if self.imported.takes == "frame" else values


@contextmanager
def _silence() -> Iterator[None]:
    """Silences foreign code: its prints and warnings may hold a patient's values, and task output is kept as a log."""
    nowhere = StringIO()
    with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        yield


def whole_model(loaded: Mapping[str, Any]) -> Any:
    """Returns the model of a file, preceded by the file's scaler if it was trained on the scaler's output.

    The tutorial keeps its scaler beside whichever model won. Only a model that was fitted on scaled values saw bare
    numbers; the others know the names of the features.
    """
    model, scaler = loaded["model"], loaded.get("scaler")
    if scaler is None or hasattr(model, "feature_names_in_"):
        return model
    return Pipeline([("scaler", scaler), ("model", model)])


def means_in_training(loaded: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Returns the mean of each feature, from the file's scaler or the scaler that starts its pipeline; else nothing."""
    model = loaded["model"]
    scaler = loaded.get("scaler") or (model[0] if isinstance(model, Pipeline) else None)
    means = getattr(scaler, "mean_", None) if isinstance(scaler, StandardScaler) else None
    return dict(zip(names, means.tolist(), strict=True)) if means is not None and len(means) == len(names) else {}


def in_one_thread(model: Any) -> Any:
    """Returns the model without threads of its own: their sums vary with timing, and a forked task may hang."""
    if isinstance(model, BaseEstimator):
        names = [name for name in model.get_params() if name.rpartition("__")[2] == "n_jobs"]
        model.set_params(**dict.fromkeys(names, 1))
    return model
