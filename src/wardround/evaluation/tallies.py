"""Counts rows by score, and sums over each patient what single rows contribute to a figure."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np


class Scores(NamedTuple):
    """A model's scores (one probability per row), and the threshold from which it flags a row."""

    score: np.ndarray
    threshold: float


@dataclass(frozen=True)
class Tally:
    """Rows by step of the score, the highest first.

    Attributes:
        score: score of each step's rows. Length: steps.
        positives: rows with the outcome, by step.
        negatives: rows without it, by step.
        flagged: how many steps reach the threshold.
    """

    score: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    flagged: int

    @property
    def all_positives(self) -> float:
        return float(self.positives.sum())

    @property
    def all_negatives(self) -> float:
        return float(self.negatives.sum())

    @property
    def true_alerts(self) -> float:
        """Flagged rows with the outcome."""
        return float(self.positives[: self.flagged].sum())

    @property
    def false_alerts(self) -> float:
        """Flagged rows without the outcome."""
        return float(self.negatives[: self.flagged].sum())

    @property
    def cells(self) -> np.ndarray:
        """Rows without and with the outcome. Shape: steps x 2."""
        return np.stack([self.negatives, self.positives], axis=1)


@dataclass(frozen=True)
class Steps:
    """Rows, with the step of the score that each is in.

    Attributes:
        outcome: outcome of each row, 0 or 1.
        step: step of each row; 0 is the highest.
        step_score: score of each step.
        flagged: how many steps reach the threshold.
    """

    outcome: np.ndarray
    step: np.ndarray
    step_score: np.ndarray
    flagged: int

    @classmethod
    def of(cls, outcome: np.ndarray, scores: Scores) -> Self:
        """Makes each distinct score a step."""
        distinct, place = np.unique(-scores.score, return_inverse=True)
        flagged = int((-distinct >= scores.threshold).sum())
        return cls(outcome.astype(np.int64), place.reshape(-1), -distinct, flagged)

    def tally(self) -> Tally:
        """Counts every row once."""
        cells = np.bincount(2 * self.step + self.outcome, minlength=2 * len(self.step_score)).reshape(-1, 2)
        return Tally(self.step_score, cells[:, 1].astype(float), cells[:, 0].astype(float), self.flagged)

    def by_patient(self, of_cells: np.ndarray, patients: np.ndarray) -> np.ndarray:
        """Returns the sum over each patient's rows of a number that depends on step and outcome alone.

        Args:
            of_cells: the number for rows without and with the outcome. Shape: steps x 2.
            patients: number of each row's patient, from 0.
        """
        return np.bincount(patients, weights=of_cells[self.step, self.outcome])
