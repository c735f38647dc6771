"""What a model card says about a model that was trained elsewhere."""

from typing import Literal

from pydantic import Field

from wardround.spec.base import SpecModel


class ImportedInput(SpecModel):
    """One input of an imported model, and the column it comes from. Model's value = column x factor + offset."""

    name: str = Field(description="The model's own name for it.")
    column: str = Field(description="The feature column that it comes from.")
    unit: str = Field(
        description="Unit that the model was trained in; empty for age, sex, counts, and for hours of no other unit."
    )
    factor: float = 1.0
    offset: float = 0.0
    whole: bool = Field(default=False, description="Rounded down: to completed years, or hours of a stay.")
    required: bool = Field(default=False, description="A stay without it is indeterminate.")

    def in_column(self, value: float) -> float:
        """Converts a value in the model's unit to the column's unit."""
        return (value - self.offset) / self.factor


class Imported(SpecModel):
    """A model that was trained elsewhere: where it came from, who trusted it, and what inputs it takes."""

    file: str = Field(description="Name of the file that was imported.")
    digest: str = Field(description="SHA-256 of that file, which is the model file of this folder.")
    schema_digest: str | None = Field(description="SHA-256 of its feature schema; None without one.")
    trusted_by: str = Field(description="The person who allowed its code to run.")
    kind: str = Field(description="Class of the model.")
    inputs: tuple[ImportedInput, ...] = Field(description="The model's inputs, in its order.")
    typical: dict[str, float] = Field(
        description="By column, the values that reasons compare with; a missing column is compared with unknown."
    )
    takes: Literal["frame", "array"] = Field(description="Whether it expects named columns or plain numbers.")
    takes_unknown: bool = Field(description="Whether it can score rows with unknown inputs.")
    positive: int = Field(description="Which column of predict_proba is the probability of the outcome.")
    libraries: tuple[str, ...] = Field(description="Libraries whose minor release must be the installed one.")
