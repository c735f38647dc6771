"""Measures lead times: the hours from the first true alert of a stay to its onset."""

from typing import Final

import numpy as np
import pandas as pd

from wardround.evaluation.intervals import quantile, quantile_interval
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import LeadTime

_QUARTILES: Final = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
# Quartiles of fewer stays would reveal the course of single patients.
_FEWEST_STAYS: Final = 10


def lead_time(rows: pd.DataFrame, score: np.ndarray, threshold: float) -> LeadTime:
    """Returns the hours to onset from true alerts, which are rows with the outcome at or above the threshold.

    Args:
        rows: stay_id, patient_id, as_of, outcome and onset (NaT if unknown).
        score: score of each row.
        threshold: threshold of the high band.
    """
    ahead = rows[rows["outcome"].to_numpy(dtype=bool) & rows["onset"].notna().to_numpy()]
    if ahead.empty:
        return _none("no stay with the outcome has a time of onset")
    alerts = ahead[score[rows.index.get_indexer(ahead.index)] >= threshold]
    first = alerts.sort_values("as_of").drop_duplicates("stay_id").sort_values("stay_id")
    stays = {"stays_with_onset": int(ahead["stay_id"].nunique()), "stays_alerted": len(first)}
    if len(first) < _FEWEST_STAYS:
        return _none(f"fewer than {_FEWEST_STAYS} stays had a true alert").model_copy(update=stays)
    hours = ((first["onset"] - first["as_of"]) / pd.Timedelta(hours=1)).to_numpy(dtype=float)
    return LeadTime(**stays, **_quartiles(hours, np.asarray(pd.factorize(first["patient_id"])[0])))


def _none(reason: str) -> LeadTime:
    return LeadTime(**dict.fromkeys(_QUARTILES, Metric(value=None, reason=reason)))


def _quartiles(hours: np.ndarray, patients: np.ndarray) -> dict[str, Metric]:
    """Returns the quartiles: for each, the first lead that covers its share of the stays."""
    return {
        name: Metric(value=quantile(hours, share), **quantile_interval(hours, patients, share)._asdict())
        for name, share in _QUARTILES.items()
    }
