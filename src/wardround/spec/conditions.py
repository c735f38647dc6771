"""Conditions: what is screened for. One YAML file each, combined with the variables that it uses."""

from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from wardround.spec.base import Duration, SpecModel, format_duration
from wardround.spec.bedside import Bedside
from wardround.spec.branches import Stream
from wardround.spec.clock import Cron, TimeZone
from wardround.spec.cohorts import CohortSource, Encounters
from wardround.spec.leakage import Leakage
from wardround.spec.model_card import ModelCardTexts
from wardround.spec.promotion import Promotion
from wardround.spec.variables import Variable

Summary = Literal[
    "last", "first", "mean", "min", "max", "std", "slope", "change", "count", "missing", "hours_since_last"
]
Demographic = Literal["age", "sex", "hours_in_unit", "hours_in_hospital"]
# Demographics that advance by an hour every hour, whatever happens to the patient.
CLOCKS: Final[tuple[Demographic, ...]] = ("hours_in_unit", "hours_in_hospital")
# A begin that is longer ago was made up, such as 1 January 1900: the time is unknown.
LONGEST_HOURS: Final = 10 * 365.25 * 24
Mode = Literal["live", "shadow"]
# What Airflow accepts as the name of a connection, of a pool and, after the condition's, of a DAG.
SourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
OnsetDefinition = Literal["sofa_time", "sofa_rise", "suspected_infection_time", "earlier"]
Suspicion = Literal["any_culture", "without_screening_cultures"]


class Cohort(SpecModel):
    """Which stays are screened."""

    min_age: int = Field(default=18, ge=0, le=120, description="Youngest age in years at as_of.")
    look_back: Duration = Field(description="How long before as_of to look for stays; a stay must overlap this time.")
    encounters: Encounters | None = Field(
        default=None, description="Which Encounters count as stays; default: the ICU stays that the connection defines."
    )
    source: CohortSource = Field(default=CohortSource(), description="Where the patients come from.")
    at_least: int = Field(
        default=1,
        ge=0,
        description="If fewer stays are found, a setting is probably wrong: they are screened, and the run ends as"
        " implausible. Use 0 for a unit that can be empty.",
    )
    may_fall_by: float | None = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Largest share by which the number of stays may fall since the previous run; if it falls further,"
        " the run ends as implausible. null: runs are not compared.",
    )
    small_fall: int = Field(default=5, ge=1, description="A fall by fewer stays than this is never implausible.")

    @model_validator(mode="after")
    def _encounters_name_something(self) -> Self:
        if self.encounters and not self.encounters.named:
            raise ValueError("encounters names no class, type or Location; name one, or remove it")
        return self


class FeatureGroup(SpecModel):
    """A group of features: every variable gets every summary over the window that ends at as_of."""

    variables: tuple[str, ...] = Field(min_length=1, description="Names from variables.yaml.")
    summaries: tuple[Summary, ...] = Field(min_length=1, description="What to compute from the events in the window.")
    window: Duration = Field(description="Length of the window, both ends included.")


class Feature(SpecModel):
    """One feature column: a summary of a variable over a window. Its name is derived from its parts."""

    variable: str
    summary: Summary
    window: Duration

    @property
    def name(self) -> str:
        return f"{self.variable}__{self.summary}_{format_duration(self.window)}"


class Features(SpecModel):
    """The feature columns of a condition."""

    demographics: tuple[Demographic, ...] = Field(
        default=(),
        description="age: in years at as_of; sex: 1 for male; hours_in_unit and hours_in_hospital: from the begin of"
        " the stay in the unit, and of the hospital stay that it belongs to, to as_of.",
    )
    groups: tuple[FeatureGroup, ...] = Field(min_length=1, description="Summaries of variables.")


class Label(SpecModel):
    """The outcome: the name of a label rule and its parameters."""

    rule: Literal["icd", "hospital_death", "sepsis3"] = Field(description="A rule of wardround.training.labels.")
    icd10: tuple[str, ...] = Field(default=(), description="ICD-10-CM code prefixes, without dots (rule icd).")
    icd9: tuple[str, ...] = Field(default=(), description="ICD-9-CM code prefixes, without dots (rule icd).")
    onset: OnsetDefinition | None = Field(
        default=None,
        description="When sepsis began (rule sepsis3): sofa_time, the first hour with a SOFA of 2; sofa_rise, the first"
        " hour with a SOFA 2 above the lowest before it; suspected_infection_time; or earlier, of it and sofa_time.",
    )
    suspicion: Suspicion | None = Field(
        default=None,
        description="Which specimens are cultures when infection is suspected (rule sepsis3): any_culture, any specimen"
        " (the default); without_screening_cultures, all but those that look for carriers, such as MRSA screens.",
    )

    @model_validator(mode="before")
    @classmethod
    def _sepsis3_says_which_cultures(cls, given: Any) -> Any:
        # Labels of earlier releases, which their cards keep, know no other suspicion.
        unsaid = isinstance(given, dict) and given.get("rule") == "sepsis3" and given.get("suspicion") is None
        return {**given, "suspicion": "any_culture"} if unsaid else given

    @model_validator(mode="after")
    def _codes_belong_to_the_icd_rule(self) -> Self:
        codes = (*self.icd10, *self.icd9)
        if (self.rule == "icd") != bool(codes):
            raise ValueError("the rule icd needs codes in icd10 or icd9, and no other rule takes them")
        dotted = [code for code in codes if "." in code]
        if dotted:
            raise ValueError(f"got {dotted[0]}, expected codes without dots, as MIMIC writes them")
        return self

    @model_validator(mode="after")
    def _onset_and_suspicion_belong_to_the_sepsis3_rule(self) -> Self:
        if (self.rule == "sepsis3") != (self.onset is not None):
            raise ValueError("the rule sepsis3 needs an onset, and no other rule takes one")
        if self.rule != "sepsis3" and self.suspicion is not None:
            raise ValueError("the rule sepsis3 alone takes a suspicion; remove it")
        return self


class MinimumData(SpecModel):
    """The least that must be known for a score; below it a stay is indeterminate."""

    at_least: int = Field(ge=1, description="How many of the variables need an event in a window of their values.")
    of: tuple[str, ...] = Field(min_length=1, description="The variables that count.")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.at_least > len(set(self.of)):
            raise ValueError(f"got at_least {self.at_least} of {len(set(self.of))} variables; lower it")
        return self


class Bands(SpecModel):
    """How a score becomes a band. The thresholds are chosen in training and stored with the model."""

    policy: Literal["alert_budget", "sensitivity", "f1"] = Field(
        description="How the high threshold is chosen on training patients: an alert budget, a sensitivity, or best F1."
        " It is never below the share of their predictions with the outcome."
    )
    sensitivity: float | None = Field(
        default=None, gt=0, le=1, description="Share of predictions with the outcome to flag (policy sensitivity)."
    )
    alerts_per_100_patient_days: float | None = Field(
        default=None, gt=0, description="The most alerts to people, with `lock_out` (policy alert_budget)."
    )
    moderate_at: float = Field(gt=0, lt=1, description="The moderate band starts at this part of the high threshold.")

    @property
    def target(self) -> float | None:
        """The target of the policy; None for f1."""
        return {"sensitivity": self.sensitivity, "alert_budget": self.alerts_per_100_patient_days}.get(self.policy)

    @model_validator(mode="after")
    def _the_policy_has_its_own_target_only(self) -> Self:
        given = {"sensitivity": self.sensitivity, "alert_budget": self.alerts_per_100_patient_days}
        if {policy for policy, target in given.items() if target is not None} != {self.policy} - {"f1"}:
            raise ValueError(
                "the policy sensitivity needs `sensitivity`, alert_budget needs `alerts_per_100_patient_days`, and no"
                " policy takes the key of another"
            )
        return self


class Quality(SpecModel):
    """When a run is stopped, and when it counts as incomplete."""

    max_set_aside: float = Field(ge=0, le=1, description="Largest share of feature rows that may break the suite.")
    max_failed: float = Field(ge=0, le=1, description="Largest share of stays that may fail in a complete run.")
    late_after: Duration = Field(
        default=timedelta(hours=1), description="Scores that are ready later than this after as_of are called late."
    )


class Coding(SpecModel):
    """A FHIR Coding."""

    system: str = Field(min_length=1, description="Code system.")
    code: str = Field(min_length=1, description="Code.")
    display: str = Field(min_length=1, description="The code's own display.")


class Outcome(SpecModel):
    """What RiskAssessment.prediction.outcome contains."""

    text: str = Field(min_length=1, description="In words.")
    coding: tuple[Coding, ...] = Field(min_length=1, description="In codes.")


def _horizon(value: object) -> object:
    return None if value == "hospital_stay" else value


class ConditionFile(SpecModel):
    """The whole of conditions/<id>.yaml."""

    id: str = Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", description="Id of the condition, and name of its file.")
    title: str = Field(min_length=1, description="Name in reports.")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$", description="Raise it with every change that alters scores.")
    description: str = Field(min_length=1, description="One sentence for people who read a report.")
    schedule: Cron = Field(description="Cron expression of the screening DAG, in time_zone.")
    time_zone: TimeZone = Field(
        default="UTC",
        description="Time zone of the cron expressions and of dates: an IANA name, such as Europe/Berlin.",
    )
    sources: tuple[SourceName, ...] = Field(
        default=(),
        description="Airflow connections to screen, each with its own DAG; default: fhir_default.",
    )
    catch_up_from: date | None = Field(
        default=None, description="Catch up on runs missed since this day, each with its own as_of; default: skip them."
    )
    retraining: Cron | None = Field(
        default=None,
        description="Cron expression of the training DAG, in time_zone; default: only on request.",
    )
    mode: Mode = Field(default="live", description="shadow: score and report, but write nothing to the source.")
    shadow_until: date | None = Field(
        default=None,
        description="Day, in time_zone, from which mode shadow becomes live, by the prediction time.",
    )
    cohort: Cohort = Field(description="Which stays are screened.")
    features: Features = Field(description="The model's inputs.")
    label: Label = Field(description="What the model learns by default.")
    other_labels: tuple[Label, ...] = Field(default=(), description="Labels that can be requested by their rule.")
    horizon: Annotated[Duration | None, BeforeValidator(_horizon, json_schema_input_type=str)] = Field(
        description="How far after as_of the outcome may occur: a duration, or hospital_stay."
    )
    minimum_data: MinimumData = Field(description="The least that must be known for a score.")
    bands: Bands = Field(description="How a score becomes a band.")
    lock_out: Duration = Field(
        default=timedelta(hours=12),
        description="How long after an alert people are not alerted again about the same stay, unless its band rises.",
    )
    high_band_group: bool = Field(
        default=False,
        description="Each live run of the condition's own cohort keeps a FHIR Group of the patients in the high band.",
    )
    bedside: Bedside = Field(default=Bedside(), description="How the bedside service (CDS Hooks) answers.")
    stream: Stream = Field(default=Stream(), description="What the stream door does with an admission.")
    quality: Quality = Field(description="Limits of a run.")
    outcome: Outcome = Field(description="How the outcome is coded in FHIR.")
    leakage: Leakage = Field(default=Leakage(), description="When a training is stopped on suspicion of leakage.")
    promotion: Promotion = Field(default=Promotion(), description="When a trained model may go live.")
    model_card: ModelCardTexts = Field(
        default=ModelCardTexts(), description="What only people can say about the model, for its card."
    )

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def schedule_in_words(self) -> str:
        return f"{self.schedule} ({self.time_zone})"

    def mode_at(self, as_of: datetime) -> Mode:
        """Returns the mode of a screening at that prediction time, unless the request names another."""
        ended = self.shadow_until is not None and as_of.astimezone(self.zone).date() >= self.shadow_until
        return "live" if ended else self.mode

    @property
    def mode_in_words(self) -> str:
        return f"{self.mode} until {self.shadow_until}" if self.shadow_until else self.mode

    @model_validator(mode="after")
    def _sources_differ(self) -> Self:
        # Airflow can read a connection from an environment variable, whose name is in capitals.
        seen = [source.casefold() for source in self.sources]
        if repeated := [name for name, key in zip(self.sources, seen, strict=True) if seen.count(key) > 1]:
            raise ValueError(f"sources names {repeated[0]} more than once; remove one of them")
        return self

    @model_validator(mode="after")
    def _only_a_shadow_ends(self) -> Self:
        if self.shadow_until and self.mode != "shadow":
            raise ValueError(
                "shadow_until ends mode shadow, but the mode is live; add `mode: shadow`, or remove shadow_until"
            )
        return self


class Condition(ConditionFile):
    """A condition with the variables it uses: what the rest of Wardround calls the spec."""

    variables: dict[str, Variable]

    @cached_property
    def feature_list(self) -> tuple[Feature, ...]:
        """The windowed features in column order (groups, then variables, then summaries)."""
        return tuple(
            Feature(variable=variable, summary=summary, window=group.window)
            for group in self.features.groups
            for variable in group.variables
            for summary in group.summaries
        )

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All feature columns in order: demographics, then windowed features."""
        return (*self.features.demographics, *(feature.name for feature in self.feature_list))

    @property
    def labels(self) -> dict[str, Label]:
        """All labels by their rule, with the default first."""
        return {label.rule: label for label in (self.label, *self.other_labels)}

    @cached_property
    def longest_window(self) -> timedelta:
        """How long before as_of events are needed."""
        return max(group.window for group in self.features.groups)

    @cached_property
    def reach(self) -> dict[str, timedelta]:
        """How long before as_of events of each variable are needed: the longest window of its features."""
        found: dict[str, timedelta] = {}
        for feature in self.feature_list:
            found[feature.variable] = max(feature.window, found.get(feature.variable, feature.window))
        return found

    @model_validator(mode="after")
    def _columns_are_unique(self) -> Self:
        columns = self.columns
        repeated = sorted({column for column in columns if columns.count(column) > 1})
        if repeated:
            raise ValueError(f"features.groups names {repeated[0]} more than once; remove one of them")
        return self

    @model_validator(mode="after")
    def _labels_have_different_rules(self) -> Self:
        rules = [label.rule for label in (self.label, *self.other_labels)]
        repeated = sorted({rule for rule in rules if rules.count(rule) > 1})
        if repeated:
            raise ValueError(f"other_labels names the rule {repeated[0]} again; a rule may have one label, so keep one")
        return self

    @model_validator(mode="after")
    def _variables_are_known(self) -> Self:
        used = {feature.variable for feature in self.feature_list}
        unused = sorted(set(self.minimum_data.of) - used)
        if unused:
            raise ValueError(f"minimum_data.of names {unused[0]}, which no feature uses; add a feature or remove it")
        return self
