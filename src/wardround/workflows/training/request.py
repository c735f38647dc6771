"""What to train: the request that a person or a schedule makes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from wardround.spec.base import Duration, SpecModel


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


class TrainingRequest(SpecModel):
    """One training: a condition, a MIMIC-IV folder and what decides the result."""

    condition: str = Field(description="Id of the condition.")
    mimic: Annotated[Path, AfterValidator(Path.absolute)] = Field(description="Folder with hosp/ and icu/.")
    created: Annotated[AwareDatetime, AfterValidator(_in_utc)] = Field(description="When, as the card will say.")
    at: Duration = Field(default=timedelta(hours=24), description="Prediction time after admission.")
    label: str | None = Field(default=None, description="Name of the label rule; None for the condition's own.")
    seed: int = Field(default=1, ge=0, description="Decides sides, folds, candidates and resamples.")
    promote: bool = Field(default=False, description="Make the model live even if the condition has a live one.")
    run: str | None = Field(default=None, description="Run id; made up if it is not given.")
