"""Counts how often a message of the stream waited for what is not there yet, apart from its attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("stream_message", sa.Column("waits", sa.Integer, nullable=False, server_default="0"))
