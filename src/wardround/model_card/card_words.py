"""Turns the contents of a card into words for its readers."""

from datetime import timedelta
from typing import Final

from wardround.evaluation.gates import VERDICTS, in_words
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import Policy
from wardround.report.model_facts import METRICS, MetricLine, of_the_stay
from wardround.report.report_words import count, percent, reason_in_words
from wardround.spec.base import format_duration, parse_duration
from wardround.spec.conditions import Label
from wardround.spec.model_card import NOT_STATED
from wardround.training.model import HOSPITAL_STAY, ModelCard, Side

DEATH: Final = "deathtime"  # the onset of a death, in `Task.onset_definition`
ATTRIBUTES: Final = {"sex": "Sex", "age_band": "Age", "unit": "Unit", "race": "Race"}
GATES: Final = {
    "patient_overlap": "No patient on both sides of the split",
    "permuted_labels": "Nothing is learned from permuted labels",
    "dominant_feature": "What the AUROC owes to a single feature",
    "too_good": "Not too good to be true",
}
ONSETS: Final = {
    "sofa_time": "the hour in which SOFA reaches 2",
    "sofa_rise": "the hour in which SOFA is 2 above the lowest before it",
    "suspected_infection_time": "the time at which infection is suspected",
    "earlier": "the earlier of suspected infection and SOFA of 2",
    DEATH: "the time of death",
}
SUSPICIONS: Final = {
    "any_culture": "any specimen sent to microbiology",
    "without_screening_cultures": "any specimen but those that look for carriers (MRSA screens)",
}
_LEFT_OUT: Final = {
    "open_stay": "Stay not over when the data end",
    "over_before_prediction": "Stay over before its first prediction",
    "no_outcome": "Outcome not known",
    "no_onset": "Outcome occurred at an unknown time",
    "no_sofa_rise": "Septic without a rise of SOFA: perhaps on arrival",
    "onset_before_prediction": "Onset before the first prediction",
    "below_minimum_data": "Too little known for a score",
}
STATES: Final = {passed: in_words(verdict) for passed, verdict in VERDICTS.items()}
_SHORTER: Final = "shorter_than_"
NONE: Final = "–"


def metric_name(name: str) -> str:
    """Returns the name of a metric: `ppv` becomes `Positive predictive value`."""
    return METRICS.get(name, name.replace("_", " "))


def number(value: float, places: int, signed: bool = False) -> str:
    """Formats a number with a true minus sign, `−0.04`; if `signed`, with a plus as well."""
    return f"{value:{'+' if signed else ''}.{places}f}".replace("-", "\u2212")


def sentence(text: str) -> str:
    """Returns the text with an initial capital letter and a final full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def value_of(metric: Metric | None, places: int = 3) -> str:
    """Returns the point estimate, such as `0.812`; `–` if there is none."""
    return NONE if metric is None or metric.value is None else number(metric.value, places)


def interval_of(metric: Metric | None, places: int = 3) -> str:
    """Returns the 95 % interval, such as `0.741 to 0.876`, or the reason why there is none."""
    if metric is None:
        return "not measured"
    if metric.interval is None:
        return metric.why_no_interval
    low, high = metric.interval
    return f"{number(low, places)} to {number(high, places)}"


def estimate(metric: Metric | None, places: int = 3) -> str:
    """Returns both on one line: `0.812 (0.741 to 0.876)`."""
    return f"{value_of(metric, places)} ({interval_of(metric, places)})"


def line(name: str, metric: Metric | None, places: int = 3, meaning: str = "") -> MetricLine:
    """Returns a metric with its interval as text; one without an interval is marked as unsure."""
    sure = metric is not None and metric.interval is not None
    return MetricLine(name, value_of(metric, places), interval_of(metric, places), meaning, sure)


def left_out(reason: str) -> str:
    """Returns why a stay was left out of training."""
    if reason.startswith(_SHORTER):
        return f"Stay shorter than {hours(parse_duration(reason.removeprefix(_SHORTER)))}"
    return _LEFT_OUT.get(reason) or reason_in_words(reason)


def hours(duration: timedelta) -> str:
    """Formats a duration: `6 h`, `90 min`."""
    text = format_duration(duration)
    return f"{text[:-1]}\u202f{'min' if text.endswith('m') else 'h'}"


def predicted(card: ModelCard) -> str:
    """Returns the outcome and its horizon: `Sepsis within 6 h`. A diagnosis code has none: it is of the whole stay."""
    if card.horizon == NOT_STATED:
        return f"{card.title}; the horizon is {NOT_STATED}"
    if card.horizon == HOSPITAL_STAY:
        return f"{card.title} {of_the_stay(card.label)}"
    return f"{card.title} within {hours(parse_duration(card.horizon))}"


def predictions(card: ModelCard) -> str:
    """Returns when the model predicts, in training and testing."""
    if card.task is None or card.prediction_time is None:
        return NOT_STATED
    match card.task.task:
        case "hourly":
            # Only an earlier release ended stays without the outcome early.
            ended = "" if card.training_hours else "; stays without the outcome are followed as long as those with it"
            return (
                f"One prediction each full hour from {hours(card.task.at)} after admission to the unit,"
                f" {_at_risk(card)}{ended}"
            )
        case "daily":
            return (
                f"One prediction a day from {hours(card.task.at)} after admission to the unit, at an hour drawn for"
                f" each stay, {_at_risk(card)}"
            )
    return f"One prediction per stay, {hours(card.task.at)} after admission to the unit"


def _at_risk(card: ModelCard) -> str:
    """Returns how long predictions go on. A stay ends with a death, and a label without a time has no onset."""
    return f"while the stay continues{' and before onset' if has_onset(card) else ''}"


def has_onset(card: ModelCard) -> bool:
    """Returns whether the outcome begins at a known time of a stay that goes on after it."""
    return card.task is not None and card.task.onset_definition not in (None, DEATH)


def is_coded(card: ModelCard) -> bool:
    """Returns whether the outcome is a diagnosis code, which says nothing about when it began."""
    return card.label is not None and card.label.rule == "icd"


def with_outcome(card: ModelCard) -> str:
    """Returns what the outcome of a single prediction is: `with the outcome within 6 h`."""
    if card.horizon not in (HOSPITAL_STAY, NOT_STATED):
        return f"with the outcome within {hours(parse_duration(card.horizon))}"
    if is_coded(card):
        return "in a hospital stay with the outcome"
    return "with the outcome ahead"


def hours_covered(card: ModelCard) -> str:
    """Returns the hours since admission for which the model was made."""
    covered = card.training_hours
    if covered is None:
        return "Not stated, so it is asked at any hour of a stay; at hours unlike those of its training it may mislead"
    return (
        f"{hours(covered.first)} to {hours(covered.last)} after admission to the unit; outside them it is not asked,"
        " and the stay is indeterminate"
    )


def described(card: ModelCard) -> str:
    """Returns what the score is the risk of. A condition describes its default question, which is another one than
    that of an hourly model."""
    if not card.is_hourly:
        return card.about.description or NOT_STATED
    horizon = hours(parse_duration(card.horizon))
    if not has_onset(card):
        return f"Risk of {card.title.lower()} within the next {horizon}, asked at each full hour of the stay."
    return (
        f"Risk that the onset of {card.title.lower()} lies within the next {horizon}, asked at each full hour while"
        " there has been no onset yet."
    )


def label_in_words(label: Label) -> str:
    """Returns how the outcome is determined from the records."""
    match label.rule:
        case "icd":
            systems = (("ICD-10-CM", label.icd10), ("ICD-9-CM", label.icd9))
            codes = "; ".join(f"{name} {', '.join(f'{code}*' for code in codes)}" for name, codes in systems if codes)
            return f"Diagnosis codes of the hospital admission: {codes}"
        case "hospital_death":
            return "Death before discharge from the hospital"
        case "sepsis3":
            return (
                "Sepsis-3: infection is suspected (antibiotic and culture near each other) and SOFA is 2 or more"
                f" between 48 hours before and 24 hours after; a culture is {SUSPICIONS[str(label.suspicion)]}"
            )
    return str(label.rule)


def onset_in_words(definition: str | None) -> str:
    """Returns which time counts as onset."""
    if definition is None:
        return "Not known: the label says whether the outcome occurred, not when"
    words = ONSETS.get(definition, definition.replace("_", " "))
    return words[0].upper() + words[1:]


def policy_in_words(policy: Policy) -> str:
    """Returns how the high threshold was chosen."""
    match policy.name:
        case "fixed":
            return "The thresholds came with the model; they were not chosen on scores of patients here"
        case "sensitivity":
            rule = "The highest threshold that reaches the target"
        case "alert_budget":
            rule = "The lowest threshold within the target"
        case _:
            rule = "The threshold with the highest F1"
    not_below = f" that is not below {percent(policy.prevalence or 0)}, the share with the outcome"
    floor = "" if policy.prevalence is None else not_below
    return f"{rule}{floor}, on predictions for the training patients by models that had not seen them"


def target_in_words(policy: Policy) -> str:
    """Returns the figure that the policy fixes, such as `at most 10 alerts per 100 patient-days`; empty without one."""
    match policy.name:
        case "sensitivity":
            return f"a sensitivity of at least {policy.target:.2f}"
        case "alert_budget":
            what = "predictions in the high band" if policy.lock_out is None else "alerts"
            until = "" if policy.lock_out is None else f", not repeated for {hours(policy.lock_out)}"
            return f"at most {policy.target:g} {what} per 100 patient-days{until}"
    return ""


def patients_with_outcome(test: Side) -> str:
    """Returns how many of a side have the outcome: `4 patients (8 stays)`; an earlier release counted stays alone."""
    stays = stays_in_words(test.positives)
    if test.patients_with_outcome is None:
        return stays
    patients = f"{count(test.patients_with_outcome)} {'patient' if test.patients_with_outcome == 1 else 'patients'}"
    return patients if test.patients_with_outcome == test.positives else f"{patients} ({stays})"


def stays_in_words(number: int) -> str:
    """Returns `1 stay` or `34 stays`."""
    return f"{count(number)} {'stay' if number == 1 else 'stays'}"


def side(patients: int, stays: int) -> str:
    """Formats the counts of a side: `1 200 stays of 940 patients`."""
    return f"{count(stays)} stays of {count(patients)} patients"
