"""Writes what the stages of the stream keep between messages: rows of which the last one stays, many at a time."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, delete

from wardround.adapters.database.inserting import replace_in

Row = Mapping[str, Any]
"""The columns beside the primary key."""


class Place(NamedTuple):
    """Where a row is kept: its table, and the values of its primary key."""

    table: Table
    key: tuple[str, ...]


def write_kept(connection: Connection, kept: Mapping[Place, Row | None]) -> None:
    """Writes each row in place of the one that is there; None removes that one."""
    rows: defaultdict[Table, list[dict[str, Any]]] = defaultdict(list)
    gone: defaultdict[Table, list[dict[str, Any]]] = defaultdict(list)
    for (table, key), row in kept.items():
        names = [column.name for column in table.primary_key]
        if row is None:
            gone[table].append({f"of_{name}": value for name, value in zip(names, key, strict=True)})
        else:
            rows[table].append({**dict(zip(names, key, strict=True)), **row})
    for table, some in rows.items():
        columns = tuple(column.name for column in table.columns if not column.primary_key)
        connection.execute(replace_in(connection, table, columns), some)
    for table, some in gone.items():
        there = (column == bindparam(f"of_{column.name}") for column in table.primary_key)
        connection.execute(delete(table).where(*there), some)
