"""Measures how much each column moves a candidate's scores."""

from typing import Final

import numpy as np

from wardround.candidates.base import Fitted
from wardround.evaluation.results import ColumnImportance, Importance

# Rows are taken evenly: means over more rows would differ only in digits that nobody reads.
_MOST_ROWS: Final = 10_000


def importance_of(fitted: Fitted, inputs: np.ndarray, columns: tuple[str, ...]) -> Importance:
    """Returns the mean absolute contribution per column over (at most 10,000 of the) rows, largest first.

    Args:
        fitted: the candidate.
        inputs: rows x columns, without NaN.
        columns: their names.
    """
    some = inputs[:: -(-len(inputs) // _MOST_ROWS) or 1]
    moved = np.abs(fitted.contributions(some).values).mean(axis=0) if len(some) else np.zeros(len(columns))
    order = np.argsort(-moved, kind="stable")
    return Importance(
        method=fitted.explained_by,
        unit=fitted.unit,
        rows=len(some),
        columns=tuple(ColumnImportance(column=columns[place], mean_absolute=float(moved[place])) for place in order),
    )
