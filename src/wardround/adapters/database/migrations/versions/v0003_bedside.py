"""Creates what the bedside door keeps: cards, the feedback on them, comments apart, and what people were last told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "bedside_card",
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("hook", sa.Text, nullable=False),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("patient_key", sa.Text, nullable=False),
        sa.Column("inputs_digest", sa.Text, nullable=False),
        sa.Column("band", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
    )
    op.create_index("bedside_card_by_time", "bedside_card", ["at"])
    op.create_table(
        "bedside_feedback",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("card", sa.Text, nullable=False),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason_system", sa.Text, nullable=False),
        sa.Column("reason_code", sa.Text, nullable=False),
        sa.Column("suggestions", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrived", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("bedside_feedback_by_card", "bedside_feedback", ["card"])
    op.create_index("bedside_feedback_by_time", "bedside_feedback", ["arrived"])
    op.create_table(
        "bedside_comment",
        sa.Column("feedback", sa.Text, sa.ForeignKey("bedside_feedback.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("comment", sa.Text, nullable=False),
    )
    op.create_table(
        "notification",
        sa.Column("stay", sa.Text, primary_key=True),
        sa.Column("condition", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("as_of", sa.DateTime(timezone=True)),
        sa.Column("band", sa.Text),
        sa.Column("card", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index("notification_by_time", "notification", ["at"])
