"""Logistic regression on scaled inputs; contributions in log-odds: coefficient x (value - mean) / deviation."""

from dataclasses import dataclass
from io import BytesIO
from typing import ClassVar, Self

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression as Regression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from wardround.core.candidates.base import Contributions, Fitted, probability

# Strong shrinkage: dozens of correlated columns meet few patients with the outcome.
_INVERSE_PENALTY = 0.05


@dataclass(frozen=True)
class LogisticRegression(Fitted):
    """An L2-penalised regression; the scaler is fitted with it and stored in the same file."""

    pipeline: Pipeline
    title: ClassVar[str] = "Logistic regression"
    unit: ClassVar[str] = "log-odds"
    file_name: ClassVar[str] = "model.joblib"
    library: ClassVar[str] = "scikit-learn"

    @classmethod
    def fit(cls, inputs: np.ndarray, outcome: np.ndarray, seed: int) -> Self:
        regression = Regression(C=_INVERSE_PENALTY, max_iter=1000, random_state=seed)
        return cls(Pipeline([("scale", StandardScaler()), ("regress", regression)]).fit(inputs, outcome))

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        values, bias = self.contributions(inputs)
        return probability(values.sum(axis=1) + bias)

    def contributions(self, inputs: np.ndarray) -> Contributions:
        # Column by column and not as a matrix product, whose rounding would depend on the number of rows.
        scaler, regression = self.pipeline["scale"], self.pipeline["regress"]
        values = (inputs - scaler.mean_) / scaler.scale_ * regression.coef_[0]
        return Contributions(np.ascontiguousarray(values), float(regression.intercept_[0]))

    def dump(self) -> bytes:
        file = BytesIO()
        joblib.dump(self.pipeline, file)
        return file.getvalue()

    @classmethod
    def parse(cls, content: bytes) -> Self:
        return cls(joblib.load(BytesIO(content)))
