"""The tables of Wardround's database, as the newest migration leaves them."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

SCHEMA: Final = "0006"
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

# Which run folders were removed: screenings and trainings, also those that are in no history. A cleared DAG run opens
# its run again, which may then be removed again.
REMOVED_RUN: Final = Table(
    "removed_run",
    METADATA,
    Column("run", Text, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("why", Text, nullable=False),  # the rule; it names no patient
)

# A row is its key.
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

# SQLite numbers rows by itself only in a column of exactly this type.
NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")
_OPEN: Final = text("outcome is null")
_ENDED: Final = text("ended is not null")
_DEAD: Final = text("outcome = 'dead'")
_IS_OPEN: Final = text("is_open")

# The stored queues of the stream (docs/decisions/0055-a-queue-in-the-database.md): an account of each message, for
# ever, without anything of a patient. While `outcome` is null the message is open.
STREAM_MESSAGE: Final = Table(
    "stream_message",
    METADATA,
    Column("seq", NUMBER, primary_key=True),
    Column("run", Text, nullable=False),  # "" for what is live, else a replay
    Column("stage", Text, nullable=False),
    Column("key", Text, nullable=False),  # a keyed hash
    Column("source", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("origin", NUMBER),
    Column("dedup", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("received", Moment, nullable=False),
    Column("as_of", Moment),
    Column("due", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lost", Integer, nullable=False),  # how often whoever took it did not finish it
    Column("waits", Integer, nullable=False),  # how often it was put off for what is not there yet
    Column("taken_until", Moment),
    Column("began", Moment),  # the last time that it was taken
    Column("ended", Moment),
    Column("outcome", Text),
    Column("reason", Text, nullable=False),  # a rule and a place
    Index("stream_message_once", "run", "stage", "dedup", unique=True),
    Index("stream_message_open", "run", "stage", "seq", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("stream_message_open_by_key", "run", "stage", "key", "seq", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("stream_message_by_end", "run", "stage", "ended", sqlite_where=_ENDED, postgresql_where=_ENDED),
    Index("stream_message_dead", "run", "seq", sqlite_where=_DEAD, postgresql_where=_DEAD),
    Index("stream_message_by_origin", "origin"),
    Index("stream_message_by_source", "source", "received"),
    sqlite_autoincrement=True,
)

# The data of patients, apart from the account: retention removes rows here.
STREAM_BODY: Final = Table(
    "stream_body",
    METADATA,
    Column("seq", NUMBER, ForeignKey("stream_message.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

# What people did about dead letters.
STREAM_CORRECTION: Final = Table(
    "stream_correction",
    METADATA,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),  # of the dead letter
    Column("at", Moment, primary_key=True),
    Column("action", Text, nullable=False),  # retry or replace
    Column("successor", NUMBER),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
)

# A stage or a source that takes nothing for now.
STREAM_PAUSE: Final = Table(
    "stream_pause",
    METADATA,
    Column("kind", Text, primary_key=True),  # stage or source
    Column("name", Text, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
)

STREAM_ALARM: Final = Table(
    "stream_alarm",
    METADATA,
    Column("name", Text, primary_key=True),  # for example oldest:query
    Column("since", Moment),
    Column("pushed", Moment),
    Column("acknowledged", Moment),
    Column("suspended_until", Moment),
    Column("who", Text, nullable=False),
)

# A visit as the messages of its source left it (docs/decisions/0057-flagged-by-state.md): together, the census.
STREAM_VISIT: Final = Table(
    "stream_visit",
    METADATA,
    Column("run", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # a keyed hash
    Column("source", Text, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("changed", Moment, nullable=False),  # when the last message that changed it was received
    Column("body", LargeBinary, nullable=False),  # the data of a patient
    Index("stream_visit_open", "run", "source", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    Index("stream_visit_by_change", "changed"),
)

# A number that was merged into another one.
STREAM_ALIAS: Final = Table(
    "stream_alias",
    METADATA,
    Column("run", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # a keyed hash
    Column("source", Text, nullable=False),
    Column("changed", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the data of a patient
    Index("stream_alias_by_source", "run", "source"),
)
