"""Prepares everything that the page of a model card shows, as words and drawings."""

from collections.abc import Iterator
from dataclasses import dataclass

from wardround.evaluation.comparison import Comparison
from wardround.evaluation.definitions import MEASURES
from wardround.model_card.against_live import AgainstLive, against_live
from wardround.model_card.card_words import (
    GATES,
    STATES,
    described,
    interval_of,
    metric_name,
    policy_in_words,
    predicted,
    predictions,
    sentence,
    side,
    value_of,
)
from wardround.model_card.development import (
    CandidateLine,
    Facts,
    InputLine,
    SetAsideLine,
    candidate_metrics,
    candidates,
    inputs,
    provenance,
    set_aside,
    side_rows,
    split_facts,
    task_facts,
)
from wardround.model_card.groups import GroupTable, group_tables
from wardround.model_card.hti1 import Answer, source_attributes
from wardround.model_card.participant_flow import data_flow_chart, data_flow_stages, losses
from wardround.model_card.performance import DefinitionLine, Performance, definitions, performance
from wardround.model_card.reasons import reasons_in_words
from wardround.model_card.scope import ENOUGH_POSITIVES, ROLE, limitations, out_of_scope, population
from wardround.model_card.sections import SECTIONS
from wardround.model_card.time_figures import TimeTable, time_table
from wardround.model_card.tripod import ItemAnswer, reported_items
from wardround.report.model_facts import MetricLine, attribution_in_words, label_in_short
from wardround.report.notices import Notice
from wardround.report.report_words import count, percent
from wardround.report.stay_flow import Loss, Stage
from wardround.spec.model_card import NOT_PERFORMED, NOT_STATED
from wardround.training.model import ModelCard


@dataclass(frozen=True)
class GateLine:
    """A gate: `state` is passed, failed or not judged."""

    title: str
    state: str
    found: str
    limit: str
    message: str


@dataclass(frozen=True)
class CardPage:
    """Everything on the page. Charts are SVG text, already escaped; the rest is plain text and numbers."""

    title: str
    question: str
    version: str
    safety: str
    sections: dict[str, str]
    notices: tuple[Notice, ...]
    headline: tuple[MetricLine, ...]
    summary: str
    facts: Facts
    use: Facts
    out_of_scope: tuple[str, ...]
    limitations: tuple[str, ...]
    flow: str
    narrow_flow: tuple[Stage, ...]
    left_out: tuple[Loss, ...]
    set_aside: tuple[SetAsideLine, ...]
    task: Facts
    split: Facts
    sides: tuple[tuple[str, ...], ...]
    candidate_metrics: tuple[str, ...]
    candidates: tuple[CandidateLine, ...]
    inputs: tuple[InputLine, ...]
    importance: str
    reasons: tuple[str, ...]
    performance: Performance | None
    thresholds: Facts
    subgroups: tuple[GroupTable, ...]
    by_time: TimeTable | None
    gates: tuple[GateLine, ...]
    definition_figures: tuple[str, ...]
    definitions: tuple[DefinitionLine, ...]
    comparison: AgainstLive | None
    source_attributes: dict[str, tuple[Answer, ...]]
    tripod: tuple[ItemAnswer, ...]
    provenance: Facts


def card_page(card: ModelCard, comparison: Comparison | None = None) -> CardPage:
    """Returns the page of a card, whether trained here or elsewhere, with its comparison if there is one."""
    found = card.evaluation
    return CardPage(
        title=card.title,
        question=_question(card),
        version=card.version,
        safety=card.safety,
        sections=SECTIONS,
        notices=tuple(_notices(card)),
        headline=_headline(card),
        summary=_summary(card),
        facts=_facts(card),
        use=_use(card),
        out_of_scope=out_of_scope(card),
        limitations=limitations(card),
        flow=data_flow_chart(card.cohort, card.split.train, card.split.test),
        narrow_flow=data_flow_stages(card.cohort, card.split.train, card.split.test),
        left_out=losses(card.cohort),
        set_aside=set_aside(card),
        task=task_facts(card),
        split=split_facts(card),
        sides=side_rows(card),
        candidate_metrics=candidate_metrics(card),
        candidates=candidates(card),
        inputs=inputs(card),
        importance=_importance(card),
        reasons=reasons_in_words(card),
        performance=performance(card, found) if found else None,
        thresholds=tuple(_thresholds(card)),
        subgroups=group_tables(found.subgroups, card.metrics.get("auroc")) if found else (),
        by_time=time_table(card),
        gates=tuple(_gates(card)),
        definition_figures=tuple(metric_name(name) for name in MEASURES),
        definitions=definitions(card, found) if found else (),
        comparison=against_live(comparison) if comparison else None,
        source_attributes=source_attributes(card),
        tripod=reported_items(card),
        provenance=provenance(card),
    )


def _notices(card: ModelCard) -> Iterator[Notice]:
    if card.imported:
        yield Notice(
            "incomplete",
            "Trained elsewhere",
            "Nothing was measured here; any figures are those of its makers. Validate it on local patients before use.",
        )
    elif card.split.test.positives < ENOUGH_POSITIVES:
        yield Notice(
            "late",
            "Too few patients to judge",
            f"The test set has {count(card.split.test.positives)} stays with the outcome. The figures show that the"
            " software works; they support no claim about accuracy.",
        )
    for gate in card.gates:
        if gate.explanation:
            yield Notice(
                "late",
                "Let through with an explanation",
                f"{sentence(gate.message)} Given: {sentence(gate.explanation)}",
            )
        if gate.name == "dominant_feature" and gate.columns:
            yield Notice("late", "Rests on single features", sentence(gate.message))
        elif gate.clocks:
            yield Notice("late", "Rests on the time since the stay began", sentence(gate.message))


def _headline(card: ModelCard) -> tuple[MetricLine, ...]:
    if card.evaluation is None:
        return ()
    shown = {name: card.metrics.get(name) for name in ("auroc", "auprc", "sensitivity", "ppv")}
    slope, alerts = card.evaluation.calibration.slope, card.evaluation.alerts_per_100_patient_days
    return (
        *(MetricLine(metric_name(name), value_of(metric, 2), interval_of(metric, 2)) for name, metric in shown.items()),
        MetricLine("Calibration slope", value_of(slope, 2), interval_of(slope, 2)),
        MetricLine("Alerts per 100 patient-days", value_of(alerts, 1), interval_of(alerts, 1)),
    )


def _summary(card: ModelCard) -> str:
    what = f"Gives the probability of: {predicted(card)}."
    if card.evaluation is None:
        return f"{what} The model was trained elsewhere, and not evaluated here."
    train, test = card.split.train, card.split.test
    others = len(card.candidates) - 1
    chosen = f"chosen of {others + 1} candidates" if others else "the only candidate, evaluated"
    return (
        f"{what} {predictions(card)}. {card.candidates[card.chosen].title} was {chosen}"
        f" in cross-validation on {side(train.patients, train.stays)}, and tested once on"
        f" {side(test.patients, test.stays)} that it had never seen, {count(test.positives)} stays with the outcome."
    )


def _facts(card: ModelCard) -> Facts:
    return (
        ("Condition", card.condition),
        ("Method", card.candidates[card.chosen].title),
        ("Made", card.created.strftime("%-d %B %Y")),
        ("Outcome determined by", label_in_short(card.label) if card.label else NOT_STATED),
        ("Inputs", f"{len(card.columns)}, summaries of a patient's values"),
        ("Software", f"Wardround {card.libraries.get('wardround', '–')}"),
    )


def _question(card: ModelCard) -> str:
    return f"{predicted(card)}, determined by {label_in_short(card.label)}" if card.label else predicted(card)


def _use(card: ModelCard) -> Facts:
    stated = card.about.stated
    return (
        ("Condition", described(card)),
        ("Intended use", stated.intended_use),
        ("Patients", population(card)),
        ("Users", stated.intended_users),
        ("Role in decisions", ROLE),
        ("Developer and contact", stated.developer),
        ("Funding", stated.funding),
    )


def _importance(card: ModelCard) -> str:
    """Explains how inputs are weighted, and what replaces an unknown one."""
    if card.evaluation is None:
        return (
            f"How much each moves a score: {NOT_PERFORMED}. The last column shows what replaces an unknown"
            " input, if anything."
        )
    found = card.evaluation.importance
    return (
        f"Mean absolute contribution in {found.unit} ({attribution_in_words(card)}) over {count(found.rows)}"
        " predictions of the test set. An unknown input is replaced by the figure in the last column, the median of"
        " the training set."
    )


def _thresholds(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield "High", f"from {percent(card.thresholds['high'], 2)}"
    yield "Moderate", f"from {percent(card.thresholds['moderate'], 2)}"
    yield "Policy", policy_in_words(card.evaluation.policy) if card.evaluation else NOT_STATED
    if card.evaluation and card.evaluation.policy.reason:
        yield "Policy not met", card.evaluation.policy.reason


def _gates(card: ModelCard) -> Iterator[GateLine]:
    for gate in card.gates:
        yield GateLine(
            title=GATES.get(gate.name, gate.name),
            state=STATES[gate.passed],
            found="–" if gate.found is None else f"{gate.found:.3g}",
            limit="–" if gate.limit is None else f"{gate.limit:.3g}",
            message=sentence(gate.message),
        )
