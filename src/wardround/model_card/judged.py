"""Says which predictions the figures of a card are of, what the design does to them, and what was not judged."""

from collections.abc import Iterator
from dataclasses import dataclass

from wardround.evaluation.results import AlertEpisodes, Design, Evaluation, Predictions
from wardround.model_card.card_words import estimate, hours, hours_covered, interval_of, metric_name, value_of
from wardround.report.model_facts import MetricLine
from wardround.report.report_words import count, percent
from wardround.training.model import ModelCard

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MatchedComparison:
    """The headline figures on all times at risk, and on matched hours alone."""

    rows: tuple[tuple[str, str, str], ...]
    note: str


def judged(card: ModelCard, evaluation: Evaluation) -> Facts:
    """Returns which predictions were judged, what the model was fitted to, and what was left out; `evaluation` is the
    card's."""
    return tuple(_judged(card, evaluation.design))


def _judged(card: ModelCard, design: Design | None) -> Iterator[tuple[str, str]]:
    if design is None:
        yield "Evaluated on", _of_an_earlier_release(card)
        yield "Hours covered", hours_covered(card)
        return
    hourly = card.task is not None and card.task.task == "hourly"
    each = "each full hour" if hourly else "one prediction a day"
    yield (
        "Evaluated on",
        f"{_counted(design.judged)} of the test patients: all times at risk ({each}), as a screening scores them",
    )
    yield "Calibration and threshold", f"{_counted(design.calibrated)} of the training patients, scored out of fold"
    yield "Fitted to", _fitted(design)
    yield "Hours covered", hours_covered(card)
    yield "Not evaluated", _not_judged(card, design)


def _of_an_earlier_release(card: ModelCard) -> str:
    if card.task is None or card.task.task != "hourly":
        return "One prediction a stay, at the one time that the model was fitted at; other times were not evaluated"
    return (
        "Hours matched between stays with and without the outcome, by an earlier release. On all hours of a unit the"
        " outcome is rarer: expect a far lower positive predictive value, and scores that are too high"
    )


def _fitted(design: Design) -> str:
    fitted = _counted(design.fitted)
    if design.fitted_on == "matched":
        return (
            f"{fitted}, at hours matched between stays with and without the outcome: the model does not learn how the"
            " risk depends on the time since admission"
        )
    if design.fitted.rows < design.calibrated.rows:
        return (
            f"{fitted}: all with the outcome, and as many without it, drawn at random, as fit into memory; calibration"
            " on all of them makes up for the difference"
        )
    return f"{fitted}: all times at risk of the training patients"


def _not_judged(card: ModelCard, design: Design) -> str:
    after_onset = "after the onset, or " if card.task and card.task.onset_definition else ""
    below = design.below_minimum_data
    too_little = f", and {count(below)} predictions with too little data for a score" if below else ""
    return f"Times {after_onset}outside the hours covered{too_little}; and the stays that were left out of training"


def _counted(some: Predictions) -> str:
    share = percent(some.positives / some.rows, 1) if some.rows else "–"
    return f"{count(some.rows)} predictions, {count(some.positives)} ({share}) with the outcome ahead"


def on_matched_hours(card: ModelCard, evaluation: Evaluation) -> MatchedComparison | None:
    """Returns the figures on all times at risk beside those on matched hours; None for a task without these."""
    matched = evaluation.matched_hours
    if matched is None:
        return None
    rows = tuple(
        (metric_name(name), estimate(card.metrics.get(name)), estimate(metric))
        for name, metric in matched.metrics.items()
    )
    note = (
        f"The same scores on {count(matched.rows)} predictions at hours matched between stays with and without the"
        f" outcome, {count(matched.positives)} of them with the outcome ahead. No screening is limited to these hours:"
        " the share with the outcome and the positive predictive value are higher there than in a unit, and what the"
        " time since admission contributes is taken out."
    )
    return MatchedComparison(rows, note)


def alert_lines(found: AlertEpisodes | None) -> tuple[MetricLine, ...]:
    """Returns what people would be told of the test patients, with the lock-out; nothing if it was not measured."""
    if found is None:
        return ()
    figures = (
        ("Alerts per 100 patient-days", found.alerts_per_100_patient_days, 1),
        ("Alerts per true alert", found.alerts_per_true_alert, 1),
        ("Stays with the outcome that had a true alert", found.share_alerted, 3),
        ("Stays without the outcome that had an alert", found.share_false_alarm, 3),
    )
    return tuple(
        MetricLine(name, value_of(metric, places), interval_of(metric, places)) for name, metric, places in figures
    )


def alert_note(found: AlertEpisodes | None) -> str:
    """Returns how alerts were counted, and how many there were."""
    if found is None:
        return "Alerts with a lock-out were not measured by the earlier release that made this card."
    return (
        f"{count(found.alerts)} alerts on {count(found.stays)} stays, {count(found.true_alerts)} of them true;"
        f" {count(found.stays_alerted)} of {count(found.stays_with_outcome)} stays with the outcome had a true one."
        f" An alert is not repeated for {hours(found.lock_out)}; it stands for the prediction that raises it and those"
        " held back after it, and is true if the outcome follows one of them."
    )
