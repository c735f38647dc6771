"""Measures the scores again under the other definition of onset in Sepsis-3."""

from typing import Final

import numpy as np
import pandas as pd

from wardround.evaluation.metrics import measure_with_intervals
from wardround.evaluation.results import OtherOnset, Task
from wardround.evaluation.tallies import Scores

# The onset of a label, and the time that is then the other one.
_OTHER: Final = {
    "sofa_time": "suspected_infection_time",
    "suspected_infection_time": "sofa_time",
    "earlier": "sofa_time",
}


def other_onset(rows: pd.DataFrame, scores: Scores, onsets: pd.DataFrame | None, task: Task, seed: int) -> OtherOnset:
    """Judges the scores by the other time: it decides what lies in the horizon, and rows at or after it are left out.

    Stays and rows that the label's own definition leaves out stay out.

    Args:
        rows: stay_id, patient_id, as_of, outcome and onset (NaT for stays without the outcome).
        scores: score of each row, and the threshold.
        onsets: stay_id, sofa_time and suspected_infection_time; None for a label without them.
        task: gives onset_definition and horizon.
        seed: decides the resamples of patients.
    """
    other = _OTHER.get(task.onset_definition or "")
    if onsets is None or other is None:
        return OtherOnset(reason="the label has no second definition of onset")
    times = rows["stay_id"].map(onsets.set_index("stay_id")[other]).where(rows["onset"].notna())
    ahead = times - rows["as_of"]
    kept = ~(ahead <= pd.Timedelta(0)).to_numpy()
    outcome = rows["outcome"].to_numpy(dtype=int)
    if task.horizon is not None:
        outcome = (ahead <= pd.Timedelta(task.horizon)).to_numpy(dtype=int)
    metrics = measure_with_intervals(
        outcome[kept], scores.score[kept], scores.threshold, rows["patient_id"][kept], seed
    )
    return OtherOnset(definition=other, rows=int(kept.sum()), positives=int(np.sum(outcome[kept])), metrics=metrics)
