"""When a trained model may go live: the section `promotion` of a condition."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from wardround.spec.base import Duration, SpecModel


class CalibrationSlope(SpecModel):
    """How far probabilities may be too bold (a slope below 1) or too timid (above)."""

    min: float = Field(default=0.7, gt=0, description="Smallest slope on the test patients.")
    max: float = Field(default=1.4, gt=0, description="Largest slope on the test patients.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"got min {self.min} above max {self.max}; swap them")
        return self


class Promotion(SpecModel):
    """The gates between a trained model and going live, and how long a person may take to approve."""

    min_patients: int = Field(
        default=50, ge=1, description="With fewer test patients with the outcome, or without it, no gate judges."
    )
    calibration_slope: CalibrationSlope = Field(
        default=CalibrationSlope(), description="Limits of the calibration slope; 1 is ideal."
    )
    min_ppv: float = Field(default=0.05, ge=0, le=1, description="Smallest PPV at the threshold of the high band.")
    max_auroc_loss: float = Field(
        default=0.02, ge=0, le=1, description="So much below the live model's may the AUROC be, on the same patients."
    )
    answer_within: Duration = Field(
        default=timedelta(days=14), description="An approval that is asked for and not given by then is a no."
    )
