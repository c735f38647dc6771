"""Writes a comparison as Markdown for the person who decides: figures, gates and notes; no patient's data."""

from typing import Final

from wardround.escaping import markdown, markdown_code
from wardround.evaluation.comparison import SLOPE, Compared, Comparison, Judged
from wardround.evaluation.gates import VERDICTS, in_words
from wardround.evaluation.metric_text import in_text
from wardround.evaluation.metrics import Metric

_NAMES: Final = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1 at the threshold",
    "sensitivity": "sensitivity at the threshold",
    "ppv": "PPV at the threshold",
    "brier": "Brier score (lower is better)",
    SLOPE: "calibration slope (1 is ideal)",
}
_NOT_JUDGED: Final = "**No gate could judge this model**: that no gate stopped it says nothing about its quality."


def as_markdown(comparison: Comparison) -> str:
    """Returns what to know first, the figures with 95 % intervals over patients, the gates, and the notes."""
    first = f"**{comparison.fairness}**"
    figures = [*_head(comparison), "", *_table(comparison), "", *_gates(comparison), *_notes(comparison)]
    return "\n".join([first, "", *figures])


def _head(comparison: Comparison) -> list[str]:
    test = comparison.test
    return [
        f"Candidate {markdown_code(comparison.version)}, live {markdown_code(comparison.live or 'none')}.",
        f"{test.patients:,} test patients, {test.patients_with_outcome:,} with the outcome; {test.rows:,} predictions.",
        *([test.left_out] if test.left_out else []),
    ]


def _table(comparison: Comparison) -> list[str]:
    rows = [_row(name, comparison.metrics[key]) for key, name in _NAMES.items()]
    return ["| on the same test patients | candidate | live | difference |", "| --- | --- | --- | --- |", *rows]


def _row(name: str, compared: Compared) -> str:
    return f"| {name} | {_cell(compared.candidate)} | {_cell(compared.live)} | {_cell(compared.difference, '+')} |"


def _cell(metric: Metric | None, sign: str = "") -> str:
    return "" if metric is None else in_text(metric, sign, markdown)


def _gates(comparison: Comparison) -> list[str]:
    warning = [_NOT_JUDGED, ""] if comparison.verdict == "not_judged" else []
    return [*warning, "Gates:", "", *dict.fromkeys(_gate(gate) for gate in comparison.gates)]


def _gate(gate: Judged) -> str:
    verdict = in_words(VERDICTS[gate.passed])
    return f"* {f'**{verdict}**' if gate.passed is False else verdict}: {markdown(gate.message)}"


def _notes(comparison: Comparison) -> list[str]:
    said = [*comparison.notes, *([f"Not compared: {comparison.not_scored}."] if comparison.not_scored else [])]
    return ["", "Notes:", "", *(f"* {markdown(note)}" for note in said)] if said else []
