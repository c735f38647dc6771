"""Inserts that say what to do about a row that is there already; SQLite and PostgreSQL have the same words for it."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert_into(connection: Connection, table: Table) -> Any:
    """Returns an insert with `on_conflict_do_nothing` and `on_conflict_do_update`, for the connection's database."""
    if connection.dialect.name == "postgresql":
        # It takes as long to import as all else of SQLAlchemy.
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)
