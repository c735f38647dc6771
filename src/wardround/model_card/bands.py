"""Prepares what a card says of its bands: how the high one was chosen, what that reached, and what is in each band."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wardround.evaluation.band_shares import useless_bands
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import BandShare, Evaluation, Policy
from wardround.model_card.card_words import (
    NONE,
    estimate,
    number,
    policy_in_words,
    sentence,
    target_in_words,
)
from wardround.report.report_words import count, percent
from wardround.spec.model_card import NOT_STATED
from wardround.training.model import ModelCard

_FIGURES: Final = {
    "sensitivity": ("Sensitivity", 3),
    "alert_budget": ("Alerts per 100 patient-days", 1),
    "f1": ("F1", 3),
}


@dataclass(frozen=True)
class BandLine:
    """A band: its scores, its share of the test patients' predictions, and what was observed in it."""

    band: str
    scores: str
    rows: str
    share: str
    share_interval: str
    observed: str
    observed_interval: str


def threshold_facts(card: ModelCard) -> tuple[tuple[str, str], ...]:
    """Returns where the bands start, how that was chosen, and how far the target was reached."""
    return tuple(_threshold_facts(card))


def _threshold_facts(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield "High", f"from {percent(card.thresholds['high'], 2)}"
    yield "Moderate", f"from {percent(card.thresholds['moderate'], 2)}"
    policy = card.evaluation.policy if card.evaluation else card.candidates[card.chosen].policy
    yield "Policy", policy_in_words(policy) if policy else NOT_STATED
    if policy and card.evaluation and policy.name != "fixed":
        yield "Target", sentence(target_in_words(policy) or "none: the F1 has no target").rstrip(".")
        yield "Reached", _reached(card, policy)
    if policy and policy.reason:
        yield "Why not the target" if policy.target else "Why not the highest F1", policy.reason


def _reached(card: ModelCard, policy: Policy) -> str:
    name, places = _FIGURES[policy.name]
    trained = NONE if policy.reached is None else number(policy.reached, places)
    test = on_test(card.metrics, card.evaluation, policy) if card.evaluation else None
    return f"{name}: {trained} on the training patients; {estimate(test, places)} on the test patients"


def on_test(metrics: dict[str, Metric], evaluation: Evaluation, policy: Policy) -> Metric | None:
    """Returns the policy's figure on the test patients; None if it was not measured."""
    if policy.name != "alert_budget":
        return metrics.get(policy.name)
    if policy.lock_out is None:
        return evaluation.alerts_per_100_patient_days
    return evaluation.episodes.alerts_per_100_patient_days if evaluation.episodes else None


def band_lines(card: ModelCard) -> tuple[BandLine, ...]:
    """Returns what is in each band, the high one first; nothing if it was not measured."""
    found = card.bands
    return tuple(_line(each, card) for each in reversed(found))


def _line(found: BandShare, card: ModelCard) -> BandLine:
    moderate = card.thresholds["moderate"]
    scores = (
        f"below {percent(moderate, 2)}" if found.band == "low" else f"from {percent(card.thresholds[found.band], 2)}"
    )
    return BandLine(
        band=found.band.capitalize(),
        scores=scores,
        rows=count(found.rows),
        share=_percent(found.share),
        share_interval=_interval(found.share),
        observed=_percent(found.observed),
        observed_interval=_interval(found.observed),
    )


def _percent(metric: Metric) -> str:
    return NONE if metric.value is None else percent(metric.value)


def _interval(metric: Metric) -> str:
    if metric.interval is None:
        return metric.why_no_interval
    return " to ".join(percent(end) for end in metric.interval)


def bands_of_no_use(card: ModelCard) -> tuple[str, ...]:
    """Returns which bands nobody, or nearly everybody, is in, as sentences."""
    found = card.bands
    return tuple(sentence(each.message) for each in useless_bands(found))
