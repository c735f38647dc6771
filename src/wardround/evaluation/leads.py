"""Measures lead times: the hours from the first true alert of a stay to its onset."""

from typing import Final

import numpy as np
import pandas as pd

from wardround.evaluation.metrics import Metric, with_interval
from wardround.evaluation.results import LeadTime
from wardround.evaluation.tallies import RESAMPLES, times_drawn

_QUARTILES: Final = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
# Quartiles of fewer stays would reveal the course of single patients.
_FEWEST_STAYS: Final = 10


def lead_time(rows: pd.DataFrame, score: np.ndarray, threshold: float, seed: int) -> LeadTime:
    """Returns the hours to onset from true alerts, which are rows with the outcome at or above the threshold.

    Args:
        rows: stay_id, patient_id, as_of, outcome and onset (NaT if unknown).
        score: score of each row.
        threshold: threshold of the high band.
        seed: decides the resamples of patients.
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
    return LeadTime(**stays, **_quartiles(hours, first["patient_id"], seed))


def _none(reason: str) -> LeadTime:
    return LeadTime(**dict.fromkeys(_QUARTILES, Metric(value=None, reason=reason)))


def _quartiles(hours: np.ndarray, patients: pd.Series, seed: int) -> dict[str, Metric]:
    order = np.argsort(hours, kind="stable")
    ranked, patient = hours[order], pd.factorize(patients, sort=True)[0][order]
    generator, count = np.random.default_rng(seed), int(patient.max()) + 1
    draws = np.array([_weighted(ranked, times_drawn(generator, count)[patient]) for _ in range(RESAMPLES)])
    points = _weighted(ranked, np.ones(len(ranked)))
    return {name: with_interval(Metric(value=points[place]), draws[:, place]) for place, name in enumerate(_QUARTILES)}


def _weighted(ranked: np.ndarray, weight: np.ndarray) -> list[float]:
    """Returns the quartiles of ordered values: for each, the first value that reaches that share of the weight."""
    reached = np.cumsum(weight)
    places = np.searchsorted(reached, np.array(list(_QUARTILES.values())) * reached[-1])
    return [float(ranked[place]) for place in places]
