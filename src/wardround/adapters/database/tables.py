"""The tables of Wardround's database, as the newest migration leaves them."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Column, DateTime, Double, ForeignKey, Index, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

SCHEMA: Final = "0003"
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

# What the bedside door showed and heard (docs/decisions/0053-what-the-bedside-door-keeps.md). No patient's id, name or
# value is in it, except where a clinician wrote one into a comment.
BEDSIDE_CARD: Final = Table(
    "bedside_card",
    METADATA,
    Column("uuid", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("as_of", Moment, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("hook", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("patient_key", Text, nullable=False),
    Column("inputs_digest", Text, nullable=False),
    Column("band", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Index("bedside_card_by_time", "at"),
)

# `card` refers to no row: there is feedback on cards that are not known.
BEDSIDE_FEEDBACK: Final = Table(
    "bedside_feedback",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("card", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason_system", Text, nullable=False),
    Column("reason_code", Text, nullable=False),
    Column("suggestions", Text, nullable=False),  # a JSON array of their ids
    Column("at", Moment, nullable=False),  # according to the EHR
    Column("arrived", Moment, nullable=False),
    Index("bedside_feedback_by_card", "card"),
    Index("bedside_feedback_by_time", "arrived"),
)

# Free text of clinicians, apart from all else: nothing of Wardround reads it.
BEDSIDE_COMMENT: Final = Table(
    "bedside_comment",
    METADATA,
    Column("feedback", Text, ForeignKey("bedside_feedback.id", ondelete="CASCADE"), primary_key=True),
    Column("comment", Text, nullable=False),
)

# What people were last told of a stay (decision 35). While a first message is being decided, the rest is null.
NOTIFICATION: Final = Table(
    "notification",
    METADATA,
    Column("stay", Text, primary_key=True),  # a keyed hash
    Column("condition", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("at", Moment),
    Column("as_of", Moment),
    Column("band", Text),
    Column("card", Text),
    Index("notification_by_time", "at"),
    sqlite_with_rowid=False,
)
