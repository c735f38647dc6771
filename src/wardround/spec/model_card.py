"""What only people can say about a model: the section `model_card` of a condition."""

from typing import Annotated, Final

from pydantic import Field

from wardround.spec.base import SpecModel

NOT_STATED: Final = "not stated"
NOT_PERFORMED: Final = "not performed"

# A text with something in it: a card leaves no answer blank.
Said = Annotated[str, Field(pattern=r"\S")]


class ExternalValidation(SpecModel):
    """How the model did on patients of another source than its training data."""

    data: Said = Field(default=NOT_PERFORMED, description="Source, setting and time of the other data.")
    party: Said = Field(default=NOT_PERFORMED, description="Who did the test.")
    population: Said = Field(default=NOT_PERFORMED, description="Whom the other data represent.")
    process: Said = Field(default=NOT_PERFORMED, description="How the test was done.")
    validity: Said = Field(default=NOT_PERFORMED, description="How well the model did.")
    fairness: Said = Field(default=NOT_PERFORMED, description="How differences between groups came out.")


class ModelCardTexts(SpecModel):
    """Texts for the model card; what is not given stands there as not stated or not performed."""

    developer: Said = Field(default=NOT_STATED, description="Who answers for the model, and how to reach them.")
    funding: Said = Field(default=NOT_STATED, description="Who paid for its development.")
    intended_use: Said = Field(default=NOT_STATED, description="What a score is for.")
    intended_population: Said = Field(default=NOT_STATED, description="For which patients.")
    intended_users: Said = Field(default=NOT_STATED, description="Who reads the scores.")
    out_of_scope: tuple[Said, ...] = Field(default=(), description="Uses to warn against, beside those on every card.")
    limitations: tuple[Said, ...] = Field(default=(), description="Known risks, beside those on every card.")
    relevance: Said = Field(default=NOT_STATED, description="How the training data resemble the place of use.")
    inequalities: Said = Field(default=NOT_STATED, description="Known differences in care between groups.")
    fairness: Said = Field(default=NOT_STATED, description="What was done so that scores are fair.")
    bias: Said = Field(default=NOT_STATED, description="What was done against bias.")
    external_validation: ExternalValidation = Field(
        default=ExternalValidation(), description="Tests on patients of another source."
    )
    outcome_studies: Said = Field(default=NOT_PERFORMED, description="Studies of what use of the model changed.")
    validity_monitoring: Said = Field(default=NOT_PERFORMED, description="How and how often validity is watched.")
    fairness_monitoring: Said = Field(default=NOT_PERFORMED, description="How and how often fairness is watched.")
    local_validity: Said = Field(default=NOT_PERFORMED, description="How well the model does on local patients.")
    local_fairness: Said = Field(default=NOT_PERFORMED, description="Differences between groups of local patients.")
    updates: Said = Field(default=NOT_STATED, description="How and how often the model is renewed.")
    corrections: Said = Field(default=NOT_STATED, description="How soon a known risk is put right.")
    data_dates: Said = Field(default=NOT_STATED, description="From when to when the training data are.")
    setting: Said = Field(default=NOT_STATED, description="Hospitals and units of the training data.")
    ethics: Said = Field(default=NOT_STATED, description="Approval by an ethics committee, or why none is needed.")
    conflicts: Said = Field(default=NOT_STATED, description="Conflicts of interest.")
    protocol: Said = Field(default=NOT_STATED, description="Where the study protocol is.")
    registration: Said = Field(default=NOT_STATED, description="Where the study is registered.")
    data_access: Said = Field(default=NOT_STATED, description="How others get the data.")
    involvement: Said = Field(default=NOT_PERFORMED, description="How patients and the public took part.")
