"""Gradient-boosted trees (XGBoost); contributions in log-odds: exact tree SHAP values (`pred_contribs`)."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np
import xgboost

from wardround.core.candidates.base import Contributions, Fitted

_ROUNDS: Final = 150
# One: on a machine with other work to do, two threads that wait for each other took 25 times as long.
_THREADS: Final = 1
# Shallow trees, slow learning and large leaves: a unit's data are few. No class weights: they distort probabilities.
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.05,
    "min_child_weight": 2,
    "lambda": 2.0,
    "colsample_bytree": 0.5,
    "nthread": _THREADS,
}


@dataclass(frozen=True)
class BoostedTrees(Fitted):
    """An XGBoost booster, stored in XGBoost's own format, which holds data and no code."""

    booster: xgboost.Booster
    title: ClassVar[str] = "XGBoost"
    unit: ClassVar[str] = "log-odds"
    file_name: ClassVar[str] = "model.ubj"
    library: ClassVar[str] = "xgboost-cpu"

    @classmethod
    def fit(cls, inputs: np.ndarray, outcome: np.ndarray, seed: int) -> Self:
        data = xgboost.DMatrix(inputs, outcome, nthread=_THREADS)
        return cls(xgboost.train({**_PARAMETERS, "seed": seed}, data, num_boost_round=_ROUNDS))

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return np.asarray(self.booster.predict(_matrix(inputs)), dtype=float)

    def contributions(self, inputs: np.ndarray) -> Contributions:
        if not len(inputs):
            return Contributions(np.zeros(inputs.shape), 0.0)
        parts = np.asarray(self.booster.predict(_matrix(inputs), pred_contribs=True), dtype=float)
        return Contributions(np.ascontiguousarray(parts[:, :-1]), float(parts[0, -1]))

    def dump(self) -> bytes:
        return bytes(self.booster.save_raw(raw_format="ubj"))

    @classmethod
    def parse(cls, content: bytes) -> Self:
        booster = xgboost.Booster({"nthread": _THREADS})
        booster.load_model(bytearray(content))
        return cls(booster)


def _matrix(inputs: np.ndarray) -> xgboost.DMatrix:
    return xgboost.DMatrix(inputs, nthread=_THREADS)
