"""Prepares how the model of a card was made, as tables of text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from wardround.candidates.base import Setting
from wardround.evaluation.metrics import Metric
from wardround.model_card.card_words import (
    NONE,
    hours_covered,
    label_in_words,
    line,
    metric_name,
    onset_in_words,
    predicted,
    predictions,
)
from wardround.report.model_facts import MetricLine
from wardround.report.report_words import count, percent, reason_in_words
from wardround.spec.model_card import NOT_STATED
from wardround.training.fitting import CandidateResult
from wardround.training.model import ModelCard, Side

Facts = tuple[tuple[str, str], ...]
# Settings are chosen by how well they rank, and the threshold is that of all folds together.
_OF_A_FOLD: Final = ("auroc", "auprc", "prevalence")


@dataclass(frozen=True)
class FoldLine:
    """One outer fold of the nested cross-validation: what was chosen without it, and how well that ranks it."""

    fold: str
    settings: str
    figures: tuple[MetricLine, ...]


@dataclass(frozen=True)
class CandidateLine:
    """A candidate in cross-validation."""

    name: str
    chosen: bool
    threshold: str
    settings: str
    figures: tuple[MetricLine, ...]
    folds: tuple[FoldLine, ...]


@dataclass(frozen=True)
class InputLine:
    """An input: in words, how far it moves scores (None without an evaluation) and what replaces an unknown value."""

    words: str
    column: str
    importance: float | None
    share: float
    replaced_by: str


@dataclass(frozen=True)
class SetAsideLine:
    """Readings of the source that did not become events for one reason: how many, and of which variables."""

    reason: str
    count: int
    variables: str


def task_facts(card: ModelCard) -> Facts:
    """Returns what is predicted, for whom, and when."""
    return (
        ("Predicted", predicted(card)),
        ("Outcome", label_in_words(card.label) if card.label else NOT_STATED),
        ("Onset", onset_in_words(card.task.onset_definition) if card.task else NOT_STATED),
        ("Predictions", predictions(card)),
        ("Hours covered", hours_covered(card)),
        ("Least data for a score", card.about.minimum_data or NOT_STATED),
    )


def split_facts(card: ModelCard) -> Facts:
    """Returns how sides and folds were made."""
    split = card.split
    whose = (
        "The patients of the latest years"
        if split.rule == "calendar"
        else f"{percent(split.test_share, 0)} of patients"
    )
    return (
        ("Unit of the split", "The patient: all stays of a patient are in one set and one fold"),
        ("Test set", f"{whose}, scored once, by the chosen candidate"),
        ("Cross-validation", f"{split.folds} folds of the training set, settings chosen inside each"),
        ("Seed", str(card.seed)),
    )


def side_rows(card: ModelCard) -> tuple[tuple[str, ...], ...]:
    """Returns side, patients, stays, patients with the outcome, stays with it, and the share of these stays."""
    return tuple(
        (name, count(side.patients), count(side.stays), _patients(side), count(side.positives), _share(side))
        for name, side in (("Training", card.split.train), ("Test", card.split.test))
    )


def candidate_metrics(card: ModelCard) -> tuple[str, ...]:
    """Returns the names of the metrics in `candidates`, in its order."""
    return tuple(metric_name(name) for name in _metric_names(card))


def fold_metrics(card: ModelCard) -> tuple[str, ...]:
    """Returns the names of the metrics in `FoldLine.figures`, in its order."""
    return tuple(metric_name(name) for name in _metric_names(card) if name in _OF_A_FOLD)


def candidates(card: ModelCard) -> tuple[CandidateLine, ...]:
    """Returns all candidates that were tried, including the chosen one."""
    names = _metric_names(card)
    return tuple(_candidate(name, result, card, names) for name, result in card.candidates.items())


def inputs(card: ModelCard) -> tuple[InputLine, ...]:
    """Returns all columns, starting with those that move scores most."""
    found = card.evaluation.importance.columns if card.evaluation else ()
    importance = {each.column: each.mean_absolute for each in found}
    most = max(importance.values(), default=0.0) or 1.0
    ordered = sorted(card.columns, key=lambda column: -importance.get(column, 0.0))
    return tuple(
        InputLine(
            words=card.about.inputs.get(column, column),
            column=column,
            importance=importance.get(column),
            share=importance.get(column, 0.0) / most,
            replaced_by=_rounded(card.imputation.get(column)),
        )
        for column in ordered
    )


def set_aside(card: ModelCard) -> tuple[SetAsideLine, ...]:
    """Returns readings that did not become events, by reason and by variable, the most frequent first."""
    by_reason: dict[str, dict[str, int]] = {}
    for variable, reasons in card.readings_set_aside.items():
        for reason, number in reasons.items():
            by_reason.setdefault(reason, {})[card.about.variables.get(variable, variable)] = number
    lines = [_set_aside(reason, numbers) for reason, numbers in by_reason.items()]
    return tuple(sorted(lines, key=lambda line: (-line.count, line.reason)))


def _set_aside(reason: str, numbers: Mapping[str, int]) -> SetAsideLine:
    ordered = sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0]))
    return SetAsideLine(
        reason=reason_in_words(reason),
        count=sum(numbers.values()),
        variables="; ".join(f"{name}: {count(number)}" for name, number in ordered),
    )


def provenance(card: ModelCard) -> Facts:
    """Returns what is needed to make the same model again, and to recognise it."""
    return (
        ("Version", card.version),
        ("Made", card.created.strftime("%-d %B %Y, %H:%M %Z")),
        ("Digest of the spec", card.spec_digest),
        ("Digest of the training data", card.data_digest),
        *((f"Digest of {name}", digest) for name, digest in card.files.items()),
        ("Seed", NOT_STATED if card.seed is None else str(card.seed)),
        ("Software", ", ".join(f"{name} {version}" for name, version in card.libraries.items())),
        *_imported(card),
    )


def _imported(card: ModelCard) -> Iterator[tuple[str, str]]:
    if card.imported:
        yield "Imported from", f"{card.imported.file} ({card.imported.kind}), trusted by {card.imported.trusted_by}"
        yield "Digest of its schema", card.imported.schema_digest or NOT_STATED


def _rounded(value: float | None) -> str:
    # A median of trends may be a rounding error, such as 9e-18.
    return "–" if value is None else f"{round(value, 9):.4g}".replace("-", "\u2212")


def _patients(side: Side) -> str:
    return NONE if side.patients_with_outcome is None else count(side.patients_with_outcome)


def _share(side: Side) -> str:
    return percent(side.positives / side.stays) if side.stays else "–"


def _metric_names(card: ModelCard) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for result in card.candidates.values():
        found.update(dict.fromkeys(result.metrics))
    return tuple(found)


def _candidate(name: str, result: CandidateResult, card: ModelCard, names: tuple[str, ...]) -> CandidateLine:
    return CandidateLine(
        name=result.title,
        chosen=name == card.chosen,
        threshold=percent(result.threshold),
        settings=_settings(result.settings),
        figures=_figures(result.metrics, names),
        folds=tuple(
            FoldLine(
                fold=str(fold.fold + 1),
                settings=_settings(fold.settings),
                figures=_figures(fold.metrics, tuple(name for name in names if name in _OF_A_FOLD)),
            )
            for fold in result.folds
        ),
    )


def _figures(metrics: Mapping[str, Metric], names: tuple[str, ...]) -> tuple[MetricLine, ...]:
    return tuple(line(metric_name(name), metrics.get(name)) for name in names)


def _settings(settings: Mapping[str, Setting]) -> str:
    shown = (f"{name.replace('_', ' ')} {_number(value)}" for name, value in settings.items())
    return ", ".join(shown) or "as they are"


def _number(value: Setting) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
