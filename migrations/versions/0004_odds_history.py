"""The history of odds, partitioned by UTC day; the days are made by odds_pipeline.database.partitions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "odds_history",
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("market_id", "captured_at", name=op.f("pk_odds_history")),
        postgresql_partition_by="RANGE (captured_at)",
    )
    op.create_index(
        op.f("ix_odds_history_captured_at"),
        "odds_history",
        ["captured_at"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )


def downgrade() -> None:
    op.drop_table("odds_history")
