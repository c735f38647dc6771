"""Prepares the metrics, curves and alerts of a card's evaluation, as texts and drawings."""

from collections.abc import Iterator
from dataclasses import dataclass

from wardround.evaluation.definitions import MEASURES
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import (
    CalibrationBin,
    CalibrationOnTest,
    Curves,
    DecisionPoint,
    DefinedStays,
    Evaluation,
    LeadTime,
)
from wardround.model_card.card_charts import calibration_chart, decision_chart, precision_recall_chart, roc_chart
from wardround.model_card.card_words import (
    NONE,
    SUSPICIONS,
    has_onset,
    interval_of,
    is_coded,
    line,
    metric_name,
    number,
    onset_in_words,
    stays_in_words,
)
from wardround.model_card.judged import (
    Facts,
    MatchedComparison,
    alert_lines,
    alert_note,
    basis,
    judged,
    on_matched_hours,
)
from wardround.report.model_facts import MetricLine
from wardround.report.report_words import count
from wardround.training.model import ModelCard


@dataclass(frozen=True)
class Performance:
    """What was measured on the test set. Charts are SVG text, "" for the reason in the `not_drawn` that follows.

    `basis` says, for captions, which predictions the figures are of.
    """

    judged: Facts
    basis: str
    metrics: tuple[MetricLine, ...]
    matched: MatchedComparison | None
    roc: str
    not_drawn_roc: str
    precision_recall: str
    not_drawn_precision_recall: str
    calibration: tuple[MetricLine, ...]
    calibration_method: str
    calibration_curve: str
    bins: tuple[CalibrationBin, ...]
    decision_curve: str
    not_drawn_calibration: str
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
    # A curve of so few patients that its figure has no interval shows these patients and nothing of the model.
    ranked, precise, calibrated = metrics.get("auroc"), metrics.get("auprc"), evaluation.calibration.slope
    curves = Curves(
        roc=evaluation.curves.roc if _has_interval(ranked) else (),
        precision_recall=evaluation.curves.precision_recall if _has_interval(precise) else (),
    )
    bins = evaluation.calibration.bins if _has_interval(calibrated) else ()
    decisions = evaluation.decision_curve if _has_interval(calibrated) else ()
    return Performance(
        judged=judged(card, evaluation),
        basis=basis(card),
        matched=on_matched_hours(card, evaluation),
        metrics=tuple(line(metric_name(name), metric) for name, metric in metrics.items()),
        roc=roc_chart(curves, (specificity, sensitivity), high),
        not_drawn_roc=_not_drawn(ranked),
        precision_recall=precision_recall_chart(curves, (sensitivity, ppv), high, metrics.get("prevalence")),
        not_drawn_precision_recall=_not_drawn(precise),
        calibration=tuple(_calibration(evaluation.calibration)),
        calibration_method=_calibration_method(card),
        calibration_curve=calibration_chart(bins),
        bins=bins,
        decision_curve=decision_chart(decisions),
        not_drawn_calibration=_not_drawn(calibrated),
        decisions=decisions,
        alerts=line("Predictions in the high band per 100 patient-days", evaluation.alerts_per_100_patient_days, 1),
        alerts_told=alert_lines(evaluation.episodes),
        alert_note=alert_note(card, evaluation.episodes),
        lead_time=_lead_lines(evaluation.lead_time),
        lead_note=_lead_note(card, evaluation.lead_time),
    )


def _has_interval(metric: Metric | None) -> bool:
    return metric is not None and metric.interval is not None


def _not_drawn(metric: Metric | None) -> str:
    if _has_interval(metric):
        return "Not drawn: too few predictions."
    return f"Not drawn: {interval_of(metric)}."


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
        f" {number(method.intercept, 3)}), fitted to scores of training patients by models that had not seen them."
    )


def _lead_lines(lead: LeadTime) -> tuple[MetricLine, ...]:
    if lead.median.value is None:
        return ()
    return (
        line("Hours before onset, lower quartile", lead.lower_quartile, 1),
        line("Hours before onset, median", lead.median, 1),
        line("Hours before onset, upper quartile", lead.upper_quartile, 1),
    )


def _lead_note(card: ModelCard, lead: LeadTime) -> str:
    if is_coded(card):
        return "Lead time is not given: a diagnosis code says whether the condition occurred, not when it began."
    if lead.median.value is None and not lead.stays_with_onset:
        return f"Lead time is not given: {lead.median.reason or 'the label has no time of onset'}."
    onset = "onset" if has_onset(card) else "time of death"
    found = (
        f"Of {stays_in_words(lead.stays_with_onset)} with {'an' if has_onset(card) else 'a'} {onset}"
        f" {count(lead.stays_alerted)} had a score in the high band before it; lead time is from the first such score"
        f" to the {onset}."
    )
    return found if lead.median.value is not None else f"{found} It is not given: {lead.median.reason}."
