"""Feature tables in, fitted candidates and their out-of-fold scores out; imputation is learned where the model is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pydantic import Field

from wardround.core.candidates.base import Fitted
from wardround.core.metrics import Metric, best_f1_threshold, measure
from wardround.spec.base import SpecModel

Setting = int | float | str


class FoldResult(SpecModel):
    """One outer fold of the nested cross-validation: what its other folds chose, and how that did on the fold."""

    fold: int
    settings: dict[str, Setting] = Field(description="Hyper-parameters, chosen without the fold.")
    metrics: dict[str, Metric]


class CandidateResult(SpecModel):
    """How a candidate did on the training patients, in grouped nested cross-validation, at its own best threshold.

    The figures serve to choose; the threshold was picked on the same out-of-fold scores, so they are a little too good.
    """

    title: str
    threshold: float
    metrics: dict[str, Metric]
    settings: dict[str, Setting] = Field(default={}, description="Hyper-parameters of the fit to all training rows.")
    folds: tuple[FoldResult, ...] = ()


def medians(features: pd.DataFrame) -> dict[str, float]:
    """The median of each column's known values; 0 for a column of which nothing is known."""
    return {str(column): float(value) for column, value in features.median().fillna(0.0).items()}


def inputs_from(features: pd.DataFrame, imputation: Mapping[str, float]) -> np.ndarray:
    """Rows x columns without NaN: the columns that `imputation` names, in its order, unknown values filled from it."""
    known = features[list(imputation)].to_numpy(dtype=float)
    return np.ascontiguousarray(np.where(np.isnan(known), np.fromiter(imputation.values(), dtype=float), known))


def fit(candidate: type[Fitted], features: pd.DataFrame, outcome: np.ndarray, seed: int) -> Fitted:
    """The candidate fitted to features (NaN allowed), imputed with their own medians."""
    return candidate.fit(inputs_from(features, medians(features)), outcome, seed)


def out_of_fold(
    candidate: type[Fitted], features: pd.DataFrame, outcome: np.ndarray, folds: np.ndarray, seed: int
) -> np.ndarray:
    """Each row's score from a model, with its imputation and scaling, that was fitted without the row's fold."""
    scores = np.full(len(features), np.nan)
    for fold in np.unique(folds):
        inside, outside = folds == fold, folds != fold
        fitted = fit(candidate, features[outside], outcome[outside], seed)
        scores[inside] = fitted.predict(inputs_from(features[inside], medians(features[outside])))
    return scores


def judge(candidate: type[Fitted], outcome: np.ndarray, scores: np.ndarray) -> CandidateResult:
    """A candidate's result from its out-of-fold scores."""
    threshold, _ = best_f1_threshold(outcome, scores)
    return CandidateResult(title=candidate.title, threshold=threshold, metrics=measure(outcome, scores, threshold))


def choose(results: Mapping[str, CandidateResult]) -> str:
    """The name of the candidate with the best F1; of equals the first."""
    return max(results, key=lambda name: results[name].metrics["f1"].value or 0.0)
