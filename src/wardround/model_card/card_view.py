"""Prepares everything that the page of a model card shows, as words and drawings."""

from collections.abc import Iterator
from dataclasses import dataclass

from wardround.evaluation.comparison import Comparison
from wardround.evaluation.definitions import MEASURES
from wardround.evaluation.metrics import Metric
from wardround.model_card.against_live import AgainstLive, against_live
from wardround.model_card.bands import BandLine, band_lines, bands_of_no_use, threshold_facts
from wardround.model_card.card_words import (
    GATES,
    STATES,
    described,
    line,
    metric_name,
    number,
    patients_with_outcome,
    predicted,
    predictions,
    sentence,
    side,
)
from wardround.model_card.development import (
    CandidateLine,
    Facts,
    InputLine,
    SetAsideLine,
    candidate_metrics,
    candidates,
    fold_metrics,
    inputs,
    provenance,
    set_aside,
    side_rows,
    split_facts,
    task_facts,
)
from wardround.model_card.groups import GroupTable, group_tables
from wardround.model_card.hti1 import Answer, source_attributes
from wardround.model_card.judged import alert_lines, in_short
from wardround.model_card.participant_flow import data_flow_chart, data_flow_stages, losses
from wardround.model_card.performance import DefinitionLine, Performance, definitions, performance
from wardround.model_card.reasons import reasons_in_words
from wardround.model_card.scope import ROLE, limitations, out_of_scope, population, too_few_to_judge
from wardround.model_card.sections import SECTIONS
from wardround.model_card.time_figures import TimeTable, time_table
from wardround.model_card.tripod import ItemAnswer, reported_items
from wardround.report.model_facts import MEANINGS, MetricLine, attribution_in_words, label_in_short
from wardround.report.notices import Notice
from wardround.report.report_words import count
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
    condition: str
    version: str
    safety: str
    sections: dict[str, str]
    notices: tuple[Notice, ...]
    headline: tuple[MetricLine, ...]
    summary: str
    judged: Facts
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
    fold_metrics: tuple[str, ...]
    candidates: tuple[CandidateLine, ...]
    inputs: tuple[InputLine, ...]
    importance: str
    reasons: tuple[str, ...]
    performance: Performance | None
    thresholds: Facts
    bands: tuple[BandLine, ...]
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
        condition=card.condition,
        version=card.version,
        safety=card.safety,
        sections=SECTIONS,
        notices=tuple(_notices(card)),
        headline=_headline(card),
        summary=_summary(card),
        judged=in_short(card),
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
        fold_metrics=fold_metrics(card),
        candidates=candidates(card),
        inputs=inputs(card),
        importance=_importance(card),
        reasons=reasons_in_words(card),
        performance=performance(card, found) if found else None,
        thresholds=threshold_facts(card),
        bands=band_lines(card),
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
    elif too_few_to_judge(card):
        yield Notice(
            "late",
            "Too few patients to judge",
            f"In the test set, {patients_with_outcome(card.split.test)} had the outcome. The figures show that the"
            " software works; they support no claim about accuracy.",
        )
    if useless := bands_of_no_use(card):
        yield Notice("late", "A band of little use", " ".join(useless))
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
    evaluation, metrics = card.evaluation, card.metrics
    flagged = line("Predictions in the high band per 100 patient-days", evaluation.alerts_per_100_patient_days, 1)
    return (
        line(metric_name("auroc"), metrics.get("auroc"), 2, "how well scores rank; 0.5 is chance"),
        line(metric_name("auprc"), metrics.get("auprc"), 2, _chance(metrics.get("prevalence"))),
        line("Calibration slope", evaluation.calibration.slope, 2, "1 is ideal; below it, scores are too extreme"),
        *(line(metric_name(name), metrics.get(name), 2, MEANINGS[name]) for name in ("sensitivity", "ppv")),
        *(alert_lines(evaluation.episodes, places=2)[:3] or (flagged,)),
    )


def _chance(prevalence: Metric | None) -> str:
    if prevalence is None or prevalence.value is None:
        return "the same for a rare outcome"
    return f"the same for a rare outcome; {number(prevalence.value, 2 if prevalence.value >= 0.1 else 3)} is chance"


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
        f" {side(test.patients, test.stays)} that it had never seen; {patients_with_outcome(test)} had the outcome."
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
    few = " With so few patients, other patients would give another order." if too_few_to_judge(card) else ""
    return (
        f"How far each input moves a score up or down on average, in {found.unit}, over {count(found.rows)} predictions"
        f" of the test set. Method: {attribution_in_words(card)}. It shows what the model uses, and not what causes the"
        f" outcome.{few} An unknown input is replaced by the figure in the last column, the median of the training set."
    )


def _gates(card: ModelCard) -> Iterator[GateLine]:
    for gate in card.gates:
        yield GateLine(
            title=GATES.get(gate.name, gate.name),
            state=STATES[gate.passed],
            found="–" if gate.found is None else f"{gate.found:.3g}",
            limit="–" if gate.limit is None else f"{gate.limit:.3g}",
            message=sentence(gate.message),
        )
