"""The figures of an evaluation as frozen models. A figure that is not available is None, with a reason.

Unless stated otherwise, figures are of the test patients and of the chosen candidate's calibrated scores.
"""

from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from wardround.candidates.base import Attribution
from wardround.evaluation.metrics import Metric
from wardround.spec.base import Duration, SpecModel


class Task(SpecModel):
    """What is predicted, and when; task.json of a run."""

    task: Literal["daily", "hourly", "first_day"] = Field(
        description="One prediction on each day of a stay; one at every full hour; in an earlier release, one a stay."
    )
    horizon: Duration | None = Field(description="The outcome occurs within it; None: at any later time.")
    at: Duration = Field(description="The earliest prediction after admission to the unit.")
    hours_per_row: float = Field(
        gt=0, description="Hours from one prediction of a stay to the next, for which it stands: 24, or 1 if hourly."
    )
    label: str = Field(description="The rule of the label.")
    onset_definition: str | None = Field(description="Which time counts as onset; None for a label without one.")
    suspicion: str | None = Field(
        default=None, description="Which cultures count as a suspicion of infection; None for a label without one."
    )

    @property
    def most_outcomes(self) -> int | None:
        """How many predictions of a stay can have the outcome: those within the horizon before onset; None: all."""
        return None if self.horizon is None else -(-self.horizon // timedelta(hours=self.hours_per_row))

    @model_validator(mode="before")
    @classmethod
    def _an_earlier_release_knew_one_suspicion(cls, given: Any) -> Any:
        unsaid = isinstance(given, dict) and given.get("label") == "sepsis3" and given.get("suspicion") is None
        return {**given, "suspicion": "any_culture"} if unsaid else given


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
        description="Cells left out: under 10 patients or 5 patients with the outcome, or to protect such a cell."
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


class DefinedStays(SpecModel):
    """How many of all stays have the outcome by one definition, and how many of them remain to be predicted."""

    with_the_outcome: int
    before_prediction: int = Field(description="Left out, because onset came at or before the first prediction.")
    without_onset: int = Field(description="Left out, because it is not known when the outcome occurred.")
    otherwise_left_out: int = Field(description="Left out for a reason that has nothing to do with the definition.")
    to_predict: int

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        left_out = self.before_prediction + self.without_onset + self.otherwise_left_out
        if self.with_the_outcome != left_out + self.to_predict:
            raise ValueError(f"got {self.with_the_outcome} stays, {left_out} left out, {self.to_predict} to predict")
        return self


class Definition(SpecModel):
    """One definition of the outcome's onset, and the same scores judged by it."""

    onset: str
    suspicion: str | None = None
    stays: DefinedStays | None = Field(default=None, description="None: not counted by an earlier release.")
    rows: int = Field(default=0, description="Test rows before the onset by this definition.")
    positives: int = Field(default=0, description="Of them, rows with the outcome.")
    metrics: dict[str, Metric] = Field(default={}, description="Empty: measured by an earlier release, or not yet.")


class Policy(SpecModel):
    """How the threshold of the high band was chosen, on out-of-fold scores of the training patients at risk."""

    name: Literal["f1", "sensitivity", "alert_budget", "fixed"] = Field(
        description="fixed: given with a model that was trained elsewhere, and not chosen on any scores here."
    )
    target: float | None = Field(
        description="The sensitivity, or the alerts per 100 patient-days; None for f1 and fixed."
    )
    reached: float | None = Field(
        description="The same figure at the chosen threshold; for f1, the F1; for fixed, None."
    )
    reason: str | None = Field(default=None, description="Why the threshold is not the one that the policy asks for.")
    prevalence: float | None = Field(
        default=None,
        description="Share of the same predictions with the outcome, below which no threshold is. None: fixed, or not"
        " looked at by an earlier release.",
    )
    lock_out: Duration | None = Field(
        default=None,
        description="The lock-out with which a budget counts alerts. None for another policy, and for an earlier"
        " release, whose budget counted every prediction in the high band.",
    )


class BandShare(SpecModel):
    """What is in one band of the test patients' predictions."""

    band: Literal["low", "moderate", "high"]
    rows: int
    share: Metric = Field(description="Of all predictions.")
    observed: Metric = Field(description="The share of the band's predictions with the outcome.")


class Predictions(SpecModel):
    """Some predictions: how many, and how many of them with the outcome."""

    rows: int
    positives: int


class Design(SpecModel):
    """Which predictions a model was fitted to, calibrated on and judged on.

    It was calibrated and judged on all times at risk within its training hours, as a screening scores them.
    """

    fitted_on: Literal["all_hours", "matched"] = Field(
        description="All times at risk, or (hourly) hours matched between stays with and without the outcome."
    )
    fitted: Predictions = Field(description="If there were too many, fewer without the outcome, drawn at random.")
    calibrated: Predictions = Field(description="All of the training patients, scored out of fold.")
    judged: Predictions = Field(description="All of the test patients.")
    below_minimum_data: int = Field(description="Not judged, of both sets: too little was known for a score.")


class MatchedHours(SpecModel):
    """A sensitivity analysis: the same scores on the test patients' matched hours alone, which no screening is limited
    to. It shows how the design of an evaluation changes its figures."""

    rows: int
    positives: int
    metrics: dict[str, Metric] = Field(description="The headline metrics, at the model's threshold.")


class AlertEpisodes(SpecModel):
    """What people would be told of the test patients, with the condition's lock-out (`results.alert_policy`).

    An alert stands for the prediction that raises it and for those that the lock-out then silences. It is true if the
    outcome follows one of them.
    """

    lock_out: Duration
    alerts: int
    true_alerts: int
    stays: int
    stays_with_outcome: int
    stays_alerted: int = Field(description="Stays with the outcome that had a true alert.")
    alerts_per_100_patient_days: Metric
    alerts_per_true_alert: Metric
    share_alerted: Metric = Field(description="Stays with a true alert among those with the outcome.")
    share_false_alarm: Metric = Field(description="Stays with an alert among those without the outcome.")


class Evaluation(SpecModel):
    """What was measured on the test patients besides the headline metrics. `card.candidates` has the nested folds."""

    policy: Policy
    calibration: CalibrationOnTest
    curves: Curves
    decision_curve: tuple[DecisionPoint, ...]
    alerts_per_100_patient_days: Metric = Field(
        description="Predictions in the high band per 100 patient-days, without a lock-out; `episodes` has the alerts."
    )
    bands: tuple[BandShare, ...] = Field(
        default=(), description="From low to high; empty: not measured by an earlier release."
    )
    lead_time: LeadTime
    subgroups: tuple[Subgroups, ...]
    importance: Importance
    definitions: tuple[Definition, ...] = Field(
        default=(), description="The label's own definition of onset, then the others; empty if there is no other."
    )
    design: Design | None = Field(
        default=None,
        description="None for a card from an earlier release, whose hourly models were judged on matched hours.",
    )
    matched_hours: MatchedHours | None = Field(default=None, description="None unless the task is hourly.")
    episodes: AlertEpisodes | None = Field(default=None, description="None: not measured by an earlier release.")

    @model_validator(mode="before")
    @classmethod
    def _an_earlier_release_measured_one_other(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "sensitivity_to_onset" not in given:
            return given
        kept = {name: value for name, value in given.items() if name != "sensitivity_to_onset"}
        other = given["sensitivity_to_onset"]
        if other.get("metrics") is None:
            return kept
        measured = {name: other[name] for name in ("rows", "positives", "metrics")}
        return {**kept, "definitions": [{"onset": other["definition"], "suspicion": "any_culture", **measured}]}


class Evaluated(SpecModel):
    """evaluation.json: what scoring needs from the chosen candidate, the headline metrics, and the evaluation."""

    chosen: str
    imputation: dict[str, float]
    thresholds: dict[Literal["moderate", "high"], float]
    calibration: Calibration
    metrics: dict[str, Metric]
    evaluation: Evaluation
