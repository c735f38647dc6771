"""When a training is stopped because its model may know the outcome: the section `leakage` of a condition."""

from typing import Literal

from pydantic import Field

from wardround.spec.base import SpecModel


class Leakage(SpecModel):
    """The limits of the gates against leakage."""

    min_patients: int = Field(
        default=30,
        ge=1,
        description="With fewer patients with or without the outcome, only the patient overlap gate is judged.",
    )
    max_auroc: float = Field(
        default=0.95, gt=0.5, le=1, description="Highest AUROC on the test patients that needs no explanation."
    )
    max_feature_cost: float = Field(
        default=0.05, gt=0, le=0.5, description="A feature is reported if the AUROC falls by more than this without it."
    )
    dominant_feature: Literal["name", "stop"] = Field(
        default="name", description="name: report such a feature in the card. stop: stop the training."
    )
