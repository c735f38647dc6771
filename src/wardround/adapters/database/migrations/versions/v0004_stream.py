"""Creates the tables of the stream: queues, dead letters' corrections, pauses, alarms, visits and aliases."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def _partial(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "stream_message", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    op.create_table(
        "stream_message",
        sa.Column("seq", _NUMBER, primary_key=True),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("origin", _NUMBER),
        sa.Column("dedup", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("received", _MOMENT, nullable=False),
        sa.Column("as_of", _MOMENT),
        sa.Column("due", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lost", sa.Integer, nullable=False),
        sa.Column("taken_until", _MOMENT),
        sa.Column("began", _MOMENT),
        sa.Column("ended", _MOMENT),
        sa.Column("outcome", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("stream_message_once", "stream_message", ["run", "stage", "dedup"], unique=True)
    _partial("stream_message_open", ["run", "stage", "seq"], "outcome is null")
    _partial("stream_message_open_by_key", ["run", "stage", "key", "seq"], "outcome is null")
    _partial("stream_message_by_end", ["run", "stage", "ended"], "ended is not null")
    _partial("stream_message_dead", ["run", "seq"], "outcome = 'dead'")
    op.create_index("stream_message_by_origin", "stream_message", ["origin"])
    op.create_index("stream_message_by_source", "stream_message", ["source", "received"])
    op.create_table(
        "stream_body",
        sa.Column(
            "seq",
            _NUMBER,
            sa.ForeignKey("stream_message.seq", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "stream_correction",
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("at", _MOMENT, primary_key=True),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("successor", _NUMBER),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_table(
        "stream_pause",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_table(
        "stream_alarm",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("since", _MOMENT),
        sa.Column("pushed", _MOMENT),
        sa.Column("acknowledged", _MOMENT),
        sa.Column("suspended_until", _MOMENT),
        sa.Column("who", sa.Text, nullable=False),
    )
    _create_visits()


def _create_visits() -> None:
    op.create_table(
        "stream_visit",
        sa.Column("run", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("changed", _MOMENT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    is_open = sa.text("is_open")
    columns = ["run", "source"]
    op.create_index("stream_visit_open", "stream_visit", columns, sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("stream_visit_by_change", "stream_visit", ["changed"])
    op.create_table(
        "stream_alias",
        sa.Column("run", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("changed", _MOMENT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("stream_alias_by_source", "stream_alias", ["run", "source"])
