"""Gradient-boosted trees (XGBoost); contributions in log-odds: exact TreeSHAP values (`pred_contribs`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np
import xgboost

from wardround.candidates.base import Attribution, Contributions, Fitted, HyperParameters, Unit, probability

# One thread: on a busy machine, two threads that wait for each other took 25 times as long.
_THREADS: Final = 1
# No class weights, because they distort probabilities.
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "lambda": 2.0,
    "colsample_bytree": 0.5,
    "nthread": _THREADS,
}
# For large data: leaves of many rows, few columns for each tree, and many slow rounds. A leaf must weigh 200, which is
# 10,000 rows of which 2 % have the outcome; where the rows cannot fill such leaves it would learn nothing.
_LARGE: Final = (
    {
        "max_depth": 4,
        "eta": 0.03,
        "min_child_weight": 200,
        "lambda": 10,
        "colsample_bytree": 0.2,
        "num_boost_round": 600,
    },
)
_ROUNDS: Final = "num_boost_round"
_EVERY: Final = 50  # the rounds after which a search looks whether more of them help
# Shallow trees, slow learning and large leaves first, because one unit has few data.
_SETTINGS: Final = (
    {"max_depth": 3, "eta": 0.05, "min_child_weight": 2, "num_boost_round": 150},
    {"max_depth": 2, "eta": 0.05, "min_child_weight": 2, "num_boost_round": 250},
    {"max_depth": 4, "eta": 0.03, "min_child_weight": 5, "num_boost_round": 250},
    {"max_depth": 3, "eta": 0.1, "min_child_weight": 10, "num_boost_round": 300},
    {"max_depth": 6, "eta": 0.05, "min_child_weight": 20, "num_boost_round": 300},
    {"max_depth": 6, "eta": 0.03, "min_child_weight": 50, "num_boost_round": 800},
)


@dataclass(frozen=True)
class BoostedTrees(Fitted):
    """An XGBoost booster, stored in XGBoost's own format, which holds data and no code."""

    booster: xgboost.Booster
    title: ClassVar[str] = "XGBoost"
    unit: ClassVar[Unit] = "log-odds"
    explained_by: ClassVar[Attribution] = "shap"
    file_name: ClassVar[str] = "model.ubj"
    library: ClassVar[str] = "xgboost-cpu"
    settings: ClassVar[tuple[HyperParameters, ...]] = _SETTINGS
    large: ClassVar[tuple[HyperParameters, ...]] = _LARGE
    in_rows: ClassVar[tuple[str, ...]] = ("min_child_weight",)

    @classmethod
    def fit(cls, inputs: np.ndarray, outcome: np.ndarray, seed: int, setting: HyperParameters | None = None) -> Self:
        data = xgboost.DMatrix(inputs, outcome, nthread=_THREADS)
        chosen = dict(setting or _SETTINGS[0])
        rounds = chosen.pop(_ROUNDS)
        return cls(xgboost.train({**_PARAMETERS, **chosen, "seed": seed}, data, num_boost_round=rounds))

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return self._predicted(_matrix(inputs))

    @classmethod
    def stages(cls, setting: HyperParameters) -> tuple[HyperParameters, ...]:
        return tuple({**setting, _ROUNDS: rounds} for rounds in reversed(_stops(int(setting[_ROUNDS]))))

    def predict_by_stage(self, inputs: np.ndarray) -> Iterator[np.ndarray]:
        data, start, found = _matrix(inputs), 0, []
        for stop in _stops(self.booster.num_boosted_rounds()):
            # The log-odds of the rounds before are where those of the next ones start, so that each is run once.
            margin = self.booster.predict(data, output_margin=True, iteration_range=(start, stop))
            data.set_base_margin(margin)
            found.append(probability(np.asarray(margin, dtype=float)))
            start = stop
        yield from reversed(found)

    def contributions(self, inputs: np.ndarray) -> Contributions:
        return self._contributed(_matrix(inputs), inputs.shape)

    def explained(self, inputs: np.ndarray) -> tuple[np.ndarray, Contributions]:
        # For one stay, making the matrix takes as long as asking the trees.
        data = _matrix(inputs)
        return self._predicted(data), self._contributed(data, inputs.shape)

    def _predicted(self, data: xgboost.DMatrix) -> np.ndarray:
        return np.asarray(self.booster.predict(data), dtype=float)

    def _contributed(self, data: xgboost.DMatrix, shape: tuple[int, ...]) -> Contributions:
        if not shape[0]:
            return Contributions(np.zeros(shape), 0.0)
        parts = np.asarray(self.booster.predict(data, pred_contribs=True), dtype=float)
        return Contributions(np.ascontiguousarray(parts[:, :-1]), float(parts[0, -1]))

    def dump(self) -> bytes:
        return bytes(self.booster.save_raw(raw_format="ubj"))

    @classmethod
    def parse(cls, content: bytes) -> Self:
        booster = xgboost.Booster({"nthread": _THREADS})
        booster.load_model(bytearray(content))
        return cls(booster)


def _stops(rounds: int) -> list[int]:
    """Returns the numbers of rounds to look at, the last of which is all of them."""
    return [*range(_EVERY, rounds, _EVERY), rounds]


def _matrix(inputs: np.ndarray) -> xgboost.DMatrix:
    return xgboost.DMatrix(inputs, nthread=_THREADS)
