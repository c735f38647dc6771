"""Prepares a table for each attribute's subgroups. Of suppressed cells only their number is shown."""

from dataclasses import dataclass
from typing import Final

from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import Cell, Subgroups
from wardround.model_card.card_charts import Axis, whisker, whisker_axis
from wardround.model_card.card_words import ATTRIBUTES, line, metric_name
from wardround.report.model_facts import MetricLine
from wardround.report.report_words import count

_DRAWN: Final = "auroc"
_TOO_SMALL: Final = "every group of the test set is too small, or would give a small one away."


@dataclass(frozen=True)
class GroupRow:
    """A group: its name, its counts in words, its drawn AUROC and all metrics in the table's order."""

    name: str
    counts: str
    drawn: str
    figures: tuple[MetricLine, ...]


@dataclass(frozen=True)
class GroupTable:
    """The groups of one attribute; if there are no rows, `note` says why. `axis` is "" if no AUROC has an interval."""

    title: str
    columns: tuple[str, ...]
    axis: str
    rows: tuple[GroupRow, ...]
    note: str


def group_tables(subgroups: tuple[Subgroups, ...], overall: Metric | None) -> tuple[GroupTable, ...]:
    """Returns a table per attribute, all with the AUROC of `overall` as a line for comparison."""
    axis = _axis([cell for group in subgroups for cell in group.cells], overall)
    return tuple(_table(group, axis, overall.value if overall else None) for group in subgroups)


def _table(group: Subgroups, axis: Axis, overall: float | None) -> GroupTable:
    names = list(group.cells[0].metrics) if group.cells else []
    return GroupTable(
        title=ATTRIBUTES[group.attribute],
        columns=tuple(metric_name(name) for name in names),
        axis=whisker_axis(axis) if _any_drawn(group) else "",
        rows=tuple(_row(cell, names, axis, overall) for cell in group.cells),
        note=_note(group),
    )


def _row(cell: Cell, names: list[str], axis: Axis, overall: float | None) -> GroupRow:
    rows = f"{count(cell.rows)} predictions, " if cell.rows != cell.stays else ""
    counts = f"{count(cell.stays)} stays of {count(cell.patients)} patients"
    return GroupRow(
        name=cell.group,
        counts=f"{rows}{counts}, {count(cell.positives)} stays with the outcome",
        drawn=whisker(cell.metrics.get(_DRAWN), axis, overall),
        figures=tuple(line(metric_name(name), cell.metrics[name]) for name in names),
    )


def _any_drawn(group: Subgroups) -> bool:
    return any(_DRAWN in cell.metrics and cell.metrics[_DRAWN].interval for cell in group.cells)


def _note(group: Subgroups) -> str:
    if not group.cells:
        return "Not shown: " + _TOO_SMALL if group.suppressed else f"Not performed: {group.reason}."
    if not group.suppressed:
        return ""
    groups = "1 group is" if group.suppressed == 1 else f"{group.suppressed} groups are"
    return f"{groups} not shown: too small, or withheld to protect a small one."


def _axis(cells: list[Cell], overall: Metric | None) -> Axis:
    """Returns an axis from the lowest interval (in steps of a tenth, at most 0.5) to 1."""
    found = [metric for metric in (*(cell.metrics.get(_DRAWN) for cell in cells), overall) if metric]
    lows = [low for metric in found for low in (metric.low, metric.value) if low is not None]
    lowest = min([0.5, *lows])
    return Axis("AUROC", low=int(lowest * 10) / 10)
