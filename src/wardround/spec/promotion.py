"""When a trained model may go live: the section `promotion` of a condition."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from wardround.spec.base import Duration, SpecModel


class CalibrationSlope(SpecModel):
    """Limits on how overconfident (a slope below 1) or underconfident (above 1) probabilities may be."""

    min: float = Field(default=0.7, gt=0, description="Smallest slope on the test patients.")
    max: float = Field(default=1.4, gt=0, description="Largest slope on the test patients.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"got min {self.min} above max {self.max}; swap them")
        return self


class Promotion(SpecModel):
    """The gates that a trained model must pass to go live, and how long a person may take to approve it."""

    min_patients: int = Field(
        default=50, ge=1, description="With fewer test patients with or without the outcome, no gate is judged."
    )
    calibration_slope: CalibrationSlope = Field(
        default=CalibrationSlope(), description="Limits of the calibration slope; 1 is ideal."
    )
    min_ppv: float = Field(default=0.05, ge=0, le=1, description="Smallest PPV at the threshold of the high band.")
    max_auroc_loss: float = Field(
        default=0.02, ge=0, le=1, description="How far the AUROC may be below the live model's, on the same patients."
    )
    answer_within: Duration = Field(
        default=timedelta(days=14), description="An approval that is not given within this time counts as refused."
    )
