"""What retention deleted, samples of the database's size, alerts about its growth."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cleanup_runs",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("odds_retention_days", sa.Integer(), nullable=False),
        sa.Column("match_retention_days", sa.Integer(), nullable=False),
        sa.Column("history_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("odds_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("competitor_odds_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("scrape_runs_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("scrape_errors_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("scrape_batches_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("events_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("competitor_events_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tournaments_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("competitor_tournaments_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("storage_samples_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("oldest_odds_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("oldest_match_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), server_default="running", nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("duration_seconds", sa.Double(), nullable=True),
        sa.CheckConstraint("status IN ('running', 'completed', 'failed')", name=op.f("ck_cleanup_runs_status")),
        sa.CheckConstraint("trigger IN ('scheduled', 'manual')", name=op.f("ck_cleanup_runs_trigger")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cleanup_runs")),
    )
    op.create_index(op.f("ix_cleanup_runs_started_at"), "cleanup_runs", ["started_at"], unique=False)
    op.create_table(
        "storage_alerts",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("alert_type", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("current_bytes", sa.BigInteger(), nullable=False),
        sa.Column("previous_bytes", sa.BigInteger(), nullable=True),
        sa.Column("growth_percent", sa.Double(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_alerts")),
    )
    op.create_table(
        "storage_samples",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
        sa.Column("table_sizes", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_samples")),
    )
    op.create_index(op.f("ix_storage_samples_sampled_at"), "storage_samples", ["sampled_at"], unique=False)


def downgrade() -> None:
    op.drop_table("storage_samples")
    op.drop_table("storage_alerts")
    op.drop_table("cleanup_runs")
