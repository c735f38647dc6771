"""What every candidate offers to training and to scoring."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np

Setting = int | float
HyperParameters = Mapping[str, Setting]  # of one fit, by the names that the candidate's library gives them
Unit = Literal["log-odds", "probability"]
# How contributions are made: the terms of a linear score, exact TreeSHAP values, or path attribution (Saabas' method).
Attribution = Literal["linear_terms", "shap", "path_attribution"]


class Contributions(NamedTuple):
    """How a prediction came about: `values` (rows x columns) and one `bias`, in the candidate's unit.

    Per row, the bias and all values sum to the prediction in that unit.
    """

    values: np.ndarray
    bias: float


class Scorer(ABC):
    """What scores. `inputs` are float64 rows x columns, in the order of the card's columns.

    A row's result depends on no other row.
    """

    unit: ClassVar[Unit]  # of contributions

    @abstractmethod
    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """The probability of the outcome, per row."""

    @abstractmethod
    def contributions(self, inputs: np.ndarray) -> Contributions:
        """Each column's part in each prediction."""

    def explained(self, inputs: np.ndarray) -> tuple[np.ndarray, Contributions]:
        """Returns what `predict` and `contributions` return."""
        return self.predict(inputs), self.contributions(inputs)


class Fitted(Scorer):
    """A fitted candidate, whose inputs have no NaN.

    Nothing random happens after `fit`, and the same inputs, outcomes and seed give the same bytes.
    """

    title: ClassVar[str]
    file_name: ClassVar[str]  # in the model folder
    library: ClassVar[str]  # the distribution whose version decides whether `dump` can be read back
    explained_by: ClassVar[Attribution]
    thrift: ClassVar[HyperParameters] = {}  # goes over a setting where a fit only serves to compare
    settings: ClassVar[
        tuple[HyperParameters, ...]
    ]  # to try in training, the usual one first; a budget takes the first few

    @classmethod
    @abstractmethod
    def fit(cls, inputs: np.ndarray, outcome: np.ndarray, seed: int, setting: HyperParameters | None = None) -> Self:
        """Learns from rows with outcomes 0 and 1, of both of which there is at least one; None is the usual setting."""

    @abstractmethod
    def dump(self) -> bytes:
        """The content of the model file."""

    @classmethod
    @abstractmethod
    def parse(cls, content: bytes) -> Self:
        """The inverse of `dump`. Call it only with content whose digest was checked: joblib files can run code."""


def probability(log_odds: np.ndarray) -> np.ndarray:
    """The logistic function, without overflow for large log-odds of either sign."""
    small = np.exp(-np.abs(log_odds))
    return np.asarray(np.where(log_odds >= 0, 1 / (1 + small), small / (1 + small)))
