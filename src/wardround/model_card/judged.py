"""Says which predictions the figures of a card are of, what the design does to them, and what was not judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wardround.evaluation.results import AlertEpisodes, Design, Evaluation, Predictions
from wardround.model_card.card_words import (
    has_onset,
    hours,
    hours_covered,
    is_coded,
    line,
    metric_name,
    stays_in_words,
    with_outcome,
)
from wardround.report.model_facts import MetricLine
from wardround.report.report_words import count, percent
from wardround.spec.model_card import NOT_PERFORMED
from wardround.training.model import ModelCard

Facts = tuple[tuple[str, str], ...]
_EVALUATED: Final = "Evaluated on"
_EFFECT: Final = "What that does to the figures"
_NOT_EVALUATED: Final = "Not evaluated"
_TOLD_OF_STAYS: Final = "Stays with the outcome that had a true alert"
_IN_SHORT: Final = (_EVALUATED, _EFFECT, _NOT_EVALUATED)


@dataclass(frozen=True)
class MatchedComparison:
    """The headline figures on all times at risk, and on matched hours alone, by name."""

    rows: tuple[tuple[str, MetricLine, MetricLine], ...]
    note: str


def judged(card: ModelCard, evaluation: Evaluation) -> Facts:
    """Returns which predictions were judged, what the model was fitted to, and what was left out; `evaluation` is the
    card's."""
    return tuple(_judged(card, evaluation.design))


def in_short(card: ModelCard) -> Facts:
    """Returns what must stand beside the first figures: what they are of, what that does to them, what is missing."""
    if card.evaluation is None:
        return ()
    return tuple((name, text) for name, text in judged(card, card.evaluation) if name in _IN_SHORT)


def basis(card: ModelCard) -> str:
    """Returns which predictions the figures are of, in a few words for a caption."""
    design = card.design
    return f"On {_counted(card, design.judged, 'test')}" if design else "On the test set"


def _judged(card: ModelCard, design: Design | None) -> Iterator[tuple[str, str]]:
    if design is None:
        yield _EVALUATED, _of_an_earlier_release(card)
        yield "Hours covered", hours_covered(card)
        return
    each = "each full hour" if card.is_hourly else "one prediction a day"
    yield (
        _EVALUATED,
        f"{_counted(card, design.judged, 'test')}: all times at risk ({each}), as a screening scores them",
    )
    yield _EFFECT, _effect(card)
    yield _NOT_EVALUATED, _not_judged(card, design)
    yield (
        "Calibration and threshold",
        f"{_counted(card, design.calibrated, 'training')}, each scored by a model that had not seen the patient",
    )
    yield "Fitted to", _fitted(card, design)
    yield "Hours covered", hours_covered(card)


def _effect(card: ModelCard) -> str:
    """Returns how the choice of predictions shapes the figures."""
    weights = "Each prediction counts once, so a long stay counts more than a short one"
    if card.is_hourly:
        return f"{weights}. Sensitivity and predictive value are of single hours; of stays, see “{_TOLD_OF_STAYS}”"
    early = "; a prediction counts as right even if the condition had begun before it" if is_coded(card) else ""
    return f"{weights}{early}. Alerts are those of one screening a day: more screenings raise more"


def _of_an_earlier_release(card: ModelCard) -> str:
    if not card.is_hourly:
        return "One prediction a stay, at the one time that the model was fitted at; other times were not evaluated"
    return (
        "Hours matched between stays with and without the outcome, by an earlier release. On all hours of a unit the"
        " outcome is rarer: expect a far lower positive predictive value, and scores that are too high"
    )


def _fitted(card: ModelCard, design: Design) -> str:
    fitted = _counted(card, design.fitted, "training")
    if design.fitted_on == "matched":
        return (
            f"{fitted}, at hours matched between stays with and without the outcome: the model does not learn how the"
            " risk depends on the time since admission"
        )
    if design.fitted.rows < design.calibrated.rows:
        return (
            f"{fitted}: all with the outcome, and as many without it, drawn at random, as fit into memory; calibration"
            " on all predictions makes up for the difference"
        )
    return f"{fitted}: all their times at risk"


def _not_judged(card: ModelCard, design: Design) -> str:
    after_onset = "after the onset, and " if has_onset(card) else ""
    below = design.below_minimum_data
    too_little = f"; {count(below)} predictions, of both sets, with too little data for a score" if below else ""
    left_out = sum(card.cohort.excluded.values())
    stays = f"; {stays_in_words(left_out)} left out of training and testing" if left_out else ""
    elsewhere = "; any other hospital" if card.about.stated.external_validation.data == NOT_PERFORMED else ""
    return f"Times {after_onset}outside the hours covered{too_little}{stays}{elsewhere}"


def _counted(card: ModelCard, some: Predictions, whose: str) -> str:
    share = percent(some.positives / some.rows, 1) if some.rows else "–"
    return (
        f"{count(some.rows)} predictions of the {whose} patients, {count(some.positives)} ({share}) of them"
        f" {with_outcome(card)}"
    )


def on_matched_hours(card: ModelCard, evaluation: Evaluation) -> MatchedComparison | None:
    """Returns the figures on all times at risk beside those on matched hours; None for a task without these."""
    matched = evaluation.matched_hours
    if matched is None:
        return None
    rows = tuple(
        (metric_name(name), line(metric_name(name), card.metrics.get(name)), line(metric_name(name), metric))
        for name, metric in matched.metrics.items()
    )
    note = (
        f"The same scores on {count(matched.rows)} predictions at hours matched between stays with and without the"
        f" outcome, {count(matched.positives)} of them {with_outcome(card)}. No screening is limited to these hours:"
        " they are richer in the outcome than those of a unit, which makes predictive values look higher, and what the"
        " time since admission contributes is taken out."
    )
    return MatchedComparison(rows, note)


def alert_lines(found: AlertEpisodes | None, places: int = 3) -> tuple[MetricLine, ...]:
    """Returns what people would be told of the test patients, with the lock-out; nothing if it was not measured."""
    if found is None:
        return ()
    figures = (
        ("Alerts per 100 patient-days", found.alerts_per_100_patient_days, 1),
        ("Alerts per true alert", found.alerts_per_true_alert, 1),
        (_TOLD_OF_STAYS, found.share_alerted, places),
        ("Stays without the outcome that had an alert", found.share_false_alarm, places),
    )
    return tuple(line(*figure) for figure in figures)


def alert_note(card: ModelCard, found: AlertEpisodes | None) -> str:
    """Returns how alerts were counted, and how many there were."""
    if found is None:
        return "Alerts with a lock-out were not measured by the earlier release that made this card."
    follows = "the stay is one with the outcome" if is_coded(card) else "the outcome follows one of them"
    return (
        f"{count(found.alerts)} {'alert' if found.alerts == 1 else 'alerts'} on {stays_in_words(found.stays)},"
        f" {count(found.true_alerts)} of them true;"
        f" {count(found.stays_alerted)} of {count(found.stays_with_outcome)} stays with the outcome had a true one."
        f" An alert is not repeated for {hours(found.lock_out)}; it stands for the prediction that raises it and those"
        f" held back after it, and is true if {follows}."
    )
