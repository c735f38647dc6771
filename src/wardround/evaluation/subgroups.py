"""Computes metrics by sex, age, unit and race; small cells are counted but not shown."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import pandas as pd

from wardround.evaluation.metrics import measure_with_intervals
from wardround.evaluation.results import Cell, Subgroups
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores

Attribute = Literal["sex", "age_band", "unit", "race"]
COLUMNS: Final[dict[Attribute, str]] = {"sex": "sex_group", "age_band": "age_band", "unit": "unit", "race": "race"}
_FEWEST_PATIENTS: Final = 10
FEWEST_WITH_OUTCOME: Final = 5
_UNKNOWN: Final = "unknown"


def subgroups_of(rows: pd.DataFrame, scores: Scores, sample: Sample) -> tuple[Subgroups, ...]:
    """Returns the metrics of each attribute's subgroups.

    Args:
        rows: stay_id, patient_id, outcome and a column for each attribute, empty if unknown.
        scores: score of each row, and the threshold.
        sample: the rows' patients.
    """
    return tuple(_by(attribute, rows, scores, sample) for attribute in COLUMNS)


def _by(attribute: Attribute, rows: pd.DataFrame, scores: Scores, sample: Sample) -> Subgroups:
    group = rows[COLUMNS[attribute]].to_numpy(dtype=object)
    group = np.where(group == "", _UNKNOWN, group)
    if set(group) <= {_UNKNOWN}:
        return Subgroups(attribute=attribute, cells=(), suppressed=0, reason="the source does not say")
    cells = [_cell(str(name), group == name, rows, scores, sample) for name in sorted(set(group))]
    shown = _shown(cells)
    reason = None if shown else "every group is too small to be shown, or would give a small one away"
    return Subgroups(attribute=attribute, cells=shown, suppressed=len(cells) - len(shown), reason=reason)


def _shown(cells: Sequence[Cell | None]) -> tuple[Cell, ...]:
    """Returns all but the small cells. A single small one could be found by subtraction, so another goes with it."""
    large = [cell for cell in cells if cell is not None]
    if large and len(cells) - len(large) == 1:
        large.remove(min(large, key=lambda cell: cell.patients))
    return tuple(large)


def _cell(name: str, mine: np.ndarray, rows: pd.DataFrame, scores: Scores, sample: Sample) -> Cell | None:
    """Returns the cell, or None if it is too small."""
    group, outcome = rows[mine], rows["outcome"].to_numpy(dtype=int)[mine]
    patients = int(group["patient_id"].nunique())
    with_outcome = group[outcome == 1]
    if patients < _FEWEST_PATIENTS or with_outcome["patient_id"].nunique() < FEWEST_WITH_OUTCOME:
        return None
    return Cell(
        group=name,
        rows=len(group),
        stays=int(group["stay_id"].nunique()),
        patients=patients,
        positives=int(with_outcome["stay_id"].nunique()),
        metrics=measure_with_intervals(outcome, scores.score[mine], scores.threshold, sample.take(mine)),
    )
