"""What a card says of a model that was trained elsewhere."""

from typing import Literal

from pydantic import Field

from wardround.spec.base import SpecModel


class ImportedInput(SpecModel):
    """One input of an imported model: where its value comes from. model's value = column x factor + offset."""

    name: str = Field(description="The model's own name of it.")
    column: str = Field(description="The feature column that it is.")
    unit: str = Field(description="Unit that the model was trained in; empty for age and sex.")
    factor: float = 1.0
    offset: float = 0.0
    whole: bool = Field(default=False, description="Rounded down: completed years.")
    required: bool = Field(default=False, description="Without it a stay is indeterminate.")
    typical: float | None = Field(default=None, description="In its own unit: what reasons compare with.")


class Imported(SpecModel):
    """A model that was trained elsewhere: where it came from, who trusted it, and what it takes."""

    file: str = Field(description="Name of the file that was imported.")
    digest: str = Field(description="SHA-256 of that file, which is the model file of this folder.")
    schema_digest: str | None = Field(description="SHA-256 of its feature schema; None without one.")
    trusted_by: str = Field(description="Who let its code run.")
    kind: str = Field(description="Class of the model.")
    inputs: tuple[ImportedInput, ...] = Field(description="The model's inputs, in its order.")
    takes: Literal["frame", "array"] = Field(description="Whether it wants named columns or bare numbers.")
    takes_unknown: bool = Field(description="Whether it scores rows with unknown inputs.")
    positive: int = Field(description="Which column of predict_proba is the probability of the outcome.")
