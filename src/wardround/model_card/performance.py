"""Prepares the metrics, curves and alerts of a card's evaluation, as texts and drawings."""

from collections.abc import Iterator
from dataclasses import dataclass

from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import CalibrationBin, CalibrationOnTest, DecisionPoint, Evaluation, LeadTime
from wardround.model_card.card_charts import calibration_chart, decision_chart, precision_recall_chart, roc_chart
from wardround.model_card.card_words import interval_of, metric_name, number, onset_in_words, value_of
from wardround.report.model_facts import MetricLine
from wardround.report.report_words import count
from wardround.training.model import ModelCard


@dataclass(frozen=True)
class Performance:
    """What was measured on the test set. Charts are SVG text, "" if there is nothing to draw."""

    metrics: tuple[MetricLine, ...]
    roc: str
    precision_recall: str
    calibration: tuple[MetricLine, ...]
    calibration_method: str
    calibration_curve: str
    bins: tuple[CalibrationBin, ...]
    decision_curve: str
    decisions: tuple[DecisionPoint, ...]
    alerts: MetricLine
    lead_time: tuple[MetricLine, ...]
    lead_note: str


@dataclass(frozen=True)
class OnsetComparison:
    """The same scores by two definitions of onset: their names, rows and metrics; or why there is only one."""

    definitions: tuple[str, str]
    rows: tuple[tuple[str, str, str], ...]
    note: str


def performance(card: ModelCard, evaluation: Evaluation) -> Performance:
    """Returns all results; `evaluation` is the card's."""
    metrics, high = card.metrics, card.thresholds["high"]
    specificity, sensitivity, ppv = (metrics.get(name) for name in ("specificity", "sensitivity", "ppv"))
    return Performance(
        metrics=tuple(line(metric_name(name), metric) for name, metric in metrics.items()),
        roc=roc_chart(evaluation.curves, (specificity, sensitivity), high),
        precision_recall=precision_recall_chart(evaluation.curves, (sensitivity, ppv), high, metrics.get("prevalence")),
        calibration=tuple(_calibration(evaluation.calibration)),
        calibration_method=_calibration_method(card),
        calibration_curve=calibration_chart(evaluation.calibration.bins),
        bins=evaluation.calibration.bins,
        decision_curve=decision_chart(evaluation.decision_curve),
        decisions=evaluation.decision_curve,
        alerts=line("Alerts per 100 patient-days", evaluation.alerts_per_100_patient_days, 1),
        lead_time=_lead_lines(evaluation.lead_time),
        lead_note=_lead_note(evaluation.lead_time),
    )


def line(name: str, metric: Metric | None, places: int = 3) -> MetricLine:
    """Returns a metric with its interval as text."""
    return MetricLine(name, value_of(metric, places), interval_of(metric, places))


def other_onset(card: ModelCard, evaluation: Evaluation) -> OnsetComparison:
    """Returns how the metrics change when the other time counts as onset."""
    other = evaluation.sensitivity_to_onset
    if other.metrics is None:
        return OnsetComparison(("", ""), (), f"Not performed: {other.reason}.")
    named = (onset_in_words(card.task.onset_definition if card.task else None), onset_in_words(other.definition))
    rows = tuple(
        (metric_name(name), _with_interval(card.metrics.get(name)), _with_interval(metric))
        for name, metric in other.metrics.items()
    )
    note = f"{count(other.rows)} predictions by the other definition, {count(other.positives)} with the outcome."
    return OnsetComparison(named, rows, note)


def _with_interval(metric: Metric | None) -> str:
    return f"{value_of(metric)} ({interval_of(metric)})"


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
