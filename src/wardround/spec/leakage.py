"""When a training is stopped because its model may know what it should not: the section `leakage` of a condition."""

from typing import Literal

from pydantic import Field

from wardround.spec.base import SpecModel


class Leakage(SpecModel):
    """The limits of the gates against leakage."""

    min_patients: int = Field(
        default=30,
        ge=1,
        description="With fewer with the outcome, or without it, only the gate of patients on two sides judges.",
    )
    max_auroc: float = Field(
        default=0.95, gt=0.5, le=1, description="Above it, on the test patients, training stops for an explanation."
    )
    max_feature_cost: float = Field(
        default=0.05, gt=0, le=0.5, description="A feature is named if the AUROC falls by more than this without it."
    )
    dominant_feature: Literal["name", "stop"] = Field(
        default="name", description="name: such a feature is named in the card. stop: it stops the training."
    )
