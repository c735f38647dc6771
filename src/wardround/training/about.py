"""Describes a condition in words for its model card, so that the card can be read without the spec."""

from typing import Self

from pydantic import Field

from wardround.results.rationale import column_words
from wardround.spec.base import SpecModel
from wardround.spec.conditions import Condition
from wardround.spec.model_card import ModelCardTexts


class About(SpecModel):
    """The condition at the time when the model was made, and people's statements about the model."""

    description: str = Field(default="", description="The condition's description.")
    min_age: int | None = Field(default=None, description="Youngest age of the cohort, in years.")
    minimum_data: str = Field(default="", description="The least that must be known for a score, as a sentence.")
    inputs: dict[str, str] = Field(default={}, description="What each column is, in words.")
    variables: dict[str, str] = Field(default={}, description="What each variable is called in reports.")
    stated: ModelCardTexts = ModelCardTexts()

    @classmethod
    def of(cls, condition: Condition) -> Self:
        """Returns the description of a condition as it is now."""
        needed = condition.minimum_data
        names = [condition.variables[name].display.lower() for name in needed.of]
        return cls(
            description=condition.description,
            min_age=condition.cohort.min_age,
            minimum_data=f"A value in the window for at least {needed.at_least} of: {', '.join(names)}.",
            inputs=column_words(condition),
            variables={name: variable.display for name, variable in condition.variables.items()},
            stated=condition.model_card,
        )
