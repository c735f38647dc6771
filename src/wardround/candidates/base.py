"""Defines what every candidate offers to training and to scoring."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np

Setting = int | float
HyperParameters = Mapping[str, Setting]  # for one fit, by the names that the candidate's library uses
Unit = Literal["log-odds", "probability"]
# How contributions are computed: terms of a linear score, exact TreeSHAP values, or path attribution (Saabas' method).
Attribution = Literal["linear_terms", "shap", "path_attribution"]


class Contributions(NamedTuple):
    """How a prediction was reached: `values` (rows x columns) and one `bias`, in the candidate's unit.

    For each row, the bias and all values add up to the prediction in that unit.
    """

    values: np.ndarray
    bias: float


class Scorer(ABC):
    """Something that scores rows. `inputs` are float64 rows x columns, in the order of the card's columns.

    The result for a row does not depend on any other row.
    """

    unit: ClassVar[Unit]  # the unit of contributions

    @abstractmethod
    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the probability of the outcome for each row."""

    @abstractmethod
    def contributions(self, inputs: np.ndarray) -> Contributions:
        """Returns the contribution of each column to each prediction."""

    def explained(self, inputs: np.ndarray) -> tuple[np.ndarray, Contributions]:
        """Returns what `predict` and `contributions` return, together."""
        return self.predict(inputs), self.contributions(inputs)


class Fitted(Scorer):
    """A fitted candidate. Its inputs have no NaN.

    Nothing is random after `fit`, and the same inputs, outcomes and seed give the same bytes.
    """

    title: ClassVar[str]
    file_name: ClassVar[str]  # the name of the model file in the model folder
    library: ClassVar[str]  # the distribution whose version decides whether the output of `dump` can be read back
    explained_by: ClassVar[Attribution]
    thrift: ClassVar[HyperParameters] = {}  # overrides settings where a fit only serves as a comparison
    in_rows: ClassVar[tuple[str, ...]] = ()  # settings that are a number of rows, and so depend on how many there are
    settings: ClassVar[
        tuple[HyperParameters, ...]
    ]  # to try in training, the usual one first; a budget takes the first few
    large: ClassVar[
        tuple[HyperParameters, ...]
    ] = ()  # to try after the usual one where the data are large, and only there

    @classmethod
    @abstractmethod
    def fit(cls, inputs: np.ndarray, outcome: np.ndarray, seed: int, setting: HyperParameters | None = None) -> Self:
        """Learns from rows with outcomes 0 and 1, at least one of each; `setting` None means the usual setting."""

    @classmethod
    def stages(cls, setting: HyperParameters) -> tuple[HyperParameters, ...]:
        """Returns the setting, then those whose fit is part of the setting's own: the same, stopped earlier."""
        return (setting,)

    def predict_by_stage(self, inputs: np.ndarray) -> Iterator[np.ndarray]:
        """Yields what `predict` returns for the fit of each of `stages`, in their order, without fitting them."""
        yield self.predict(inputs)

    @abstractmethod
    def dump(self) -> bytes:
        """Returns the content of the model file."""

    @classmethod
    @abstractmethod
    def parse(cls, content: bytes) -> Self:
        """Reverses `dump`. Call it only with content whose digest was checked: joblib files can run code."""


def probability(log_odds: np.ndarray) -> np.ndarray:
    """Returns the logistic function, without overflow for large log-odds of either sign."""
    small = np.exp(-np.abs(log_odds))
    return np.asarray(np.where(log_odds >= 0, 1 / (1 + small), small / (1 + small)))
