"""Left-out reasons are counted over the test set, on the values as they are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wardround.candidates.base import Contributions
from wardround.evaluation.results import ShownReasons
from wardround.evaluation.shown_reasons import shown_reasons
from wardround.results.rationale import Columns
from wardround.spec.loading import load_condition

COLUMN = "lactate__last_24h"


class Plain:
    """Lets a column lower every score, and age raise it less."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns

    def contributions(self, inputs: np.ndarray) -> Contributions:
        moves = np.array([{COLUMN: -1.0, "age": 0.5}.get(column, 0.0) for column in self.columns])
        return Contributions(np.tile(moves, (len(inputs), 1)), 0.0)


def counted(schemas: Path, lactate: list[float]) -> ShownReasons:
    sepsis = load_condition("sepsis", schemas)
    fitted: Any = Plain(sepsis.columns)
    features = pd.DataFrame(50.0, index=range(len(lactate)), columns=list(sepsis.columns))
    features[COLUMN] = lactate
    inputs = features.fillna(2.0).to_numpy()
    return shown_reasons(fitted, inputs, features, Columns.of(sepsis, {COLUMN: 1.5}))


def test_a_high_lactate_that_lowers_the_score_is_left_out_but_an_unknown_or_low_one_is_not(schemas: Path) -> None:
    assert counted(schemas, [9.0, 0.5, float("nan"), 1.2]) == ShownReasons(rows=4, shown=7, left_out=1)


def test_at_most_a_thousand_evenly_spaced_rows_are_counted(schemas: Path) -> None:
    assert counted(schemas, [9.0, 0.5] * 1000).rows == 1000
    assert counted(schemas, []) == ShownReasons(rows=0, shown=0, left_out=0)
