"""Counts rows by score: each row once, or as often as a bootstrap over patients draws it.

A thousand draws of 200,000 rows fit in memory because a draw keeps only the counts of rows by step of the score.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
import pandas as pd

RESAMPLES: Final = 1000
# If rows have more distinct scores, draws use coarser steps, which is exact enough for intervals.
MAX_STEPS: Final = 1000
# Numbers in one array of a batch of draws: about 16 MB.
_BATCH: Final = 2_000_000


class Scores(NamedTuple):
    """A model's scores (one probability per row), and the threshold from which it flags a row."""

    score: np.ndarray
    threshold: float


@dataclass(frozen=True)
class Tally:
    """Rows by step of the score, the highest first, for one or more draws.

    Attributes:
        score: score of each step's rows, or their mean. Length: steps.
        positives: draws x steps: rows with the outcome.
        negatives: draws x steps: rows without it.
        squared: per draw: squared distances between score and outcome, summed over rows.
        flagged: how many steps reach the threshold.
    """

    score: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    squared: np.ndarray
    flagged: int

    @property
    def all_positives(self) -> np.ndarray:
        return np.asarray(self.positives.sum(axis=1))

    @property
    def all_negatives(self) -> np.ndarray:
        return np.asarray(self.negatives.sum(axis=1))

    @property
    def true_alerts(self) -> np.ndarray:
        """Flagged rows with the outcome, per draw."""
        return np.asarray(self.positives[:, : self.flagged].sum(axis=1))

    @property
    def false_alerts(self) -> np.ndarray:
        """Flagged rows without the outcome, per draw."""
        return np.asarray(self.negatives[:, : self.flagged].sum(axis=1))


@dataclass(frozen=True)
class Steps:
    """Rows, with the step of the score that each is in.

    Attributes:
        outcome: outcome of each row, 0 or 1.
        score: score of each row.
        step: step of each row; 0 is the highest.
        step_score: score of each step.
        flagged: how many steps reach the threshold.
    """

    outcome: np.ndarray
    score: np.ndarray
    step: np.ndarray
    step_score: np.ndarray
    flagged: int

    @classmethod
    def of(cls, outcome: np.ndarray, scores: Scores, most: int | None = None) -> Self:
        """Makes each distinct score a step; with `most`, neighbours are merged into about so many steps, but never
        across the threshold, so that counts of flagged rows stay exact."""
        order = np.argsort(-scores.score, kind="stable")
        ranked = scores.score[order]
        place = np.cumsum(np.r_[False, np.diff(ranked) != 0][: len(ranked)])
        if most and place[-1] >= most:
            place = _coarser(place, ranked < scores.threshold, most)
        step = np.empty(len(ranked), dtype=np.int64)
        step[order] = place
        rows = np.bincount(place)
        step_score = np.bincount(place, weights=ranked) / rows if most else ranked[np.r_[True, np.diff(place) != 0]]
        flagged = int(place[ranked >= scores.threshold].max(initial=-1)) + 1
        return cls(outcome.astype(np.int64), scores.score, step, step_score, flagged)

    def tally(self) -> Tally:
        """Counts every row once."""
        counts = self._counts(np.ones(len(self.step)))
        return self._tally(counts[None], np.array([((self.score - self.outcome) ** 2).sum()]))

    def draws(self, patients: pd.Series, seed: int, resamples: int) -> Iterator[Tally]:
        """Counts rows as often as a bootstrap draws their patient, in batches of draws; a patient's rows go together.

        The draws depend only on the seed and the set of patients, so that two models get the same draws.
        """
        patient = pd.factorize(patients, sort=True)[0]
        count = int(patient.max()) + 1
        squared = np.bincount(patient, weights=(self.score - self.outcome) ** 2, minlength=count)
        generator = np.random.default_rng(seed)
        batch = max(1, _BATCH // (2 * len(self.step_score)))
        for done in range(0, resamples, batch):
            times = [times_drawn(generator, count) for _ in range(min(batch, resamples - done))]
            counts = np.stack([self._counts(drawn[patient]) for drawn in times])
            yield self._tally(counts, np.stack([drawn @ squared for drawn in times]))

    def _counts(self, weight: np.ndarray) -> np.ndarray:
        """Returns steps x 2: the weights of rows without and with the outcome."""
        cells = np.bincount(2 * self.step + self.outcome, weights=weight, minlength=2 * len(self.step_score))
        return cells.reshape(-1, 2)

    def _tally(self, counts: np.ndarray, squared: np.ndarray) -> Tally:
        return Tally(self.step_score, counts[:, :, 1], counts[:, :, 0], squared, self.flagged)


def _coarser(place: np.ndarray, below: np.ndarray, most: int) -> np.ndarray:
    """Merges the given places into about `most`. High scores keep fine steps: precision depends on the first rows."""
    last = np.flatnonzero(np.r_[np.diff(place) != 0, True])
    coarse = (most * np.sqrt(last[place] / len(place))).astype(int)
    return np.asarray(np.unique(2 * coarse + below, return_inverse=True)[1])


def times_drawn(generator: np.random.Generator, patients: int) -> np.ndarray:
    """Returns how often each patient is drawn, with replacement, in a resample of the same size."""
    return np.bincount(generator.integers(patients, size=patients), minlength=patients).astype(float)
