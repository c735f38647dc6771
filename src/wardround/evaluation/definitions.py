"""Measures the same scores by each definition of onset that a label has, such as those of Sepsis-3."""

from collections.abc import Iterable
from typing import Final

import pandas as pd

from wardround.evaluation.measures import METRICS
from wardround.evaluation.metrics import measure_with_intervals
from wardround.evaluation.results import Definition, Task
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores

MEASURES: Final = {name: METRICS[name] for name in ("auroc", "auprc", "sensitivity", "ppv", "prevalence")}


def by_definition(
    rows: pd.DataFrame,
    scores: Scores,
    sample: Sample,
    known: pd.DataFrame,
    found: Iterable[Definition],
    task: Task,
) -> tuple[Definition, ...]:
    """Returns the definitions with the figures of the test set by each.

    A definition decides which stays have the outcome and when: what lies within the horizon, and that rows at or after
    onset are left out, as are those of stays with an outcome that is unknown or has no time. Stays and rows that the
    label's own definition leaves out stay out, because nothing was scored there.

    Args:
        rows: stay_id, patient_id and as_of.
        scores: score of each row, and the threshold.
        sample: the rows' patients, drawn by the label's own definition.
        known: stay_id, definition, suspicion, outcome and onset: a row for each stay and definition.
        found: the definitions.
        task: gives the horizon.
    """
    return tuple(_measured(rows, scores, sample, _of(known, definition), definition, task) for definition in found)


def _of(known: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    mine = (known["definition"] == definition.onset) & (known["suspicion"] == definition.suspicion)
    return known[mine].set_index("stay_id")


def _measured(
    rows: pd.DataFrame,
    scores: Scores,
    sample: Sample,
    known: pd.DataFrame,
    definition: Definition,
    task: Task,
) -> Definition:
    happens, onset = (rows["stay_id"].map(known[name]) for name in ("outcome", "onset"))
    ahead = onset - rows["as_of"]
    timeless = happens.fillna(True).astype(bool) & onset.isna()
    kept = ~(timeless | (ahead <= pd.Timedelta(0))).to_numpy()
    follows = ahead.notna() if task.horizon is None else ahead <= pd.Timedelta(task.horizon)
    outcome = follows.to_numpy(dtype=int)[kept]
    metrics = measure_with_intervals(outcome, scores.score[kept], scores.threshold, sample.take(kept), MEASURES)
    figures = {"rows": int(kept.sum()), "positives": int(outcome.sum()), "metrics": metrics}
    return definition.model_copy(update=figures)
