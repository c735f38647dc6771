"""Turns the contents of a card into words for its readers."""

from datetime import timedelta
from typing import Final

from wardround.evaluation.gates import VERDICTS, in_words
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import Policy
from wardround.report.model_facts import METRICS
from wardround.report.report_words import count, reason_in_words
from wardround.spec.base import format_duration, parse_duration
from wardround.spec.conditions import Label
from wardround.spec.model_card import NOT_STATED
from wardround.training.model import ModelCard

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
    "deathtime": "the time of death",
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


def interval_of(metric: Metric | None, places: int = 3, to: str = " to ") -> str:
    """Returns the 95 % interval, such as `0.741 to 0.876`, or the reason why there is none."""
    if metric is None:
        return "not measured"
    if metric.interval is None:
        return metric.why_no_interval
    low, high = metric.interval
    return f"{number(low, places)}{to}{number(high, places)}"


def estimate(metric: Metric | None, places: int = 3) -> str:
    """Returns both on one line: `0.812 (0.741 to 0.876)`."""
    return f"{value_of(metric, places)} ({interval_of(metric, places)})"


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
    """Returns the outcome and its horizon: `Sepsis within 6 h`."""
    if card.horizon == NOT_STATED:
        return f"{card.title}; the horizon is {NOT_STATED}"
    if card.horizon == "hospital_stay":
        return f"{card.title} within the hospital stay"
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
                f"One prediction each full hour from {hours(card.task.at)} after admission to the unit, while the stay"
                f" continues and before onset{ended}"
            )
        case "daily":
            return (
                f"One prediction a day from {hours(card.task.at)} after admission to the unit, at an hour drawn for"
                " each stay, while the stay continues and before any known onset"
            )
    return f"One prediction per stay, {hours(card.task.at)} after admission to the unit"


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
    if card.task is None or card.task.task != "hourly":
        return card.about.description or NOT_STATED
    return (
        f"Risk that the onset of {card.title.lower()} lies within the next"
        f" {hours(parse_duration(card.horizon))}, asked at each full hour while there has been no onset yet."
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
        case "sensitivity":
            rule = f"the highest threshold with a sensitivity of at least {policy.target:.2f}"
        case "alert_budget":
            rule = f"the lowest threshold with at most {policy.target:g} alerts per 100 patient-days"
        case _:
            rule = "the threshold with the highest F1"
    reached = "" if policy.reached is None else f"; there it reached {policy.reached:.3g}"
    return f"{rule[0].upper()}{rule[1:]}, on training patients scored out of fold{reached}"


def side(patients: int, stays: int) -> str:
    """Formats the counts of a side: `1 200 stays of 940 patients`."""
    return f"{count(stays)} stays of {count(patients)} patients"
