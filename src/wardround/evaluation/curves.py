"""Computes curves: discrimination over all thresholds, calibration over probabilities, and net benefit."""

from typing import Final

import numpy as np
import pandas as pd

from wardround.evaluation.results import CalibrationBin, Curves, DecisionPoint, PrecisionRecallPoint, RocPoint
from wardround.evaluation.tallies import Scores, Steps, Tally

_POINTS: Final = 200
_BINS: Final = 10
# A bin shows the share with the outcome, so it holds as many patients as a subgroup that is shown.
_PATIENTS_IN_A_BIN: Final = 10
# Rare outcomes are acted on at low probabilities, so the steps there are fine.
_DECISIONS: Final = (*(n / 200 for n in range(1, 20)), *(n / 100 for n in range(10, 61)))


def curves_of(outcome: np.ndarray, score: np.ndarray) -> Curves:
    """Returns the receiver operating characteristic and precision by recall; empty if one outcome is absent."""
    if len(np.unique(outcome)) < 2:
        return Curves(roc=(), precision_recall=())
    tally = Steps.of(outcome, Scores(score, 0.0)).tally()
    found, wrong = np.cumsum(tally.positives), np.cumsum(tally.negatives)
    places = _spread(found, wrong)
    roc = [(0.0, 0.0), *zip(wrong[places] / wrong[-1], found[places] / found[-1], strict=True)]
    return Curves(
        roc=tuple(RocPoint(false_positive_rate=float(x), sensitivity=float(y)) for x, y in roc),
        precision_recall=tuple(
            PrecisionRecallPoint(recall=float(hit / found[-1]), precision=float(hit / (hit + miss)))
            for hit, miss in zip(found[places], wrong[places], strict=True)
        ),
    )


def calibration_bins(outcome: np.ndarray, score: np.ndarray, patients: pd.Series) -> tuple[CalibrationBin, ...]:
    """Returns up to ten bins of rising score and about equal size; a bin with fewer than 10 patients is left out."""
    order = np.argsort(score, kind="stable")
    count = min(_BINS, int(patients.nunique()) // _PATIENTS_IN_A_BIN)
    bins = np.array_split(order, count) if count else []
    return tuple(
        CalibrationBin(mean_predicted=float(score[mine].mean()), observed=float(outcome[mine].mean()), rows=len(mine))
        for mine in bins
        if patients.iloc[mine].nunique() >= _PATIENTS_IN_A_BIN
    )


def decision_curve(outcome: np.ndarray, score: np.ndarray) -> tuple[DecisionPoint, ...]:
    """Returns net benefit per row (Vickers 2006): true minus false alerts, weighted by the odds of the threshold."""
    if not len(outcome):
        return ()
    tally, share = Steps.of(outcome, Scores(score, 0.0)).tally(), outcome.mean()
    return tuple(
        DecisionPoint(
            threshold=threshold,
            net_benefit=_net_benefit(*_alerts(tally, threshold), len(outcome), threshold),
            treat_all=float(share - (1 - share) * threshold / (1 - threshold)),
        )
        for threshold in _DECISIONS
    )


def _spread(found: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Returns the places of at most 199 steps, including first and last, evenly along the axes of both curves."""
    along = found / found[-1] + wrong / wrong[-1] + (found + wrong) / (found[-1] + wrong[-1])
    places = np.searchsorted(along, np.linspace(along[0], along[-1], _POINTS - 1) - 1e-9)
    return np.unique(np.minimum(places, len(along) - 1))


def _alerts(tally: Tally, threshold: float) -> tuple[float, float]:
    flagged = tally.score >= threshold
    return float(tally.positives[flagged].sum()), float(tally.negatives[flagged].sum())


def _net_benefit(found: float, wrong: float, rows: int, threshold: float) -> float:
    return found / rows - wrong / rows * threshold / (1 - threshold)
