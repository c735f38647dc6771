"""Prints a model card as tables on a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from wardround.cli.results import add_row, print_table
from wardround.evaluation.metric_text import in_text
from wardround.evaluation.metrics import Metric
from wardround.imported.about import Imported
from wardround.model_card.card_words import hours_covered, predictions
from wardround.training.model import NOT_STATED, ModelCard, Side


def show_card(card: ModelCard) -> None:
    """Prints what a reader needs to judge a model; the whole card is in card.json."""
    print_table(_facts(card))
    print_table(_metrics(card))
    Console().print(Text(card.safety, style="italic"))


def _facts(card: ModelCard) -> Table:
    table = Table("", "", show_header=False)
    for name, value in {
        "condition": card.title,
        "version": card.version,
        "model": card.candidates[card.chosen].title,
        "created": card.created.isoformat(timespec="seconds"),
        "label": f"{card.label.rule if card.label else NOT_STATED}, horizon {card.horizon}",
        "predicted": predictions(card),
        "hours covered": hours_covered(card),
        **(_imported(card.imported) if card.imported else _trained(card)),
        "moderate from": f"{card.thresholds['moderate']:.3f}",
        "high from": f"{card.thresholds['high']:.3f}",
        "spec": card.spec_digest[:12],
    }.items():
        add_row(table, name, value)
    return table


def _trained(card: ModelCard) -> dict[str, str]:
    excluded = ", ".join(f"{reason} {count:,}" for reason, count in card.cohort.excluded.items()) or "none"
    return {
        "stays": f"{card.cohort.found:,} found, {card.cohort.used:,} used",
        "left out": excluded,
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
    return f"{side.patients:,} patients, {side.stays:,} stays, {side.positives:,} with the outcome"


def _metrics(card: ModelCard) -> Table:
    table = Table(
        "",
        "chosen (95 % interval)",
        title="Chosen model on test patients; all candidates in cross-validation, to choose by, without intervals",
    )
    for name in card.candidates:
        table.add_column(name.replace("_", "\n"), justify="right", style="bold" if name == card.chosen else None)
    for name, metric in card.metrics.items():
        add_row(table, name, in_text(metric), *(_shown(result.metrics[name]) for result in card.candidates.values()))
    return table


def _shown(metric: Metric) -> str:
    return (metric.reason or "") if metric.value is None else f"{metric.value:.3f}"
