"""Counts how many reasons beside the scores of test rows are shown, and how many are left out."""

from typing import Final

import numpy as np
import pandas as pd

from wardround.candidates.base import Fitted
from wardround.evaluation.results import ShownReasons
from wardround.results.rationale import Columns, strongest

# Rows are taken evenly: a share needs no more than this.
_MOST_ROWS: Final = 1_000


def shown_reasons(fitted: Fitted, inputs: np.ndarray, features: pd.DataFrame, columns: Columns) -> ShownReasons:
    """Counts what `strongest` shows and leaves out over (at most 1,000 of the) rows.

    Args:
        fitted: the candidate.
        inputs: rows x columns, without NaN.
        features: the same rows with the condition's columns, NaN if unknown.
        columns: the condition's columns, with the values that the model compares with.
    """
    step = -(-len(inputs) // _MOST_ROWS) or 1
    moved = fitted.contributions(inputs[::step]).values
    known = features[list(columns.condition.columns)].to_numpy(dtype=float)[::step]
    found = strongest(known, moved, columns)
    return ShownReasons(
        rows=len(known),
        shown=sum(len(one.moves) for one in found),
        left_out=sum(one.left_out for one in found),
    )
