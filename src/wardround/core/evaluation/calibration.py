"""A candidate's scores in, calibrated probabilities out."""

from typing import Final

import numpy as np

from wardround.core.candidates.base import probability
from wardround.core.evaluation.results import Calibration

# A forest may say 0 or 1; beyond this its log-odds would be infinite.
_CERTAIN: Final = 1e-6


def log_odds(score: np.ndarray) -> np.ndarray:
    """Of probabilities, held within 1e-6 of 0 and 1."""
    held = np.clip(score, _CERTAIN, 1 - _CERTAIN)
    return np.asarray(np.log(held) - np.log1p(-held))


def calibrated(score: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Each score's calibrated probability; a row's depends on no other row, and higher scores stay higher."""
    if calibration.method == "none":
        return score
    return probability(calibration.intercept + calibration.slope * log_odds(score))
