"""Chooses a candidate's settings in grouped nested cross-validation.

The outer folds are those of the table. Inside, a setting is judged on the folds before and after the outer one: a
model that was fitted without two neighbouring folds is judged on each of them, so that one fit does the work of two.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from wardround.candidates.base import Fitted, HyperParameters
from wardround.evaluation.metrics import auroc
from wardround.training.fitting import TrainingRows, fit

# With fewer patients with the outcome, differences are chance, so the default setting is used.
FEWEST_POSITIVES: Final = 50
# From here on settings for large data are tried, too. A leaf that weighs 200 (`min_child_weight`) is worth having if a
# tree of depth 4 could have 16 of them; what a row weighs is the variance of its outcome. The rows of a patient are
# alike, so that there must also be many patients with the outcome.
LARGE_WEIGHT: Final = 16 * 200
LARGE_POSITIVES: Final = 500


class Nested(NamedTuple):
    """The setting chosen without each fold, and the setting for all rows."""

    by_fold: dict[int, HyperParameters]
    setting: HyperParameters


def nested_cross_validation(candidate: type[Fitted], rows: TrainingRows, budget: int, seed: int) -> Nested:
    """Tries `budget` settings on all rows; the best has the highest AUROC on folds that it was not fitted to.

    Each setting is also tried stopped early, if the candidate learns in rounds (`Fitted.stages`): how many rounds are
    best is learned as any other setting is, from folds of other patients. Settings are judged on all rows and not on a
    sample, because a sample is too small for the leaves of a setting for large data, and would reject it.
    """
    settings = _to_try(candidate, rows, budget)
    stages = [stage for setting in settings for stage in candidate.stages(setting)] if len(settings) > 1 else settings
    folds = [int(fold) for fold in np.unique(rows.folds)]
    judged = _judged(candidate, settings, len(stages), rows, folds, seed)
    by_fold = {fold: stages[_best(judged[:, place])] for place, fold in enumerate(folds)}
    return Nested(by_fold, stages[_best(judged.reshape(len(stages), -1))])


def is_large(rows: TrainingRows) -> bool:
    """Returns whether settings for large data are worth a try."""
    share = rows.outcome.mean()
    weight = len(rows.outcome) * share * (1 - share)
    return bool(weight >= LARGE_WEIGHT and _positives(rows) >= LARGE_POSITIVES)


def _to_try(candidate: type[Fitted], rows: TrainingRows, budget: int) -> Sequence[HyperParameters]:
    if _positives(rows) < FEWEST_POSITIVES:
        return candidate.settings[:1]
    large = candidate.large if is_large(rows) else ()
    return (candidate.settings[0], *large, *candidate.settings[1:])[:budget]


def _positives(rows: TrainingRows) -> int:
    """Returns the number of patients with the outcome."""
    return int(rows.patients[rows.outcome == 1].nunique())


def _judged(
    candidate: type[Fitted],
    settings: Sequence[HyperParameters],
    stages: int,
    rows: TrainingRows,
    folds: list[int],
    seed: int,
) -> np.ndarray:
    """Returns stages x folds x folds: the AUROC on the third by a model that saw neither; NaN if not neighbours.

    `stages` is the number of those of all settings together, which follow one another in this order.
    """
    found = np.full((stages, len(folds), len(folds)), np.nan)
    if len(settings) == 1:
        return found
    start = 0
    for setting in settings:
        mine = slice(start, start + len(candidate.stages(setting)))
        for first, second, on_first, on_second in _pairs(candidate, setting, rows, folds, seed):
            found[mine, first, second], found[mine, second, first] = on_second, on_first
        start = mine.stop
    return found


def _pairs(
    candidate: type[Fitted], setting: HyperParameters, rows: TrainingRows, folds: list[int], seed: int
) -> Iterator[tuple[int, int, list[float], list[float]]]:
    """Yields each fold and the next, by place, with the AUROC of each stage on each by a model fitted without both."""
    for first in range(len(folds)):
        second = (first + 1) % len(folds)
        held_out = [rows.folds == folds[first], rows.folds == folds[second]]
        seen = rows.take(~(held_out[0] | held_out[1]))
        if len(np.unique(seen.outcome)) < 2:
            continue
        learned = fit(candidate, seen, seed, {**setting, **candidate.thrift})
        on_first, on_second = (
            [auroc(rows.outcome[each], scores) for scores in learned.scores_by_stage(rows.features[each])]
            for each in held_out
        )
        yield first, second, on_first, on_second


def _best(judged: np.ndarray) -> int:
    """Returns the setting with the highest mean of its defined figures; of equals, or without any, the first."""
    defined = ~np.isnan(judged)
    total = np.where(defined, judged, 0).sum(axis=1)
    return int(np.argmax(np.round(total / np.maximum(defined.sum(axis=1), 1), 9)))
