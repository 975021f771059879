"""What questions need: the kick-offs that were known before, refreshes asked for, and coverage by time."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_kickoffs",
        sa.Column("event_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("known_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kickoff", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_event_kickoffs_event_id_events"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", "known_since", name=op.f("pk_event_kickoffs")),
    )
    # What was known before is lost; the present kick-off is what has been known since the event was first seen.
    op.execute("INSERT INTO event_kickoffs (event_id, known_since, kickoff) SELECT id, created_at, kickoff FROM events")
    op.create_table(
        "refresh_requests",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("launched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scrape_run_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_refresh_requests_event_id_events"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scrape_run_id"],
            ["scrape_runs.id"],
            name=op.f("fk_refresh_requests_scrape_run_id_scrape_runs"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refresh_requests")),
    )
    for column in ("event_id", "scrape_run_id"):
        op.create_index(op.f(f"ix_refresh_requests_{column}"), "refresh_requests", [column])
    op.drop_index(op.f("ix_scrape_coverage_bookmaker_id"), "scrape_coverage")
    op.create_index(
        op.f("ix_scrape_coverage_bookmaker_id_last_answer_at"), "scrape_coverage", ["bookmaker_id", "last_answer_at"]
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_scrape_coverage_bookmaker_id_last_answer_at"), "scrape_coverage")
    op.create_index(op.f("ix_scrape_coverage_bookmaker_id"), "scrape_coverage", ["bookmaker_id"])
    op.drop_table("refresh_requests")
    op.drop_table("event_kickoffs")
