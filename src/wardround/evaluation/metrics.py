"""Measures a model's rows, or those of two models in pairs, and reports each figure with its interval over patients.

What cannot be computed is None, with a reason.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from wardround.evaluation.intervals import ASSUMED, Estimate, share_interval
from wardround.evaluation.measures import METRICS, Measure, PatientRows
from wardround.evaluation.samples import Drawn, Sample
from wardround.evaluation.tallies import Scores, Steps, Tally
from wardround.spec.base import SpecModel


class Metric(SpecModel):
    """A metric with its 95 % interval; None, with the reason, for what the data do not support."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends, or None. One without width, as earlier releases stored for few patients, is none."""
        if self.low is None or self.high is None or self.low == self.high:
            return None
        return self.low, self.high

    @property
    def why_no_interval(self) -> str:
        """Why there is no value or no interval, in words."""
        return self.reason or ("too few patients for an interval" if self.low is not None else "no interval")


class Paired(NamedTuple):
    """The same measures of two models, and the first minus the second."""

    first: dict[str, Metric]
    second: dict[str, Metric]
    difference: dict[str, Metric]


def auroc(outcome: np.ndarray, score: np.ndarray) -> float:
    """Returns the AUROC alone; NaN if it does not exist."""
    if not len(outcome):
        return np.nan
    found = _point(METRICS["auroc"], Steps.of(outcome, Scores(score, 0.0)).tally())
    return np.nan if isinstance(found, str) else found


def measure_with_intervals(
    outcome: np.ndarray,
    score: np.ndarray,
    threshold: float,
    sample: Sample,
    measures: Mapping[str, Measure] = METRICS,
) -> dict[str, Metric]:
    """Returns `measures` of the rows of a sample with intervals over patients, or the reason why one has none."""
    if not len(outcome):
        return _no_rows(measures)
    rows = PatientRows(outcome, Scores(score, threshold), sample)
    return {name: _metric(_estimated(each, rows)) for name, each in measures.items()}


def paired_with_intervals(
    outcome: np.ndarray,
    first: Scores,
    second: Scores,
    sample: Sample,
    measures: Mapping[str, Measure] = METRICS,
) -> Paired:
    """Returns `measures` of two models for the same rows, and `first` minus `second`, with intervals."""
    if not len(outcome):
        return Paired(_no_rows(measures), _no_rows(measures), _no_rows(measures))
    both = [PatientRows(outcome, scores, sample) for scores in (first, second)]
    ours, theirs = ({name: _estimated(each, rows) for name, each in measures.items()} for rows in both)
    return Paired(
        {name: _metric(found) for name, found in ours.items()},
        {name: _metric(found) for name, found in theirs.items()},
        {name: _difference(each, ours[name], theirs[name], both[0]) for name, each in measures.items()},
    )


def share_of(
    hits: np.ndarray,
    rows: np.ndarray,
    drawn: Drawn,
    reason: str,
    most: np.ndarray | None = None,
    assumed: float = ASSUMED,
) -> Metric:
    """Returns sum(hits) / sum(rows), both by patient; without rows it has no value, for the reason.

    For `drawn`, `most` and `assumed` see `share_interval`.
    """
    if not rows.sum():
        return Metric(value=None, reason=reason)
    found = share_interval(hits, rows, drawn, most, assumed)
    return Metric(value=float(hits.sum() / rows.sum()), **found._asdict())


def _estimated(each: Measure, rows: PatientRows) -> Estimate | str:
    """Returns the figure with its interval, or the reason why it has no value."""
    point = _point(each, rows.tally)
    return point if isinstance(point, str) else each.estimate(point, rows)


def _metric(found: Estimate | str) -> Metric:
    if isinstance(found, str):
        return Metric(value=None, reason=found)
    return Metric(value=found.value, **found.interval._asdict())


def _difference(each: Measure, first: Estimate | str, second: Estimate | str, rows: PatientRows) -> Metric:
    if isinstance(first, str):
        return Metric(value=None, reason=first)
    if isinstance(second, str):
        return Metric(value=None, reason=second)
    return Metric(value=first.value - second.value, **each.apart(first, second, rows)._asdict())


def _no_rows(measures: Mapping[str, Measure]) -> dict[str, Metric]:
    return {name: Metric(value=None, reason="no stay") for name in measures}


def _point(each: Measure, tally: Tally) -> float | str:
    """Returns the figure, or the reason why it has no value."""
    for need in each.needs:
        if not need.rows(tally):
            return need.reason
    figure = each.figure(tally)
    return "the stays do not determine it" if np.isnan(figure) else figure
