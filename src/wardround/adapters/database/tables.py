"""The tables of Wardround's database, as the newest migration leaves them."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Column, DateTime, Double, ForeignKey, Index, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

SCHEMA: Final = "0002"
"""The last migration of this release."""

VERSION_TABLE: Final = "wardround_schema"
"""The table that holds the database's migration. Its name is not Alembic's: Airflow may share the database."""


class Moment(TypeDecorator[datetime]):
    """A time in UTC, with its time zone in Python; SQLite stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Returns the value to store: UTC, without a time zone for SQLite."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, _dialect: Any) -> datetime | None:
        """Returns the stored time, with its time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA: Final = MetaData()

HISTORY_RUN: Final = Table(
    "history_run",
    METADATA,
    Column("run", Text, primary_key=True),
    Column("condition", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("as_of", Moment, nullable=False),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Index("history_run_by_time", "condition", "as_of"),
)

# A row is its key and one number: without a rowid, SQLite stores it only once.
HISTORY_FIGURE: Final = Table(
    "history_figure",
    METADATA,
    Column("run", Text, ForeignKey("history_run.run", ondelete="CASCADE"), primary_key=True),
    Column("unit", Text, primary_key=True),  # "" for the whole run
    Column("measure", Text, primary_key=True),
    Column("value", Double, nullable=False),
    sqlite_with_rowid=False,
)

# The same.
USED_TOKENS: Final = Table(
    "used_tokens",
    METADATA,
    Column("issuer", Text, primary_key=True),
    Column("jti", Text, primary_key=True),
    Column("expires", Moment, nullable=False),
    Index("used_tokens_by_expiry", "expires"),
    sqlite_with_rowid=False,
)
