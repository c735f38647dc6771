"""Logistic regression on scaled inputs; contributions in log-odds: coefficient x (value - mean) / deviation."""

from dataclasses import dataclass
from io import BytesIO
from typing import ClassVar, Final, Self

import numpy as np

from wardround.candidates.base import Attribution, Contributions, Fitted, HyperParameters, Unit, probability
from wardround.candidates.scikit_learn_file import numbers_in

# Strong shrinkage first: dozens of correlated columns meet few patients who have the outcome.
_SETTINGS: Final = tuple({"C": strength} for strength in (0.05, 0.005, 0.5, 0.0005, 5.0))


@dataclass(frozen=True, eq=False)
class LogisticRegression(Fitted):
    """An L2-penalised regression; its scaler is fitted with it and stored in the same file.

    Attributes:
        content: the file.
        mean: of each column, in training.
        deviation: of each column, in training; 1 for one that did not vary.
        coefficients: of the scaled columns.
        intercept: the log-odds of the mean.
    """

    content: bytes
    mean: np.ndarray
    deviation: np.ndarray
    coefficients: np.ndarray
    intercept: float
    title: ClassVar[str] = "Logistic regression"
    unit: ClassVar[Unit] = "log-odds"
    file_name: ClassVar[str] = "model.joblib"
    library: ClassVar[str] = "scikit-learn"
    explained_by: ClassVar[Attribution] = "linear_terms"
    settings: ClassVar[tuple[HyperParameters, ...]] = _SETTINGS

    @classmethod
    def fit(cls, inputs: np.ndarray, outcome: np.ndarray, seed: int, setting: HyperParameters | None = None) -> Self:
        import joblib
        from sklearn.linear_model import LogisticRegression as Regression
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        chosen = setting or _SETTINGS[0]
        regression = Regression(**chosen, max_iter=1000, random_state=seed)
        file = BytesIO()
        joblib.dump(Pipeline([("scale", StandardScaler()), ("regress", regression)]).fit(inputs, outcome), file)
        return cls.parse(file.getvalue())

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return self.explained(inputs)[0]

    def contributions(self, inputs: np.ndarray) -> Contributions:
        # Column by column, not as a matrix product, whose rounding would depend on the number of rows.
        values = (inputs - self.mean) / self.deviation * self.coefficients
        return Contributions(np.ascontiguousarray(values), self.intercept)

    def explained(self, inputs: np.ndarray) -> tuple[np.ndarray, Contributions]:
        found = self.contributions(inputs)
        return probability(found.values.sum(axis=1) + found.bias), found

    def dump(self) -> bytes:
        return self.content

    @classmethod
    def parse(cls, content: bytes) -> Self:
        steps = dict(numbers_in(content).steps)
        scaler, regression = steps["scale"], steps["regress"]
        return cls(content, scaler.mean_, scaler.scale_, regression.coef_[0], float(regression.intercept_[0]))
