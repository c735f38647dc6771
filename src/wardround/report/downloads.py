"""Turns what the report's pages show into tables for a spreadsheet: the lines of CSV files.

The columns are documented in docs/operations/reports.md; new columns are added at the end.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import pandas as pd

from wardround.core.ledger import SCORED
from wardround.escaping import visible
from wardround.report.aggregates import Aggregates
from wardround.report.change import known_shares
from wardround.report.record import RunRecord, texts_of
from wardround.report.report_words import reason_in_words, without_references
from wardround.report.worklist import joined

IDENTIFIERS: Final = ("patient_id", "stay_id")
WORKLIST_COLUMNS: Final = (
    *("place", "unit", "outcome", "band", "score", "hours_since_admission", "run_before"),
    *("reasons", "missing_inputs", "why", "written"),
)
AGGREGATES_COLUMNS: Final = ("run", "condition", "as_of", "mode", "model_version", "table", "name", "measure", "value")
# Spreadsheets treat a cell that begins with one of these as a formula, including the full-width forms.
_FORMULA: Final = re.compile(r"\s*[=+\-@|%\uff1d\uff0b\uff0d\uff20]")
# Without it, Excel reads a file in the code page of its country.
_BYTE_ORDER_MARK: Final = "\ufeff"
_ORDER: Final = {"high": 0, "moderate": 1, "low": 2, "indeterminate": 3, "failed": 4, "excluded": 5}


def worklist_csv(record: RunRecord, identifiers: bool) -> Iterator[str]:
    """Yields every stay found, one per line: the bands from the highest score down, then those without a score."""
    stays = joined(record)
    state = stays["band"].where(stays["outcome"] == SCORED, stays["outcome"])
    order = stays.assign(rank=state.map(_ORDER)).sort_values(
        ["rank", "score", "stay_id"], ascending=[True, False, True]
    )
    columns = (*IDENTIFIERS, *WORKLIST_COLUMNS) if identifiers else WORKLIST_COLUMNS
    rows = (_line(place, row, identifiers) for place, row in enumerate(order.itertuples(index=False), start=1))
    return _csv(columns, rows)


def aggregates_csv(record: RunRecord, counted: Aggregates) -> Iterator[str]:
    """Yields the counts of a run, one figure per line; `table`, `name` in it and `measure` say what it counts."""
    about = (counted.run, counted.condition, counted.time, counted.mode, counted.model_version)
    return _csv(AGGREGATES_COLUMNS, ((*about, *figure) for figure in _figures(record, counted)))


def _line(place: int, row: Any, identifiers: bool) -> tuple[object, ...]:
    why = reason_in_words(str(row.why))
    line = (
        *(place, str(row.unit), str(row.outcome), str(row.band)),
        *(_number(row.score, 4), _number(row.hours, 1), str(row.before)),
        *(" | ".join(texts_of(row.reasons)), "; ".join(texts_of(row.missing))),
        *(why if identifiers else without_references(why), "yes" if row.written else "no"),
    )
    return (str(row.patient_id), str(row.stay_id), *line) if identifiers else line


def _figures(record: RunRecord, counted: Aggregates) -> Iterator[tuple[str, str, str, object]]:
    for stage in counted.stages:
        yield "stays", stage.name.lower(), "stays", stage.count
    for band, number in counted.bands:
        yield "bands", band, "stays", number
    for table, losses in (("excluded", counted.excluded), ("failed", counted.failed)):
        for loss in losses:
            yield table, loss.reason, "stays", loss.count
    for unit in counted.units:
        for measure in ("found", "scored", "high", "indeterminate", "excluded", "failed"):
            yield "units", unit.unit, measure, getattr(unit, measure)
    for name, share in known_shares(record.unknown, record.rows, record.condition).items():
        yield "inputs", name, "share_known", round(share, 4)
    yield "reasons", "not shown", "inputs", counted.left_out
    for line in counted.set_aside:
        yield "set_aside", line.variable, line.reason, line.count
    for row in counted.bedside.rows if counted.bedside else ():
        for measure in ("shown", "accepted", "reasoned", "dismissed"):
            number = getattr(row, measure)
            yield "bedside", row.group.lower(), measure, "" if number is None else number
    yield from _changes(counted)


def _changes(counted: Aggregates) -> Iterator[tuple[str, str, str, object]]:
    change = counted.change
    for point in change.points:
        yield "history", point.as_of.isoformat(), "found", point.found
        yield "history", point.as_of.isoformat(), "high", point.high
    if not change.compared_with:
        return
    for name, moved in (("in", change.came), ("out", change.went)):
        yield "change", name, "stays", moved.count
        yield "change", name, "high", moved.high
    for band, numbers in change.moves:
        for now, number in zip(change.states, numbers, strict=True):
            yield "moves", band, now, number


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yields the file line by line: that of a hospital is too long to be in memory as a whole."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\r\n")
    yield _BYTE_ORDER_MARK
    for row in chain([columns], ([_cell(value) for value in row] for row in rows)):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _cell(value: object) -> object:
    """Puts an apostrophe before a text that a spreadsheet would treat as a formula, as a person would.

    Invisible characters are written out first: a spreadsheet ignores them, and finds the formula behind them.
    """
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _number(value: float, places: int) -> object:
    return "" if pd.isna(value) else round(float(value), places)
