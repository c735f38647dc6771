"""The request for a training, made by a person or a schedule."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from wardround.errors import TrainingError
from wardround.spec.base import Duration, SpecModel, UtcTime
from wardround.spec.conditions import OnsetDefinition, Suspicion

Approval = Literal["ask", "first_without_asking", "never"]
FittedOn = Literal["all_hours", "matched"]
SplitRule = Literal["patient", "calendar"]


def _distinct(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names is not None and (not names or len(set(names)) < len(names)):
        raise ValueError(f"got {', '.join(names) or 'no name'}, expected different names of candidates")
    return names


class TrainingRequest(SpecModel):
    """One training: a condition, MIMIC-IV and everything else that decides the result."""

    condition: str = Field(description="Id of the condition.")
    mimic: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        description="Folder with hosp/ and icu/, or a DuckDB file with their tables."
    )
    created: UtcTime = Field(description="The time that the card will state.")
    at: Duration = Field(
        default=timedelta(hours=6),
        description="Earliest prediction after admission, if predicted daily; each stay's first is within a day of it.",
    )
    label: str | None = Field(default=None, description="Name of the label rule; None for the condition's default.")
    onset: OnsetDefinition | None = Field(
        default=None, description="When sepsis began; None: as the condition's label sepsis3 says."
    )
    suspicion: Suspicion | None = Field(
        default=None,
        description="Which cultures count when infection is suspected; None: as the condition's label sepsis3 says.",
    )
    horizon: Duration | None = Field(
        default=None,
        description="Predict hourly whether onset occurs within this horizon; None: daily, for the whole stay.",
    )
    fitted_on: FittedOn = Field(
        default="all_hours",
        description="Fit to all hours at risk, or (hourly) to hours matched between stays with and without the"
        " outcome.",
    )
    candidates: Annotated[tuple[str, ...] | None, AfterValidator(_distinct)] = Field(
        default=None, description="Names of the candidates to compare; None for all."
    )
    seed: int = Field(default=1, ge=0, description="Decides sides, folds, controls and candidates.")
    budget: int = Field(default=4, ge=1, description="Settings tried per candidate in nested cross-validation.")
    split: SplitRule = Field(
        default="patient", description="patient: test on a quarter of the patients. calendar: test on the latest years."
    )
    approval: Approval = Field(
        default="first_without_asking", description="Whether a person must approve before the model goes live."
    )
    explained: str | None = Field(default=None, description="Explanation of an AUROC above the limit.")
    run: str | None = Field(default=None, description="Run id; generated if it is not given.")


def training_request(given: Mapping[str, Any]) -> TrainingRequest:
    """Returns the request with these values. TrainingError names invalid values as the command line does."""
    try:
        return TrainingRequest.model_validate(given)
    except ValidationError as error:
        lines = [
            f"--{'.'.join(str(part) for part in item['loc'][:1])}: {item['msg'].removeprefix('Value error, ')};"
            " correct it (`wardround train --help`)"
            for item in error.errors()
        ]
        raise TrainingError("\n".join(lines)) from None
