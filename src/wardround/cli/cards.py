"""Prints a model card as tables on a terminal."""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from wardround.cli.results import add_row, print_table
from wardround.evaluation.band_shares import in_percent
from wardround.evaluation.metric_text import in_text
from wardround.evaluation.results import Evaluation
from wardround.imported.about import Imported
from wardround.model_card.bands import threshold_facts
from wardround.model_card.card_words import (
    hours_covered,
    label_in_words,
    left_out,
    metric_name,
    patients_with_outcome,
    predicted,
    predictions,
)
from wardround.model_card.judged import alert_lines, in_short
from wardround.training.model import NOT_STATED, ModelCard, Side

_TO_CHOOSE_BY: Final = ("auroc", "auprc", "f1")


def show_card(card: ModelCard) -> None:
    """Prints what a reader needs to judge a model; the whole card is in card.json."""
    print_table(_facts(card))
    if card.evaluation:
        print_table(_measured(card, card.evaluation))
        print_table(_candidates(card))
    Console().print(Text(card.safety, style="italic"))


def _facts(card: ModelCard) -> Table:
    table = Table("", "", show_header=False)
    for name, value in {
        "condition": card.title,
        "version": card.version,
        "model": card.candidates[card.chosen].title,
        "created": card.created.isoformat(timespec="seconds"),
        "predicted": predicted(card),
        "outcome": label_in_words(card.label) if card.label else NOT_STATED,
        "when": predictions(card),
        "hours covered": hours_covered(card),
        **(_imported(card.imported) if card.imported else _trained(card)),
        "moderate from": f"{card.thresholds['moderate']:.3f}",
        "high from": f"{card.thresholds['high']:.3f}",
        **_policy(card),
        "spec": card.spec_digest[:12],
    }.items():
        add_row(table, name, value)
    return table


def _policy(card: ModelCard) -> dict[str, str]:
    """Returns what chose the thresholds, what that reached, and the shares of the bands."""
    shares = in_percent(card.bands)
    shown = {name.lower(): text for name, text in threshold_facts(card) if name not in ("High", "Moderate")}
    return {**shown, **({"test predictions": shares} if shares else {})}


def _trained(card: ModelCard) -> dict[str, str]:
    excluded = "; ".join(f"{left_out(reason).lower()}: {number:,}" for reason, number in card.cohort.excluded.items())
    return {
        "stays": f"{card.cohort.found:,} found, {card.cohort.used:,} used",
        "left out": excluded or "none",
        "train": _side(card.split.train),
        "test": _side(card.split.test),
    }


def _imported(source: Imported) -> dict[str, str]:
    return {
        "imported from": source.file,
        "SHA-256": source.digest,
        "trusted by": source.trusted_by,
        "trained on": NOT_STATED,
        "inputs": ", ".join(f"{one.name} ({one.unit})" if one.unit else one.name for one in source.inputs),
    }


def _side(side: Side) -> str:
    return f"{side.patients:,} patients, {side.stays:,} stays; {patients_with_outcome(side)} had the outcome"


def _measured(card: ModelCard, evaluation: Evaluation) -> Table:
    """Returns what was measured on the test patients: of predictions, and of the alerts that people would get."""
    table = Table("On the test patients, never seen in training", "value (95 % interval)")
    for name, text in in_short(card):
        add_row(table, name.lower(), text)
    table.add_section()
    for name, metric in card.metrics.items():
        add_row(table, metric_name(name), in_text(metric))
    add_row(table, "Calibration slope (1 is ideal)", in_text(evaluation.calibration.slope))
    for line in alert_lines(evaluation.episodes):
        add_row(table, line.name, f"{line.value} ({line.interval})")
    return table


def _candidates(card: ModelCard) -> Table:
    table = Table(title="Candidates in cross-validation of the training patients, to choose by")
    for name in ("", *(metric_name(name) for name in _TO_CHOOSE_BY)):
        table.add_column(name)
    for name, result in card.candidates.items():
        chosen = " (chosen)" if name == card.chosen else ""
        figures = (result.metrics.get(each) for each in _TO_CHOOSE_BY)
        add_row(table, f"{result.title}{chosen}", *("–" if each is None else in_text(each) for each in figures))
    return table
