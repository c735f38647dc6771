"""The figures of an evaluation as frozen models. A figure that is not available is None, with a reason.

Unless stated otherwise, figures are of the test patients and of the chosen candidate's calibrated scores.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from wardround.candidates.base import Attribution
from wardround.evaluation.metrics import Metric
from wardround.spec.base import Duration, SpecModel


class Task(SpecModel):
    """What is predicted, and when; task.json of a run."""

    task: Literal["first_day", "hourly"] = Field(description="One prediction per stay, or one at every full hour.")
    horizon: Duration | None = Field(description="The outcome occurs within it; None: at any later time.")
    at: Duration = Field(description="Time of the first prediction after admission to the unit.")
    hours_per_row: float = Field(gt=0, description="Hours of care that a prediction stands for: 24, or 1 if hourly.")
    label: str = Field(description="The rule of the label.")
    onset_definition: str | None = Field(description="Which time counts as onset; None for a label without one.")


class Calibration(SpecModel):
    """How a candidate's score becomes the model's: probability(intercept + slope x log-odds of the score).

    Fitted on out-of-fold scores of the training patients. `none` leaves scores unchanged, for the given `reason`.
    """

    method: Literal["platt", "none"] = "none"
    slope: float = Field(default=1.0, gt=0, description="Above 0: calibration never changes the order of scores.")
    intercept: float = 0.0
    reason: str | None = None


class CalibrationBin(SpecModel):
    """Test rows with similar scores: the average prediction, and how often the outcome occurred."""

    mean_predicted: float
    observed: float
    rows: int


class CalibrationOnTest(SpecModel):
    """How well calibrated the calibrated scores are."""

    slope: Metric = Field(description="Of a logistic regression of the outcome on the log-odds; 1 is ideal.")
    intercept: Metric = Field(description="With the slope fixed at 1 (calibration in the large); 0 is ideal.")
    brier: Metric
    bins: tuple[CalibrationBin, ...] = Field(description="Bins of about equally many rows, by rising score.")


class RocPoint(SpecModel):
    """One point of the receiver operating characteristic."""

    false_positive_rate: float
    sensitivity: float


class PrecisionRecallPoint(SpecModel):
    """One point of the precision-recall curve; recall is sensitivity, precision is PPV."""

    recall: float
    precision: float


class Curves(SpecModel):
    """Discrimination over all thresholds, from strictest to loosest, up to 200 points per curve; may be empty."""

    roc: tuple[RocPoint, ...]
    precision_recall: tuple[PrecisionRecallPoint, ...]


class DecisionPoint(SpecModel):
    """Net benefit per row of acting at `threshold`, and of acting on every patient; acting on none has 0."""

    threshold: float
    net_benefit: float
    treat_all: float


class LeadTime(SpecModel):
    """Hours from a stay's first true alert to the onset; None, with the reason, if no onset has a time."""

    stays_with_onset: int = 0
    stays_alerted: int = 0
    lower_quartile: Metric
    median: Metric
    upper_quartile: Metric


class Cell(SpecModel):
    """One subgroup, with its counts and its metrics at the model's threshold."""

    group: str = Field(description="Such as 'female'; 'unknown' if the source does not say.")
    rows: int
    stays: int
    patients: int
    positives: int = Field(description="Stays with the outcome.")
    metrics: dict[str, Metric]


class Subgroups(SpecModel):
    """The metrics by one attribute. Cells that are too small are left out, including their counts."""

    attribute: Literal["sex", "age_band", "unit", "race"]
    cells: tuple[Cell, ...]
    suppressed: int = Field(
        description="Cells left out: under 10 patients or 5 stays with the outcome, or to protect such a cell."
    )
    reason: str | None = Field(default=None, description="Why there are no cells.")


class ColumnImportance(SpecModel):
    """How much a column moves scores."""

    column: str
    mean_absolute: float


class ShownReasons(SpecModel):
    """Reasons shown beside the scores of test rows, and those left out because they contradict clinical expectation."""

    rows: int
    shown: int
    left_out: int


class Importance(SpecModel):
    """Mean absolute contribution per column over test rows, largest first."""

    method: Attribution | Literal["contributions"] = Field(
        description="How contributions are made; contributions: not stated, from an earlier release."
    )
    unit: Literal["log-odds", "probability"]
    rows: int
    columns: tuple[ColumnImportance, ...]
    reasons: ShownReasons | None = Field(default=None, description="None for a card from an earlier release.")


class OtherOnset(SpecModel):
    """The same scores judged by the other definition of onset; None, with the reason, if there is none."""

    definition: str | None = None
    rows: int = 0
    positives: int = Field(default=0, description="Rows with the outcome.")
    metrics: dict[str, Metric] | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _has_value_or_reason(self) -> Self:
        if (self.metrics is None) == (self.reason is None):
            raise ValueError("the other onset definition needs either metrics or a reason")
        return self


class Policy(SpecModel):
    """How the threshold of the high band was chosen, on out-of-fold scores of the training patients."""

    name: Literal["f1", "sensitivity", "alert_budget"]
    target: float | None = Field(description="The sensitivity, or the alerts per 100 patient-days; None for f1.")
    reached: float | None = Field(description="The same figure at the chosen threshold; for f1, the F1.")
    reason: str | None = Field(default=None, description="Why the target was not reached.")


class Evaluation(SpecModel):
    """What was measured on the test patients besides the headline metrics. `card.candidates` has the nested folds."""

    policy: Policy
    calibration: CalibrationOnTest
    curves: Curves
    decision_curve: tuple[DecisionPoint, ...]
    alerts_per_100_patient_days: Metric = Field(description="Rows at or above the high threshold; none are suppressed.")
    lead_time: LeadTime
    subgroups: tuple[Subgroups, ...]
    importance: Importance
    sensitivity_to_onset: OtherOnset


class Evaluated(SpecModel):
    """evaluation.json: what scoring needs from the chosen candidate, the headline metrics, and the evaluation."""

    chosen: str
    imputation: dict[str, float]
    thresholds: dict[Literal["moderate", "high"], float]
    calibration: Calibration
    metrics: dict[str, Metric]
    evaluation: Evaluation
