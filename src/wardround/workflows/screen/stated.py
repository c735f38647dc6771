"""Feature rows and a model in; the score of each stay as it is stated, with its band, or why it has none, out."""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.errors import ModelError
from wardround.features.minimum_data import enough_data
from wardround.results.bands import band_of
from wardround.spec.conditions import Condition
from wardround.training.model import ScoringModel

# More digits than a probability deserves, and fewer than the noise of another batch size would reach.
DIGITS: Final = 4
MINIMUM_DATA: Final = "minimum_data"
REQUIRED_INPUT: Final = "required_input"  # of a model that was trained elsewhere


class Stated(NamedTuple):
    """What a model says of a stay: a probability and its band, or None, `indeterminate` and why."""

    score: float | None
    band: str
    why: str


def stated(features: pd.DataFrame, condition: Condition, model: ScoringModel) -> dict[str, Stated]:
    """What the model says of each row, by stay_id. Raises ModelError if it gives something else than probabilities."""
    why = _why_not(features, condition, model)
    scorable = features[why == ""]
    probabilities = dict(zip(scorable["stay_id"], _probabilities(model, scorable), strict=True))
    thresholds = {str(name): at for name, at in model.card.thresholds.items()}
    said = {}
    for stay_id, reason in zip(features["stay_id"], why, strict=True):
        # The band is that of the score as it is stated: it neither contradicts it nor depends on the size of a batch.
        score = None if reason else round(float(probabilities[stay_id]), DIGITS)
        said[stay_id] = Stated(score, band_of(score, thresholds), reason)
    return said


def _why_not(features: pd.DataFrame, condition: Condition, model: ScoringModel) -> pd.Series:
    """Why a row gets no score; empty where it does."""
    why = pd.Series([""] * len(features), index=features.index, dtype=object)
    why[~model.can_score(features)] = REQUIRED_INPUT
    why[~enough_data(features, condition)] = MINIMUM_DATA
    return why


def _probabilities(model: ScoringModel, scorable: pd.DataFrame) -> np.ndarray:
    if scorable.empty:
        return np.zeros(0)
    probabilities = model.predict(scorable)
    if len(probabilities) != len(scorable) or not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ModelError(f"model {model.version}: gave something else than one probability a stay; train again")
    return probabilities
