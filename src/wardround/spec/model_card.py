"""Statements about a model that only people can make: the section `model_card` of a condition."""

from typing import Annotated, Final

from pydantic import Field

from wardround.spec.base import SpecModel

NOT_STATED: Final = "not stated"
NOT_PERFORMED: Final = "not performed"

# A non-empty text: a card leaves no answer blank.
Text = Annotated[str, Field(pattern=r"\S")]


class ExternalValidation(SpecModel):
    """How the model performed on patients from a source other than its training data."""

    data: Text = Field(default=NOT_PERFORMED, description="Source, setting and time of the other data.")
    party: Text = Field(default=NOT_PERFORMED, description="Who carried out the test.")
    population: Text = Field(default=NOT_PERFORMED, description="Which population the other data represent.")
    process: Text = Field(default=NOT_PERFORMED, description="How the test was done.")
    validity: Text = Field(default=NOT_PERFORMED, description="How well the model performed.")
    fairness: Text = Field(default=NOT_PERFORMED, description="How performance differed between groups.")


class ModelCardTexts(SpecModel):
    """Texts for the model card; a missing text is shown as not stated or not performed."""

    developer: Text = Field(default=NOT_STATED, description="Who is responsible for the model, and how to reach them.")
    funding: Text = Field(default=NOT_STATED, description="Who paid for its development.")
    intended_use: Text = Field(default=NOT_STATED, description="What a score is for.")
    intended_population: Text = Field(default=NOT_STATED, description="For which patients.")
    intended_users: Text = Field(default=NOT_STATED, description="Who reads the scores.")
    out_of_scope: tuple[Text, ...] = Field(default=(), description="Uses to warn against, besides those on every card.")
    limitations: tuple[Text, ...] = Field(default=(), description="Known risks, besides those on every card.")
    relevance: Text = Field(default=NOT_STATED, description="How well the training data represent the place of use.")
    inequalities: Text = Field(default=NOT_STATED, description="Known differences in care between groups.")
    fairness: Text = Field(default=NOT_STATED, description="What was done to make scores fair.")
    bias: Text = Field(default=NOT_STATED, description="What was done against bias.")
    external_validation: ExternalValidation = Field(
        default=ExternalValidation(), description="Tests on patients from another source."
    )
    outcome_studies: Text = Field(default=NOT_PERFORMED, description="Studies of the effect of using the model.")
    validity_monitoring: Text = Field(default=NOT_PERFORMED, description="How and how often validity is monitored.")
    fairness_monitoring: Text = Field(default=NOT_PERFORMED, description="How and how often fairness is monitored.")
    local_validity: Text = Field(default=NOT_PERFORMED, description="How well the model performs on local patients.")
    local_fairness: Text = Field(default=NOT_PERFORMED, description="Differences between groups of local patients.")
    updates: Text = Field(default=NOT_STATED, description="How and how often the model is updated.")
    corrections: Text = Field(default=NOT_STATED, description="How soon a known risk is corrected.")
    data_dates: Text = Field(default=NOT_STATED, description="The period that the training data cover.")
    setting: Text = Field(default=NOT_STATED, description="Hospitals and units of the training data.")
    ethics: Text = Field(default=NOT_STATED, description="Approval by an ethics committee, or why none is needed.")
    conflicts: Text = Field(default=NOT_STATED, description="Conflicts of interest.")
    protocol: Text = Field(default=NOT_STATED, description="Where the study protocol is.")
    registration: Text = Field(default=NOT_STATED, description="Where the study is registered.")
    data_access: Text = Field(default=NOT_STATED, description="How others can get the data.")
    involvement: Text = Field(default=NOT_PERFORMED, description="How patients and the public were involved.")
