"""Fits candidates and measures them; imputation is learned from the same rows as the model."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import Field

from wardround.candidates.base import Fitted, HyperParameters, Setting
from wardround.evaluation.alerts import Alerts
from wardround.evaluation.calibration import calibrated, fit_platt
from wardround.evaluation.metrics import Metric, measure_with_intervals
from wardround.evaluation.results import Calibration, Policy
from wardround.evaluation.samples import Sample
from wardround.evaluation.threshold import choose_threshold
from wardround.spec.base import SpecModel
from wardround.spec.conditions import Bands


class TrainingRows(NamedTuple):
    """What candidates learn from: `features` (NaN: unknown), and outcome (0 or 1), fold and patient of each row."""

    features: pd.DataFrame
    outcome: np.ndarray
    folds: np.ndarray
    patients: pd.Series

    @property
    def sample(self) -> Sample:
        """The rows' patients. Rows may have been drawn by their outcome, so nothing is known of how patients were."""
        return Sample.by_chance(self.patients)

    def take(self, chosen: np.ndarray) -> Self:
        """Returns the chosen rows (booleans)."""
        return self._replace(
            features=self.features[chosen],
            outcome=self.outcome[chosen],
            folds=self.folds[chosen],
            patients=self.patients[chosen],
        )

    def some(self, most: int, seed: int) -> Self:
        """Returns all rows of randomly drawn patients, as many patients as fit into about `most` rows."""
        if len(self.outcome) <= most:
            return self
        rows = self.patients.value_counts().sort_index()
        drawn = rows.iloc[np.random.default_rng(seed).permutation(len(rows))]
        return self.take(self.patients.isin(drawn.index[drawn.cumsum() <= most]).to_numpy())

    def thinned(self, most: int, seed: int) -> Self:
        """Returns so few rows of each patient, drawn at random, that there are at most `most`; but one of each."""
        if len(self.outcome) <= most:
            return self
        each, order = most // self.patients.nunique(), np.random.default_rng(seed).permutation(len(self.outcome))
        drawn = self.patients.iloc[order]
        place = np.empty(len(order), dtype=int)
        place[order] = drawn.groupby(drawn.to_numpy()).cumcount().to_numpy()
        return self.take(place < max(each, 1))

    def without(self, *columns: str) -> Self:
        """Returns the rows without some features."""
        return self._replace(features=self.features.drop(columns=list(columns)))

    def only(self, *columns: str) -> Self:
        """Returns the rows with no other features than these."""
        return self._replace(features=self.features[list(columns)])


class FoldResult(SpecModel):
    """One outer fold of the nested cross-validation: the setting that its other folds chose, and the result on it."""

    fold: int
    settings: dict[str, Setting] = Field(description="Hyper-parameters, chosen without the fold.")
    metrics: dict[str, Metric]


class CandidateResult(SpecModel):
    """A candidate's results on the training patients, in grouped nested cross-validation, at its own threshold.

    The figures are of all times at risk, whichever of them the candidate was fitted to, and serve to choose a
    candidate. They are slightly too good, because calibration and threshold were chosen on the same out-of-fold
    scores. Threshold and metrics refer to calibrated scores.
    """

    title: str
    threshold: float
    metrics: dict[str, Metric]
    settings: dict[str, Setting] = Field(default={}, description="Hyper-parameters of the fit to all training rows.")
    folds: tuple[FoldResult, ...] = ()
    calibration: Calibration = Calibration()
    policy: Policy | None = Field(default=None, description="How the threshold was chosen.")


def medians(features: pd.DataFrame) -> dict[str, float]:
    """Returns the median of each column's known values; 0 for a column without any."""
    return {str(column): float(value) for column, value in features.median().fillna(0.0).items()}


def inputs_from(features: pd.DataFrame, imputation: Mapping[str, float]) -> np.ndarray:
    """Returns rows x columns without NaN: the columns of `imputation` in its order, with unknown values imputed."""
    inputs = np.array(features[list(imputation)], dtype=float, order="C")
    np.copyto(inputs, np.fromiter(imputation.values(), dtype=float), where=np.isnan(inputs))
    return inputs


class Learned(NamedTuple):
    """A fitted candidate, and the medians of the rows that it was fitted to."""

    fitted: Fitted
    imputation: dict[str, float]

    def scores(self, features: pd.DataFrame) -> np.ndarray:
        """Returns the score of each row of features (NaN allowed), before calibration."""
        return self.fitted.predict(inputs_from(features, self.imputation))

    def scores_by_stage(self, features: pd.DataFrame) -> Iterator[np.ndarray]:
        """Yields the same for each of the candidate's stages of the setting."""
        return self.fitted.predict_by_stage(inputs_from(features, self.imputation))


def fit(candidate: type[Fitted], rows: TrainingRows, seed: int, setting: HyperParameters | None = None) -> Learned:
    """Fits the candidate to rows whose unknown values are imputed with their own medians."""
    imputation = medians(rows.features)
    return Learned(candidate.fit(inputs_from(rows.features, imputation), rows.outcome, seed, setting), imputation)


def for_a_sample(candidate: type[Fitted], setting: HyperParameters, share: float) -> HyperParameters:
    """Returns what means for this share of the rows what the setting means for all: leaves of the same share of them.

    A number of rows does not fall below 1, or below what it was.
    """
    if share >= 1:
        return setting
    fewer = {name: max(min(1.0, setting[name]), setting[name] * share) for name in candidate.in_rows if name in setting}
    return {**setting, **fewer}


def out_of_fold(
    candidate: type[Fitted], rows: TrainingRows, seed: int, setting: HyperParameters | None = None
) -> np.ndarray:
    """Returns each row's score from a model whose fit, imputation and scaling did not use the row's fold."""
    scores = np.full(len(rows.outcome), np.nan)
    for fold in np.unique(rows.folds):
        inside = rows.folds == fold
        scores[inside] = fit(candidate, rows.take(~inside), seed, setting).scores(rows.features[inside])
    return scores


class OutOfFold(NamedTuple):
    """What a candidate is judged on: outcome (0 or 1), fold and out-of-fold score of each row at risk, and patients."""

    outcome: np.ndarray
    folds: np.ndarray
    scores: np.ndarray
    sample: Sample

    def of_fold(self, fold: int) -> Self:
        """Returns the rows of one fold."""
        mine = self.folds == fold
        return type(self)(self.outcome[mine], self.folds[mine], self.scores[mine], self.sample.take(mine))

    def measured(self, calibration: Calibration, threshold: float) -> dict[str, Metric]:
        """Returns the metrics of all rows, with intervals over patients."""
        score = calibrated(self.scores, calibration)
        return measure_with_intervals(self.outcome, score, threshold, self.sample)


def judge(title: str, rows: OutOfFold, bands: Bands, alerts: Alerts) -> CandidateResult:
    """Returns a candidate's result from its out-of-fold scores of all rows at risk, which `alerts` knows as well."""
    calibration = fit_platt(rows.outcome, rows.scores, rows.folds)
    threshold, policy = choose_threshold(rows.outcome, calibrated(rows.scores, calibration), bands, alerts)
    return CandidateResult(
        title=title,
        threshold=threshold,
        metrics=rows.measured(calibration, threshold),
        calibration=calibration,
        policy=policy,
    )


def fold_results(
    rows: OutOfFold, by_fold: Mapping[int, HyperParameters], result: CandidateResult
) -> tuple[FoldResult, ...]:
    """Returns each outer fold's setting and metrics, with the threshold and calibration of all folds together."""
    return tuple(
        FoldResult(
            fold=fold,
            settings=dict(setting),
            metrics=rows.of_fold(fold).measured(result.calibration, result.threshold),
        )
        for fold, setting in by_fold.items()
    )


def choose(results: Mapping[str, CandidateResult]) -> str:
    """Returns the name of the candidate with the best F1 at the threshold of its policy; of equals, the first."""
    return max(results, key=lambda name: results[name].metrics["f1"].value or 0.0)
