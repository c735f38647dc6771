"""Prepares a table for each attribute's subgroups. Of suppressed cells only their number is shown."""

from dataclasses import dataclass
from typing import Final

from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import Cell, Subgroups
from wardround.model_card.card_charts import Axis, whisker, whisker_axis
from wardround.model_card.card_words import ATTRIBUTES, interval_of, metric_name, value_of
from wardround.report.report_words import count

_DRAWN: Final = "auroc"


@dataclass(frozen=True)
class GroupFigure:
    """One metric of a group: value, and interval or reason."""

    value: str
    interval: str


@dataclass(frozen=True)
class GroupRow:
    """A group: its name, its counts in words, its drawn AUROC and all metrics in the table's order."""

    name: str
    counts: str
    drawn: str
    figures: tuple[GroupFigure, ...]


@dataclass(frozen=True)
class GroupTable:
    """The groups of one attribute; if there are no rows, `note` says why."""

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
        axis=whisker_axis(axis),
        rows=tuple(_row(cell, names, axis, overall) for cell in group.cells),
        note=_note(group),
    )


def _row(cell: Cell, names: list[str], axis: Axis, overall: float | None) -> GroupRow:
    rows = f"{count(cell.rows)} predictions, " if cell.rows != cell.stays else ""
    counts = f"{count(cell.stays)} stays, {count(cell.patients)} patients, {count(cell.positives)} with the outcome"
    return GroupRow(
        name=cell.group,
        counts=rows + counts,
        drawn=whisker(cell.metrics.get(_DRAWN), axis, overall),
        figures=tuple(_figure(cell.metrics[name]) for name in names),
    )


def _figure(metric: Metric) -> GroupFigure:
    return GroupFigure(value_of(metric), interval_of(metric, to="\u2013"))


def _note(group: Subgroups) -> str:
    if not group.cells:
        return f"Not performed: {group.reason or 'every group is too small to be shown'}."
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
