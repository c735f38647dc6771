"""The feature schema of a model that was trained elsewhere: YAML in the form that FHIR tutorials use.

features:
  heart_rate: {fhir_resource: Observation, code: 8867-4, code_system: http://loinc.org, unit: bpm, required: true}
  age: {fhir_resource: Patient, field: birthDate, transform: calculate_age}
  icu_hours: {fhir_resource: Encounter, field: period.start, transform: calculate_hours_in_unit}
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from wardround.spec.base import Duration, SpecModel

ValueSummary = Literal["last", "first", "mean", "min", "max"]


def _text(value: object) -> object:
    """Returns a number as text: YAML reads an unquoted 220045 as a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text)]


class SchemaFeature(SpecModel):
    """One input of the model. summary, window, impute and Encounters are ours; the rest is the tutorial's."""

    fhir_resource: str = Field(description="Observation, Patient or Encounter.")
    code: Text | None = Field(default=None, description="Code of the Observation.")
    code_system: str | None = Field(default=None, description="Code system of the code, matched exactly.")
    field: str | None = Field(
        default=None, description="birthDate or gender of a Patient; valueQuantity.value; period.start of an Encounter."
    )
    transform: str | None = Field(
        default=None,
        description="calculate_age for birthDate, encode_gender for gender; calculate_hours_in_unit or"
        " calculate_hours_in_hospital for period.start.",
    )
    unit: str | None = Field(default=None, description="The unit that the model was trained in.")
    dtype: str = Field(
        default="float64",
        description="A numeric type; age is always in completed years, and an integer's hours are whole.",
    )
    required: bool = Field(default=True, description="Without this input there is no score, unless impute is given.")
    display: str | None = Field(default=None, description="In words.")
    description: str | None = Field(default=None, description="A longer description.")
    summary: ValueSummary | None = Field(default=None, description="How several values become one.")
    window: Duration | None = Field(default=None, description="Length of the window before the prediction time.")
    impute: float | None = Field(default=None, description="Replaces an unknown value, in the model's unit.")


class FeatureSchema(SpecModel):
    """The whole of a feature schema."""

    name: str | None = Field(default=None, description="Name.")
    version: Text | None = Field(default=None, description="Version.")
    description: str | None = Field(default=None, description="In words.")
    model_info: dict[str, Any] = Field(default={}, description="About the model; not used.")
    metadata: dict[str, Any] = Field(default={}, description="About ages; not used: age is always taken at as_of.")
    features: dict[str, SchemaFeature] = Field(min_length=1, description="Features by the model's names.")
