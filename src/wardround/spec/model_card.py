"""Statements about a model that only people can make: the section `model_card` of a condition."""

from typing import Annotated, Final

from pydantic import Field

from wardround.spec.base import SpecModel

NOT_STATED: Final = "not stated"
NOT_PERFORMED: Final = "not performed"

# A non-empty text: a card leaves no answer blank.
Said = Annotated[str, Field(pattern=r"\S")]


class ExternalValidation(SpecModel):
    """How the model performed on patients from a source other than its training data."""

    data: Said = Field(default=NOT_PERFORMED, description="Source, setting and time of the other data.")
    party: Said = Field(default=NOT_PERFORMED, description="Who carried out the test.")
    population: Said = Field(default=NOT_PERFORMED, description="Which population the other data represent.")
    process: Said = Field(default=NOT_PERFORMED, description="How the test was done.")
    validity: Said = Field(default=NOT_PERFORMED, description="How well the model performed.")
    fairness: Said = Field(default=NOT_PERFORMED, description="How performance differed between groups.")


class ModelCardTexts(SpecModel):
    """Texts for the model card; a missing text is shown as not stated or not performed."""

    developer: Said = Field(default=NOT_STATED, description="Who is responsible for the model, and how to reach them.")
    funding: Said = Field(default=NOT_STATED, description="Who paid for its development.")
    intended_use: Said = Field(default=NOT_STATED, description="What a score is for.")
    intended_population: Said = Field(default=NOT_STATED, description="For which patients.")
    intended_users: Said = Field(default=NOT_STATED, description="Who reads the scores.")
    out_of_scope: tuple[Said, ...] = Field(default=(), description="Uses to warn against, besides those on every card.")
    limitations: tuple[Said, ...] = Field(default=(), description="Known risks, besides those on every card.")
    relevance: Said = Field(default=NOT_STATED, description="How well the training data represent the place of use.")
    inequalities: Said = Field(default=NOT_STATED, description="Known differences in care between groups.")
    fairness: Said = Field(default=NOT_STATED, description="What was done to make scores fair.")
    bias: Said = Field(default=NOT_STATED, description="What was done against bias.")
    external_validation: ExternalValidation = Field(
        default=ExternalValidation(), description="Tests on patients from another source."
    )
    outcome_studies: Said = Field(default=NOT_PERFORMED, description="Studies of the effect of using the model.")
    validity_monitoring: Said = Field(default=NOT_PERFORMED, description="How and how often validity is monitored.")
    fairness_monitoring: Said = Field(default=NOT_PERFORMED, description="How and how often fairness is monitored.")
    local_validity: Said = Field(default=NOT_PERFORMED, description="How well the model performs on local patients.")
    local_fairness: Said = Field(default=NOT_PERFORMED, description="Differences between groups of local patients.")
    updates: Said = Field(default=NOT_STATED, description="How and how often the model is updated.")
    corrections: Said = Field(default=NOT_STATED, description="How soon a known risk is corrected.")
    data_dates: Said = Field(default=NOT_STATED, description="The period that the training data cover.")
    setting: Said = Field(default=NOT_STATED, description="Hospitals and units of the training data.")
    ethics: Said = Field(default=NOT_STATED, description="Approval by an ethics committee, or why none is needed.")
    conflicts: Said = Field(default=NOT_STATED, description="Conflicts of interest.")
    protocol: Said = Field(default=NOT_STATED, description="Where the study protocol is.")
    registration: Said = Field(default=NOT_STATED, description="Where the study is registered.")
    data_access: Said = Field(default=NOT_STATED, description="How others can get the data.")
    involvement: Said = Field(default=NOT_PERFORMED, description="How patients and the public were involved.")
