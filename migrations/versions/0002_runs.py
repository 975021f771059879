"""Runs of the cycle, their errors and their coverage."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scrape_runs",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("events_scraped", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("events_failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("dagster_run_id", sa.Text(), nullable=True),
        sa.Column("cycle_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("catalogue_version", sa.Text(), nullable=True),
        sa.Column("timings", postgresql.JSONB(), nullable=True),
        sa.Column("counts", postgresql.JSONB(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'completed', 'partial', 'failed')", name=op.f("ck_scrape_runs_status")
        ),
        sa.CheckConstraint(
            "trigger IN ('scheduled', 'manual', 'webhook', 'backfill')", name=op.f("ck_scrape_runs_trigger")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scrape_runs")),
    )
    op.create_index(op.f("ix_scrape_runs_dagster_run_id"), "scrape_runs", ["dagster_run_id"], unique=False)
    op.create_index(op.f("ix_scrape_runs_started_at"), "scrape_runs", ["started_at"], unique=False)
    op.create_index(op.f("ix_scrape_runs_status"), "scrape_runs", ["status"], unique=False)
    op.create_table(
        "scrape_coverage",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bookmaker_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("discovery_status", sa.Text(), nullable=True),
        sa.Column("discovery_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_answer_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_answer_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("complete", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_asked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("outcomes_stored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("outcomes_not_offered", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("outcomes_refused", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("guard_held", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["bookmaker_id"], ["bookmakers.id"], name=op.f("fk_scrape_coverage_bookmaker_id_bookmakers")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["scrape_runs.id"], name=op.f("fk_scrape_coverage_run_id_scrape_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "bookmaker_id", name=op.f("pk_scrape_coverage")),
    )
    op.create_index(op.f("ix_scrape_coverage_bookmaker_id"), "scrape_coverage", ["bookmaker_id"], unique=False)
    op.create_table(
        "scrape_errors",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scrape_run_id", sa.Integer(), nullable=False),
        sa.Column("bookmaker_id", sa.Integer(), nullable=True),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.Column("event_bookmaker_id", sa.Integer(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("occurrences", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["bookmaker_id"], ["bookmakers.id"], name=op.f("fk_scrape_errors_bookmaker_id_bookmakers")
        ),
        sa.ForeignKeyConstraint(
            ["event_bookmaker_id"],
            ["event_bookmakers.id"],
            name=op.f("fk_scrape_errors_event_bookmaker_id_event_bookmakers"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_scrape_errors_event_id_events"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["scrape_run_id"],
            ["scrape_runs.id"],
            name=op.f("fk_scrape_errors_scrape_run_id_scrape_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scrape_errors")),
    )
    op.create_index(op.f("ix_scrape_errors_bookmaker_id"), "scrape_errors", ["bookmaker_id"], unique=False)
    op.create_index(op.f("ix_scrape_errors_event_bookmaker_id"), "scrape_errors", ["event_bookmaker_id"], unique=False)
    op.create_index(op.f("ix_scrape_errors_event_id"), "scrape_errors", ["event_id"], unique=False)
    op.create_index(op.f("ix_scrape_errors_scrape_run_id"), "scrape_errors", ["scrape_run_id"], unique=False)


def downgrade() -> None:
    op.drop_table("scrape_errors")
    op.drop_table("scrape_coverage")
    op.drop_table("scrape_runs")
