"""Checks, in SQL, that times are written in MIMIC's format, and finds the first one that is not.

A lenient cast would turn `3/9/26 03:00` into a time in the year 3, and a filter by time would then silently drop the
row.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from wardround.sources.mimic.sql import literal

DAYS: Final = frozenset({"dod", "chartdate"})
"""Columns that may contain a day without a time."""
TIMES: Final = DAYS | {
    "admittime", "charttime", "deathtime", "dischtime", "endtime", "intime", "outtime", "starttime", "storetime",
    "transfertime",
}  # fmt: skip
"""All columns of times that are read."""

_NO_TIME: Final = "not a time in MIMIC's format"
# Separates the parts of the error: the message, the column, the file, and the FROM item in which to find the row.
_BETWEEN: Final = "\x1f"
_SHOWN: Final = 30
# MIMIC's shifted dates reach 2210.
_FIRST, _LAST = "1900", "2300"


def checked(rows: str, columns: Sequence[str], file: Path) -> str:
    """Returns a FROM item: `rows` of `file`, or an error at a time in `columns` that is not in MIMIC's format.

    Only the rows and columns that a query uses are checked.
    """
    times = [column for column in columns if column in TIMES]
    replaced = (
        f"CASE WHEN {column} IS NULL OR ({_good(column)}) THEN {column}"
        f" ELSE error({literal(_BETWEEN.join((_NO_TIME, column, str(file), rows)))}) END AS {column}"
        for column in times
    )
    return f"(SELECT * REPLACE ({', '.join(replaced)}) FROM {rows})" if times else rows


def error_message(error: duckdb.Error) -> str | None:
    """Returns a message for an error of `checked`, with the row and the form of its text; None for other errors."""
    _, *found = str(error).split(_BETWEEN)
    if len(found) != 3:
        return None
    column, file, rows = found
    expected = "YYYY-MM-DD" + ("" if column in DAYS else " HH:MM:SS")
    return (
        f"{file}, column {column}{_place(rows, column)}: {_NO_TIME}, expected {expected};"
        " use MIMIC-IV's own file, or convert the column to this format"
    )


def _place(rows: str, column: str) -> str:
    sql = (
        f"SELECT number, {column} FROM (SELECT row_number() OVER () AS number, {column} FROM {rows})"
        f" WHERE {column} IS NOT NULL AND NOT coalesce({_good(column)}, false) LIMIT 1"
    )
    with duckdb.connect() as database:
        found = database.execute(sql).fetchone()
    return f", row {found[0]} ({_shape(found[1])})" if found else ""


def _shape(text: str) -> str:
    """Returns the text with 0 for each digit and a for each letter, which shows its form but not its content."""
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "0", text))[:_SHOWN]


def _good(column: str) -> str:
    fraction = rf"(strlen({column}) > 19 AND regexp_full_match({column}, '.{{19}}\.[0-9]+'))"
    time = f"({column} LIKE '____-__-__ __:__:__' OR {fraction})"
    form = f"({column} LIKE '____-__-__' OR {time})" if column in DAYS else time
    return f"{form} AND {column} BETWEEN '{_FIRST}' AND '{_LAST}' AND try_cast({column} AS TIMESTAMP) IS NOT NULL"
