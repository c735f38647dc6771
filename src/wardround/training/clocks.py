"""Tells a clock from a leak, and measures what a model of time alone reaches.

A clock advances by an hour every hour, whatever happens to the patient. So nothing that was recorded after the
prediction can be in it, however much it helps, and it is no leak. What it can carry is how the hazard changes during a
stay, as at the bedside, and at which hours of their stays the training data look at patients with and without the
outcome. The figures of time alone show how much that is.
"""

from typing import Final, NamedTuple, Self

import numpy as np
import pandas as pd

from wardround.candidates.base import Fitted, HyperParameters
from wardround.evaluation.by_time import ByTime
from wardround.evaluation.measures import METRICS
from wardround.evaluation.metrics import Metric, measure_with_intervals
from wardround.spec.conditions import CLOCKS
from wardround.training.fitting import TrainingRows, out_of_fold

_MEASURES: Final = {name: METRICS[name] for name in ("auroc", "auprc")}
_EXACT: Final = 1e-6  # hours


class TimeScores(NamedTuple):
    """Out-of-fold scores of `rows` by models with all inputs, without the clocks (`columns`) and with these alone."""

    columns: tuple[str, ...]
    rows: TrainingRows
    whole: np.ndarray
    without: np.ndarray
    alone: np.ndarray

    @classmethod
    def of(
        cls,
        candidate: type[Fitted],
        rows: TrainingRows,
        setting: HyperParameters,
        columns: tuple[str, ...],
        seed: int,
    ) -> Self:
        """Fits the candidate three times to each fold's training rows; `columns` are some of the rows' features."""
        found = (
            out_of_fold(candidate, some, seed, setting) for some in (rows, rows.without(*columns), rows.only(*columns))
        )
        return cls(columns, rows, *found)

    def figures(self) -> ByTime:
        """Returns their AUROC and AUPRC."""
        return ByTime(
            columns=self.columns,
            rows=len(self.rows.outcome),
            all_inputs=self._measured(self.whole),
            without_time=self._measured(self.without),
            time_alone=self._measured(self.alone),
        )

    def _measured(self, scores: np.ndarray) -> dict[str, Metric]:
        return measure_with_intervals(self.rows.outcome, scores, 0.5, self.rows.sample, _MEASURES)


def clocks_in(table: pd.DataFrame) -> tuple[str, ...]:
    """Returns the columns of a training table that are called a clock and are one.

    Where they are known, they advance exactly as the hour of the prediction does in each stay, and the time in the unit
    is that hour. A column that does not was made otherwise, and may know anything.

    Args:
        table: stay_id, hour (since admission to the unit), and features.
    """
    return tuple(name for name in CLOCKS if name in table and _advances(table, name))


def _advances(table: pd.DataFrame, name: str) -> bool:
    before = (table[name] - table["hour"]).groupby(table["stay_id"])
    lowest, highest = before.min(), before.max()
    apart = (highest - lowest).max()
    if name == "hours_in_unit":
        apart = max(apart, highest.abs().max(), lowest.abs().max())
    return not apart > _EXACT  # NaN: it is known nowhere
