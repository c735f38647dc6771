"""Inserts that say what to do about a row that is there already; SQLite and PostgreSQL have the same words for it."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert_into(connection: Connection, table: Table) -> Any:
    """Returns an insert with `on_conflict_do_nothing` and `on_conflict_do_update`, for the connection's database."""
    return _insert(connection.dialect.name, table)


def insert_new(connection: Connection, table: Table) -> Any:
    """Returns an insert that leaves a row alone that is there already."""
    return _inserting_new(connection.dialect.name, table)


def replace_in(connection: Connection, table: Table, columns: tuple[str, ...]) -> Any:
    """Returns an insert that replaces these columns if a row with its primary key is there already."""
    return _replacing(connection.dialect.name, table, columns)


# Made once: making such a statement takes as long as a transaction.
@lru_cache(maxsize=64)
def _inserting_new(dialect: str, table: Table) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing()


@lru_cache(maxsize=64)
def _replacing(dialect: str, table: Table, columns: tuple[str, ...]) -> Any:
    insert = _insert(dialect, table)
    replaced = {name: insert.excluded[name] for name in columns}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=replaced)


@lru_cache(maxsize=64)
def _insert(dialect: str, table: Table) -> Any:
    if dialect == "postgresql":
        # It takes as long to import as all else of SQLAlchemy.
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)
