"""How MIMIC writes its times: a column in, SQL that lets nothing else through, and where the first fault stands, out.

A lenient cast makes year 3 of `3/9/26 03:00`, and whatever is cut by time then loses the row without a word.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from wardround.sources.mimic.sql import literal

DAYS: Final = frozenset({"dod", "chartdate"})
"""Columns that may hold a day without a time."""
TIMES: Final = DAYS | {
    "admittime", "charttime", "deathtime", "dischtime", "endtime", "intime", "outtime", "starttime", "storetime",
    "transfertime",
}  # fmt: skip
"""Every column of times that is read."""

_NO_TIME: Final = "not a time as MIMIC writes it"
# What the error says beside the fault: the column, the file, and the FROM item in which to look for the row.
_BETWEEN: Final = "\x1f"
_SHOWN: Final = 30
# MIMIC's shifted dates reach 2210.
_FIRST, _LAST = "1900", "2300"


def checked(rows: str, columns: Sequence[str], file: Path) -> str:
    """A FROM item: `rows` of `file`, or an error at a time in `columns` that is not as MIMIC writes it.

    Only the rows and columns that a query uses are looked at.
    """
    times = [column for column in columns if column in TIMES]
    replaced = (
        f"CASE WHEN {column} IS NULL OR ({_good(column)}) THEN {column}"
        f" ELSE error({literal(_BETWEEN.join((_NO_TIME, column, str(file), rows)))}) END AS {column}"
        for column in times
    )
    return f"(SELECT * REPLACE ({', '.join(replaced)}) FROM {rows})" if times else rows


def complaint(error: duckdb.Error) -> str | None:
    """What `checked` found, with the row and how it is written there; None for any other error."""
    _, *found = str(error).split(_BETWEEN)
    if len(found) != 3:
        return None
    column, file, rows = found
    expected = "YYYY-MM-DD" + ("" if column in DAYS else " HH:MM:SS")
    return (
        f"{file}, column {column}{_place(rows, column)}: {_NO_TIME}, expected {expected};"
        " use MIMIC-IV's own file, or write the column anew in this format"
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
    """The text with 0 for each digit and a for each letter: how it is written, and not what."""
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "0", text))[:_SHOWN]


def _good(column: str) -> str:
    fraction = rf"(strlen({column}) > 19 AND regexp_full_match({column}, '.{{19}}\.[0-9]+'))"
    time = f"({column} LIKE '____-__-__ __:__:__' OR {fraction})"
    form = f"({column} LIKE '____-__-__' OR {time})" if column in DAYS else time
    return f"{form} AND {column} BETWEEN '{_FIRST}' AND '{_LAST}' AND try_cast({column} AS TIMESTAMP) IS NOT NULL"
