"""Prepares the metrics, curves and alerts of a card's evaluation, as texts and drawings."""

from collections.abc import Iterator
from dataclasses import dataclass

from wardround.evaluation.definitions import MEASURES
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import (
    CalibrationBin,
    CalibrationOnTest,
    DecisionPoint,
    DefinedStays,
    Evaluation,
    LeadTime,
)
from wardround.model_card.card_charts import calibration_chart, decision_chart, precision_recall_chart, roc_chart
from wardround.model_card.card_words import (
    NONE,
    SUSPICIONS,
    interval_of,
    metric_name,
    number,
    onset_in_words,
    value_of,
)
from wardround.model_card.judged import (
    Facts,
    MatchedComparison,
    alert_lines,
    alert_note,
    judged,
    on_matched_hours,
)
from wardround.report.model_facts import MetricLine
from wardround.report.report_words import count
from wardround.training.model import ModelCard


@dataclass(frozen=True)
class Performance:
    """What was measured on the test set. Charts are SVG text, "" if there is nothing to draw."""

    judged: Facts
    metrics: tuple[MetricLine, ...]
    matched: MatchedComparison | None
    roc: str
    precision_recall: str
    calibration: tuple[MetricLine, ...]
    calibration_method: str
    calibration_curve: str
    bins: tuple[CalibrationBin, ...]
    decision_curve: str
    decisions: tuple[DecisionPoint, ...]
    alerts: MetricLine
    alerts_told: tuple[MetricLine, ...]
    alert_note: str
    lead_time: tuple[MetricLine, ...]
    lead_note: str


@dataclass(frozen=True)
class DefinitionLine:
    """One definition of onset in words, its counts of stays, its test rows and its figures; `own` if the card's."""

    onset: str
    suspicion: str
    own: bool
    stays: tuple[str, ...]
    rows: str
    figures: tuple[MetricLine, ...]


def performance(card: ModelCard, evaluation: Evaluation) -> Performance:
    """Returns all results; `evaluation` is the card's."""
    metrics, high = card.metrics, card.thresholds["high"]
    specificity, sensitivity, ppv = (metrics.get(name) for name in ("specificity", "sensitivity", "ppv"))
    return Performance(
        judged=judged(card, evaluation),
        matched=on_matched_hours(card, evaluation),
        metrics=tuple(line(metric_name(name), metric) for name, metric in metrics.items()),
        roc=roc_chart(evaluation.curves, (specificity, sensitivity), high),
        precision_recall=precision_recall_chart(evaluation.curves, (sensitivity, ppv), high, metrics.get("prevalence")),
        calibration=tuple(_calibration(evaluation.calibration)),
        calibration_method=_calibration_method(card),
        calibration_curve=calibration_chart(evaluation.calibration.bins),
        bins=evaluation.calibration.bins,
        decision_curve=decision_chart(evaluation.decision_curve),
        decisions=evaluation.decision_curve,
        alerts=line("Predictions in the high band per 100 patient-days", evaluation.alerts_per_100_patient_days, 1),
        alerts_told=alert_lines(evaluation.episodes),
        alert_note=alert_note(evaluation.episodes),
        lead_time=_lead_lines(evaluation.lead_time),
        lead_note=_lead_note(evaluation.lead_time),
    )


def line(name: str, metric: Metric | None, places: int = 3) -> MetricLine:
    """Returns a metric with its interval as text."""
    return MetricLine(name, value_of(metric, places), interval_of(metric, places))


def definitions(card: ModelCard, evaluation: Evaluation) -> tuple[DefinitionLine, ...]:
    """Returns what each definition of onset makes of the stays and of the same scores, the card's own first."""
    own = (card.task.onset_definition, card.task.suspicion) if card.task else None
    return tuple(
        DefinitionLine(
            onset=onset_in_words(each.onset),
            suspicion=SUSPICIONS.get(each.suspicion or "", ""),
            own=(each.onset, each.suspicion) == own,
            stays=_stays(each.stays),
            rows=f"{count(each.rows)} ({count(each.positives)})",
            figures=tuple(line(metric_name(name), each.metrics.get(name)) for name in MEASURES),
        )
        for each in evaluation.definitions
    )


def _stays(found: DefinedStays | None) -> tuple[str, ...]:
    """Returns stays with the outcome, left out for their onset, for the lack of one or otherwise, and to predict."""
    if found is None:
        return (NONE,) * len(DefinedStays.model_fields)
    return tuple(count(getattr(found, name)) for name in DefinedStays.model_fields)


def _calibration(found: CalibrationOnTest) -> Iterator[MetricLine]:
    yield line("Slope (1 is ideal)", found.slope, 2)
    yield line("Intercept (0 is ideal)", found.intercept, 2)
    yield line("Brier score (0 is ideal)", found.brier)


def _calibration_method(card: ModelCard) -> str:
    method = card.calibration
    if method.method == "none":
        return f"Scores are not calibrated: {method.reason or 'not performed'}."
    return (
        f"Scores are calibrated by a logistic function of their log-odds (slope {number(method.slope, 3)}, intercept"
        f" {number(method.intercept, 3)}), fitted to out-of-fold scores of training patients."
    )


def _lead_lines(lead: LeadTime) -> tuple[MetricLine, ...]:
    if lead.median.value is None:
        return ()
    return (
        line("Hours before onset, lower quartile", lead.lower_quartile, 1),
        line("Hours before onset, median", lead.median, 1),
        line("Hours before onset, upper quartile", lead.upper_quartile, 1),
    )


def _lead_note(lead: LeadTime) -> str:
    if lead.median.value is None and not lead.stays_with_onset:
        return f"Lead time is not given: {lead.median.reason or 'the label has no time of onset'}."
    found = (
        f"Of {count(lead.stays_with_onset)} stays with an onset {count(lead.stays_alerted)} had an alert before it;"
        " lead time is from the first such alert to the onset."
    )
    return found if lead.median.value is not None else f"{found} It is not given: {lead.median.reason}."
