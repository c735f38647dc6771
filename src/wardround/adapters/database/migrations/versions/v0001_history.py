"""Creates the history: aggregates per run, unit and measure."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "history_run",
        sa.Column("run", sa.Text, primary_key=True),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
    )
    op.create_index("history_run_by_time", "history_run", ["condition", "as_of"])
    op.create_table(
        "history_figure",
        sa.Column("run", sa.Text, sa.ForeignKey("history_run.run", ondelete="CASCADE"), primary_key=True),
        sa.Column("unit", sa.Text, primary_key=True),
        sa.Column("measure", sa.Text, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
