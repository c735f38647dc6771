"""Logistic regression on scaled inputs; contributions in log-odds: coefficient x (value - mean) / deviation."""

from dataclasses import dataclass
from io import BytesIO
from typing import ClassVar, Final, Self

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression as Regression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from wardround.candidates.base import Attribution, Contributions, Fitted, HyperParameters, Unit, probability

# Strong shrinkage first: dozens of correlated columns meet few patients who have the outcome.
_SETTINGS: Final = tuple({"C": strength} for strength in (0.05, 0.005, 0.5, 0.0005, 5.0))


@dataclass(frozen=True)
class LogisticRegression(Fitted):
    """An L2-penalised regression; its scaler is fitted with it and stored in the same file."""

    pipeline: Pipeline
    title: ClassVar[str] = "Logistic regression"
    unit: ClassVar[Unit] = "log-odds"
    file_name: ClassVar[str] = "model.joblib"
    library: ClassVar[str] = "scikit-learn"
    explained_by: ClassVar[Attribution] = "linear_terms"
    settings: ClassVar[tuple[HyperParameters, ...]] = _SETTINGS

    @classmethod
    def fit(cls, inputs: np.ndarray, outcome: np.ndarray, seed: int, setting: HyperParameters | None = None) -> Self:
        chosen = setting or _SETTINGS[0]
        regression = Regression(**chosen, max_iter=1000, random_state=seed)
        return cls(Pipeline([("scale", StandardScaler()), ("regress", regression)]).fit(inputs, outcome))

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        values, bias = self.contributions(inputs)
        return probability(values.sum(axis=1) + bias)

    def contributions(self, inputs: np.ndarray) -> Contributions:
        # Column by column, not as a matrix product, whose rounding would depend on the number of rows.
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
