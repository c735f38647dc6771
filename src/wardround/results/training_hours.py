"""The hours since admission that a model covers: it is asked only within them, by one rule for every door.

A model was fitted, calibrated and judged at some hours of a stay. Outside them its score would be a guess that nobody
has checked, so that the stay is indeterminate there, and never low.
"""

from datetime import timedelta
from typing import Final, Self

import numpy as np
from pydantic import Field, model_validator

from wardround.spec.base import Duration, SpecModel

OUTSIDE_TRAINING_HOURS: Final = "outside_training_hours"
_HOUR: Final = timedelta(hours=1)


class TrainingHours(SpecModel):
    """Times after admission to the unit, both included."""

    first: Duration = Field(description="The earliest prediction in training.")
    last: Duration = Field(description="The latest prediction in training that enough patients reached.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"got training hours that end ({self.last}) before they begin ({self.first})")
        return self


def outside_training_hours(hours: np.ndarray, covered: TrainingHours | None) -> np.ndarray:
    """Returns, for each prediction, whether a model must not be asked.

    Args:
        hours: hours since admission to the unit at each prediction; NaN if the admission is not known.
        covered: what the model's card states. None, for a model of an earlier release or from elsewhere, which states
            no hours: it is asked at any hour.
    """
    if covered is None:
        return np.zeros(len(hours), dtype=bool)
    return ~((hours >= covered.first / _HOUR) & (hours <= covered.last / _HOUR))
