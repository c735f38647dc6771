"""Defines the request to screen that a person or a schedule makes; it holds no secret and no patient."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from wardround.fhir.endpoint import FhirEndpoint
from wardround.spec.base import Duration, UtcTime
from wardround.spec.cohorts import CohortChoice
from wardround.spec.conditions import Mode


def servers_in(source: FhirEndpoint) -> dict[str, Any]:
    """Returns what a request says of the server that is read, and of the one that takes the results."""
    taker = source.write_to
    return {
        "source_url": source.base_url,
        "source_name": source.name,
        "write_to": taker.base_url if taker else None,
        "write_to_name": taker.name if taker else None,
        "map_by_identifier": source.map_by_identifier,
        "chart_url": source.chart_url,
    }


def _base_url(url: str) -> str:
    # Refuses credentials in the URL, among other things, because the request is stored.
    return FhirEndpoint(url).base_url


class ScreeningRequest(BaseModel):
    """One screening: a condition, a FHIR server and a prediction time."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    condition: str = Field(description="Id of the condition.")
    source_url: Annotated[str, AfterValidator(_base_url)] = Field(description="Base URL of the FHIR server.")
    as_of: UtcTime = Field(description="Prediction time, with its offset.")
    look_back: Duration | None = Field(default=None, description="Instead of the condition's cohort.look_back.")
    cohort: CohortChoice | None = Field(default=None, description="Instead of the condition's cohort.source.")
    chunk_size: int | None = Field(default=None, ge=1, description="Stays per chunk, instead of the default rule.")
    mode: Mode | None = Field(default=None, description="Instead of the condition's; shadow writes no results.")
    source_name: str | None = Field(default=None, description="Name of the connection or source, if it has one.")
    write_to: Annotated[str, AfterValidator(_base_url)] | None = Field(
        default=None, description="Base URL of the server that takes the results, where the source takes none."
    )
    write_to_name: str | None = Field(default=None, description="Name of that server's source, if it has one.")
    map_by_identifier: bool = Field(
        default=False, description="Results refer to that server's own Patients and Encounters."
    )
    chart_url: str | None = Field(default=None, description="How a patient's chart is opened in the EHR.")
    accept_census: bool = Field(default=False, description="However many stays are found: these are all.")
    demo_model: bool = Field(default=False, description="Scores with the demo's model, in shadow only.")
    run: str | None = Field(default=None, description="Run id; made up if it is not given.")

    @model_validator(mode="after")
    def _rehearsed(self) -> Self:
        if self.demo_model and self.mode != "shadow":
            raise ValueError("the demo's model is for rehearsals: give mode shadow")
        return self

    @property
    def results_url(self) -> str:
        """Returns the base URL of the server that takes the results."""
        return self.write_to or self.source_url

    @property
    def source(self) -> str:
        """Returns what tells its source from others: the name, or the URL of a source without a name."""
        return self.source_name or self.source_url

    @property
    def writes(self) -> bool:
        """Returns whether it writes results; the mode is known once the run is opened."""
        return self.mode == "live"
