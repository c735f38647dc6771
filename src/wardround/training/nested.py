"""Chooses a candidate's settings in grouped nested cross-validation, and scores the training rows out of fold.

The outer folds are those of the table. Inside, a setting is judged on the folds before and after the outer one: a
model that was fitted without two neighbouring folds is judged on each of them, so that one fit does the work of two.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from wardround.candidates.base import Fitted, HyperParameters
from wardround.evaluation.metrics import auroc
from wardround.training.fitting import TrainingRows, fit

# Settings are compared on at most this many rows, of whole patients: more would not change which is best.
_SEARCH_ROWS: Final = 50_000
# With fewer patients with the outcome, differences are chance, so the default setting is used.
FEWEST_POSITIVES: Final = 50


class Nested(NamedTuple):
    """Out-of-fold scores, the setting chosen without each fold, and the setting for all rows."""

    scores: np.ndarray
    by_fold: dict[int, HyperParameters]
    setting: HyperParameters


def nested_cross_validation(candidate: type[Fitted], rows: TrainingRows, budget: int, seed: int) -> Nested:
    """Tries the candidate's first `budget` settings; the best has the highest AUROC on folds it was not fitted to."""
    positives = rows.patients[rows.outcome == 1].nunique()
    settings = candidate.settings[: budget if positives >= FEWEST_POSITIVES else 1]
    folds = [int(fold) for fold in np.unique(rows.folds)]
    judged = _judged(candidate, settings, rows.some(_SEARCH_ROWS, seed), folds, seed)
    by_fold = {fold: settings[_best(judged[:, place])] for place, fold in enumerate(folds)}
    scores = np.full(len(rows.outcome), np.nan)
    for fold in folds:
        inside = rows.folds == fold
        scores[inside] = fit(candidate, rows.take(~inside), seed, by_fold[fold]).scores(rows.features[inside])
    return Nested(scores, by_fold, settings[_best(judged.reshape(len(settings), -1))])


def _judged(
    candidate: type[Fitted], settings: tuple[HyperParameters, ...], rows: TrainingRows, folds: list[int], seed: int
) -> np.ndarray:
    """Returns settings x folds x folds: the AUROC on the third by a model that saw neither; NaN if not neighbours."""
    found = np.full((len(settings), len(folds), len(folds)), np.nan)
    if len(settings) == 1:
        return found
    for place, setting in enumerate(settings):
        for first, second, on_first, on_second in _pairs(candidate, setting, rows, folds, seed):
            found[place, first, second], found[place, second, first] = on_second, on_first
    return found


def _pairs(
    candidate: type[Fitted], setting: HyperParameters, rows: TrainingRows, folds: list[int], seed: int
) -> Iterator[tuple[int, int, float, float]]:
    """Yields each fold and the next, by place, with the AUROC on each of a model that was fitted without both."""
    for first in range(len(folds)):
        second = (first + 1) % len(folds)
        held_out = [rows.folds == folds[first], rows.folds == folds[second]]
        seen = rows.take(~(held_out[0] | held_out[1]))
        if len(np.unique(seen.outcome)) < 2:
            continue
        learned = fit(candidate, seen, seed, {**setting, **candidate.thrift})
        on_first, on_second = (auroc(rows.outcome[each], learned.scores(rows.features[each])) for each in held_out)
        yield first, second, on_first, on_second


def _best(judged: np.ndarray) -> int:
    """Returns the setting with the highest mean of its defined figures; of equals, or without any, the first."""
    defined = ~np.isnan(judged)
    total = np.where(defined, judged, 0).sum(axis=1)
    return int(np.argmax(np.round(total / np.maximum(defined.sum(axis=1), 1), 9)))
