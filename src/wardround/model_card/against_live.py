"""Prepares the comparison of a candidate with the live model as text: figures, gates and notes."""

from dataclasses import dataclass
from typing import Final

from wardround.evaluation.comparison import Comparison, Judged
from wardround.evaluation.metrics import Metric
from wardround.model_card.card_words import STATES, estimate, metric_name, number, sentence
from wardround.report.report_words import count

_GATES: Final = {
    "calibration_slope": "Calibration slope",
    "ppv": "Positive predictive value at the high threshold",
    "bands": "Somebody in each band, and not nearly everybody in one",
    "auroc_against_live": "AUROC against the live model",
}


@dataclass(frozen=True)
class ComparedLine:
    """A figure of both models, and the candidate's minus the live one's."""

    name: str
    candidate: str
    live: str
    difference: str


@dataclass(frozen=True)
class PromotionGate:
    """A promotion gate: `state` is passed, failed or not judged."""

    title: str
    state: str
    message: str


@dataclass(frozen=True)
class AgainstLive:
    """Both models on the same test patients; `live` is "" if none was live, and `notes` help to judge the figures."""

    live: str
    counts: str
    rows: tuple[ComparedLine, ...]
    gates: tuple[PromotionGate, ...]
    notes: tuple[str, ...]


def against_live(comparison: Comparison) -> AgainstLive:
    """Returns the section of the page."""
    test = comparison.test
    left_out = (test.left_out,) if test.left_out else ()
    unscored = (f"The live model was not scored: {comparison.not_scored}",) if comparison.not_scored else ()
    fairness = (comparison.fairness,) if comparison.live else ()
    return AgainstLive(
        live=comparison.live or "",
        counts=(
            f"{count(test.rows)} predictions for {count(test.patients)} patients, of whom"
            f" {count(test.patients_with_outcome)} with the outcome"
        ),
        rows=tuple(
            ComparedLine(
                name=sentence(metric_name(name)).rstrip("."),
                candidate=estimate(both.candidate),
                live=estimate(both.live) if both.live else "–",
                difference=_signed(both.difference),
            )
            for name, both in comparison.metrics.items()
        ),
        gates=tuple(_gate(gate) for gate in comparison.gates),
        notes=tuple(sentence(note) for note in (*fairness, *left_out, *comparison.notes, *unscored)),
    )


def _gate(gate: Judged) -> PromotionGate:
    return PromotionGate(_GATES[gate.name], STATES[gate.passed], sentence(gate.message))


def _signed(difference: Metric | None) -> str:
    if difference is None or difference.value is None:
        return "–"
    value = number(difference.value, 3, signed=True)
    if difference.interval is None:
        return f"{value} ({difference.why_no_interval})"
    low, high = (number(end, 3, signed=True) for end in difference.interval)
    return f"{value} ({low} to {high})"
