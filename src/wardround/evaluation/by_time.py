"""What a model's ranking owes to the time since the stay began, as figures on the card."""

from pydantic import Field

from wardround.evaluation.metrics import Metric
from wardround.spec.base import SpecModel


class ByTime(SpecModel):
    """The same candidate with all its inputs, without the time since the stay began, and with nothing else.

    AUROC and AUPRC of out-of-fold scores of the training patients, for the setting that was chosen.
    """

    columns: tuple[str, ...] = Field(description="The inputs that are a time since the stay began.")
    rows: int = Field(description="Predictions of the training patients that were used, all of a patient's together.")
    all_inputs: dict[str, Metric]
    without_time: dict[str, Metric]
    time_alone: dict[str, Metric]
