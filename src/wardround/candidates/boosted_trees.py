"""Gradient-boosted trees (XGBoost); contributions in log-odds: exact TreeSHAP values (`pred_contribs`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np

from wardround.candidates.base import Attribution, Contributions, Fitted, HyperParameters, Unit, probability
from wardround.candidates.xgboost_library import THREADS, Matrix, Trees

# No class weights, because they distort probabilities.
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "lambda": 2.0,
    "colsample_bytree": 0.5,
    "nthread": THREADS,
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
    """Trees in XGBoost's own format, which holds data and no code. Only `fit` needs XGBoost's Python package."""

    trees: Trees
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
        import xgboost

        data = xgboost.DMatrix(inputs, outcome, nthread=THREADS)
        chosen = dict(setting or _SETTINGS[0])
        rounds = chosen.pop(_ROUNDS)
        booster = xgboost.train({**_PARAMETERS, **chosen, "seed": seed}, data, num_boost_round=rounds)
        return cls.parse(bytes(booster.save_raw(raw_format="ubj")))

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return self._predicted(Matrix(inputs))

    @classmethod
    def stages(cls, setting: HyperParameters) -> tuple[HyperParameters, ...]:
        return tuple({**setting, _ROUNDS: rounds} for rounds in reversed(_stops(int(setting[_ROUNDS]))))

    def predict_by_stage(self, inputs: np.ndarray) -> Iterator[np.ndarray]:
        data, start, found = Matrix(inputs), 0, []
        for stop in _stops(self.trees.rounds):
            # The log-odds of the rounds before are where those of the next ones start, so that each is run once.
            log_odds = self.trees.predict(data, "log-odds", (start, stop))
            data.start_from(log_odds)
            found.append(probability(log_odds.astype(float)))
            start = stop
        yield from reversed(found)

    def contributions(self, inputs: np.ndarray) -> Contributions:
        return self._contributed(Matrix(inputs), inputs.shape)

    def explained(self, inputs: np.ndarray) -> tuple[np.ndarray, Contributions]:
        # For one stay, making the matrix takes as long as asking the trees.
        data = Matrix(inputs)
        return self._predicted(data), self._contributed(data, inputs.shape)

    def _predicted(self, data: Matrix) -> np.ndarray:
        return self.trees.predict(data, "probability").astype(float)

    def _contributed(self, data: Matrix, shape: tuple[int, ...]) -> Contributions:
        if not shape[0]:
            return Contributions(np.zeros(shape), 0.0)
        parts = self.trees.predict(data, "contributions").astype(float)
        return Contributions(np.ascontiguousarray(parts[:, :-1]), float(parts[0, -1]))

    def dump(self) -> bytes:
        return self.trees.content

    @classmethod
    def parse(cls, content: bytes) -> Self:
        return cls(Trees(content))


def _stops(rounds: int) -> list[int]:
    """Returns the numbers of rounds to look at, the last of which is all of them."""
    return [*range(_EVERY, rounds, _EVERY), rounds]
