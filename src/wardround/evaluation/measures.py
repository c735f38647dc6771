"""The figures of one model, as functions of its rows by score and outcome, each with the way to its interval."""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import numpy as np

from wardround.evaluation.intervals import (
    ASSUMED,
    ASSUMED_OF_ALERTS,
    Estimate,
    Interval,
    Scale,
    interval_of_difference,
    interval_of_difference_in_same_rows,
    interval_of_difference_of_means,
    mean_interval,
    share_interval,
    smooth_interval,
)
from wardround.evaluation.samples import FEWEST_PATIENTS, Drawn, Sample
from wardround.evaluation.tallies import Scores, Steps, Tally


class PatientRows:
    """Scored rows, counted by step of the score, whose sums over each patient give intervals.

    `counted` is how many rows each patient has.
    """

    def __init__(self, outcome: np.ndarray, scores: Scores, sample: Sample) -> None:
        self._steps = Steps.of(outcome, scores)
        self._sample = sample
        self.tally = self._steps.tally()
        self.drawn = sample.drawn
        self.counted = sample.by_patient(np.ones(len(outcome)))
        self.has_it = sample.by_patient(outcome) > 0

    def by_patient(self, of_cells: np.ndarray) -> np.ndarray:
        """Returns the sum over each patient's rows of what depends on step and outcome alone (steps x 2)."""
        return self._steps.by_patient(of_cells, self._sample.number)

    def can_have_it(self, rows: np.ndarray) -> np.ndarray:
        """Returns how many of so many rows can have the outcome, both by patient."""
        return self._sample.can_have_it(rows)


class Need(NamedTuple):
    """What a measure cannot do without: a count, and the reason to give if it is 0."""

    rows: Callable[[Tally], float]
    reason: str


class Measure(Protocol):
    """A figure, with the way to its interval and to that of the difference of two models."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the figure cannot do without."""

    def figure(self, tally: Tally) -> float:
        """Returns the figure; NaN if the rows do not determine it."""

    def estimate(self, value: float, rows: PatientRows) -> Estimate:
        """Returns the figure of the rows, which is `value`, with its interval."""

    def apart(self, first: Estimate, second: Estimate, rows: PatientRows) -> Interval:
        """Returns the interval of the difference of two models' figures of the same rows."""


class Share(NamedTuple):
    """A share of rows: those of `part` among those of `whole`, each 1 or 0 for a row's step and outcome (steps x 2).

    `of_outcome`: it is the share of all rows with the outcome, which the horizon bounds. For `assumed` see
    `share_interval`.
    """

    part: Callable[[Tally], np.ndarray]
    whole: Callable[[Tally], np.ndarray]
    needs: tuple[Need, ...] = ()
    of_outcome: bool = False
    assumed: float = ASSUMED

    def figure(self, tally: Tally) -> float:
        return float((self.part(tally) * tally.cells).sum() / (self.whole(tally) * tally.cells).sum())

    def estimate(self, value: float, rows: PatientRows) -> Estimate:
        hits, counted = (rows.by_patient(of_cells(rows.tally)) for of_cells in (self.part, self.whole))
        parts = (hits - value * counted) / counted.sum()
        most = rows.can_have_it(counted) if self.of_outcome else counted
        drawn = rows.drawn._replace(alike=self.of_outcome)
        return Estimate(value, share_interval(hits, counted, drawn, most, self.assumed), parts, counted)

    def apart(self, first: Estimate, second: Estimate, rows: PatientRows) -> Interval:
        same = np.array_equal(first.counted, second.counted)
        return (interval_of_difference_in_same_rows if same else interval_of_difference)(first, second, rows.drawn)


class Mean(NamedTuple):
    """A mean over all rows of what each counts, from 0 to 1, by its step and outcome (steps x 2).

    Rows with the outcome count for the most of it, and the horizon bounds how many a patient has.
    """

    counts: Callable[[Tally], np.ndarray]
    needs: tuple[Need, ...] = ()

    def figure(self, tally: Tally) -> float:
        return float((self.counts(tally) * tally.cells).sum() / tally.cells.sum())

    def moved(self, tally: Tally) -> np.ndarray:
        """Returns how far one more row moves the mean (steps x 2)."""
        return (self.counts(tally) - self.figure(tally)) / tally.cells.sum()

    def estimate(self, value: float, rows: PatientRows) -> Estimate:
        return estimated_mean(value, self.moved(rows.tally), rows, rows.drawn, rows.can_have_it(rows.counted))

    def apart(self, first: Estimate, second: Estimate, rows: PatientRows) -> Interval:
        return interval_of_difference_of_means(first, second, rows.has_it, rows.drawn)


class Smooth(NamedTuple):
    """A figure of all rows together, and how far one more row moves it, by its step and outcome (steps x 2).

    All rows together move it by 0. It is NaN if the rows do not determine it.
    """

    figure: Callable[[Tally], float]
    moved: Callable[[Tally], np.ndarray]
    needs: tuple[Need, ...]
    scale: Scale = "as it is"
    fewest: int = FEWEST_PATIENTS

    def estimate(self, value: float, rows: PatientRows) -> Estimate:
        parts = rows.by_patient(self.moved(rows.tally))
        found = smooth_interval(value, parts, rows.has_it, rows.drawn, self.scale, self.fewest)
        return Estimate(value, found, parts, np.ones(len(parts)))

    def apart(self, first: Estimate, second: Estimate, rows: PatientRows) -> Interval:
        return smooth_apart(first, second, rows, self.fewest)


class F1(NamedTuple):
    """F1, which rises with Jaccard's index: true alerts as a share of rows that are flagged or have the outcome."""

    overlap: Share
    needs: tuple[Need, ...]

    def figure(self, tally: Tally) -> float:
        return 2 * tally.true_alerts / (tally.true_alerts + tally.false_alerts + tally.all_positives)

    def estimate(self, value: float, rows: PatientRows) -> Estimate:
        found = self.overlap.estimate(self.overlap.figure(rows.tally), rows)
        return found._replace(
            value=value, interval=found.interval.shown(_f1_of), parts=found.parts * _f1_rises(found.value)
        )

    def apart(self, first: Estimate, second: Estimate, rows: PatientRows) -> Interval:
        return smooth_apart(first, second, rows)


def estimated_mean(value: float, moved: np.ndarray, rows: PatientRows, drawn: Drawn, most: np.ndarray) -> Estimate:
    """Returns a mean over all rows, between 0 and 1, with its interval.

    Args:
        value: the mean.
        moved: how far one more row moves it (steps x 2).
        rows: all rows.
        drawn: how their patients were drawn.
        most: how many rows of each patient can count for much.
    """
    mean = Estimate(value, Interval(), rows.by_patient(moved), rows.counted)
    of_one = float((moved**2 * rows.tally.cells).sum() * rows.tally.cells.sum())
    return mean._replace(interval=mean_interval(mean, rows.has_it, of_one, drawn, most))


def smooth_apart(first: Estimate, second: Estimate, rows: PatientRows, fewest: int = FEWEST_PATIENTS) -> Interval:
    """Returns the interval of the difference of two figures, from what patients move both."""
    value, parts = first.value - second.value, first.parts - second.parts
    return smooth_interval(value, parts, rows.has_it, rows.drawn, "as it is", fewest)


POSITIVES: Final = Need(lambda tally: tally.all_positives, "no stay with the outcome")
NEGATIVES: Final = Need(lambda tally: tally.all_negatives, "no stay without the outcome")
_ALERTS: Final = Need(lambda tally: tally.true_alerts + tally.false_alerts, "no stay reaches the threshold")


def _flagged(tally: Tally) -> np.ndarray:
    cells = np.zeros((len(tally.score), 2))
    cells[: tally.flagged] = 1
    return cells


def _positive(tally: Tally) -> np.ndarray:
    return np.repeat([[0.0, 1.0]], len(tally.score), axis=0)


def _negative(tally: Tally) -> np.ndarray:
    return 1 - _positive(tally)


def _true_alert(tally: Tally) -> np.ndarray:
    return _flagged(tally) * _positive(tally)


def _every(tally: Tally) -> np.ndarray:
    return np.ones((len(tally.score), 2))


def _auroc(tally: Tally) -> float:
    """Returns the area under the receiver operating characteristic; ties count half."""
    return float(tally.positives @ _below(tally) / tally.all_positives)


def _auroc_moved(tally: Tally) -> np.ndarray:
    """Returns each row's placement among the rows of the other outcome, less the area (DeLong 1988)."""
    above = (np.cumsum(tally.positives) - tally.positives / 2) / tally.all_positives
    area = _auroc(tally)
    return np.stack([(above - area) / tally.all_negatives, (_below(tally) - area) / tally.all_positives], axis=1)


def _below(tally: Tally) -> np.ndarray:
    """Returns, by step, the share of rows without the outcome that score less; ties count half."""
    return 1 - (np.cumsum(tally.negatives) - tally.negatives / 2) / tally.all_negatives


def _auprc(tally: Tally) -> float:
    """Returns the average precision: precision at each distinct score, weighted by the recall that it adds."""
    return float(tally.positives @ _precision(tally)[0] / tally.all_positives)


def _auprc_moved(tally: Tally) -> np.ndarray:
    """Returns the derivatives of the average precision: a row also moves the precision at every lower score."""
    precision, seen = _precision(tally)
    raised = _from_below(tally.positives * (1 - precision) / seen)
    lowered = _from_below(tally.positives * precision / seen)
    return np.stack([-lowered, precision - _auprc(tally) + raised], axis=1) / tally.all_positives


def _precision(tally: Tally) -> tuple[np.ndarray, np.ndarray]:
    """Returns, by step, the precision of flagging it and all higher steps, and how many rows these have."""
    found = np.cumsum(tally.positives)
    seen = found + np.cumsum(tally.negatives)
    return found / seen, seen


def _from_below(of_steps: np.ndarray) -> np.ndarray:
    """Returns, by step, the sum over it and all lower steps."""
    return np.cumsum(of_steps[::-1])[::-1]


def _squared(tally: Tally) -> np.ndarray:
    return np.stack([tally.score**2, (1 - tally.score) ** 2], axis=1)


def _f1_of(overlap: float) -> float:
    """Returns F1 from Jaccard's index."""
    return 2 * overlap / (1 + overlap)


def _f1_rises(overlap: float) -> float:
    """Returns how fast F1 rises with Jaccard's index."""
    return 2 / (1 + overlap) ** 2


# The average precision of fewer patients is too high on average: no interval holds (see benchmarks/coverage.py).
_FEWEST_FOR_AUPRC: Final = 25

METRICS: Final[dict[str, Measure]] = {
    "auroc": Smooth(_auroc, _auroc_moved, (POSITIVES, NEGATIVES), "log-odds"),
    "auprc": Smooth(_auprc, _auprc_moved, (POSITIVES,), "both", _FEWEST_FOR_AUPRC),
    "f1": F1(Share(_true_alert, lambda tally: np.maximum(_flagged(tally), _positive(tally))), (POSITIVES,)),
    "sensitivity": Share(_true_alert, _positive, (POSITIVES,)),
    "specificity": Share(lambda tally: _negative(tally) * (1 - _flagged(tally)), _negative, (NEGATIVES,)),
    "ppv": Share(_true_alert, _flagged, (_ALERTS,), assumed=ASSUMED_OF_ALERTS),
    "brier": Mean(_squared),
    "prevalence": Share(_positive, _every, of_outcome=True),
}
"""Measures by name; brier is the mean squared distance between probability and outcome."""

FLAGGED: Final = Share(_flagged, _every)
"""The share of rows at or above the threshold."""
