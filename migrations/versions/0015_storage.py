"""Samples of every part of the storage, alerts that end and say who resolved them, and how many of those went."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TYPES = "'growth', 'size_limit', 'disk_filling', 'missing_partition', 'retention_not_run'"


def upgrade() -> None:
    op.add_column(
        "cleanup_runs",
        sa.Column("storage_alerts_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    for name, kind in (
        ("odds_bytes", sa.BigInteger()),
        ("dagster_bytes", sa.BigInteger()),
        ("archive_bytes", sa.BigInteger()),
        ("wal_bytes", sa.BigInteger()),
        ("wal_since", sa.DateTime(timezone=True)),
    ):
        op.add_column("storage_samples", sa.Column(name, kind, nullable=True))
    op.add_column(
        "storage_alerts", sa.Column("subject", sa.Text(), server_default=sa.text("'everything'"), nullable=False)
    )
    op.add_column("storage_alerts", sa.Column("resolved_by", sa.Text(), nullable=True))
    op.add_column("storage_alerts", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    # Rows that are there were taken over from an earlier system: nothing would ever find their conditions gone.
    op.execute(
        """
        UPDATE storage_alerts SET
            resolved_by = CASE WHEN resolved_at IS NULL THEN 'itself' END,
            resolved_at = coalesce(resolved_at, now()), ended_at = coalesce(resolved_at, now())
        """
    )
    op.create_check_constraint(
        op.f("ck_storage_alerts_alert_type"), "storage_alerts", f"ended_at IS NOT NULL OR alert_type IN ({_TYPES})"
    )
    op.create_check_constraint(
        op.f("ck_storage_alerts_resolved_by"), "storage_alerts", "resolved_by IN ('itself', 'hand')"
    )
    op.create_check_constraint(
        op.f("ck_storage_alerts_resolved"),
        "storage_alerts",
        "resolved_at IS NOT NULL OR (resolved_by IS NULL AND ended_at IS NULL)",
    )
    op.create_index(
        op.f("uq_storage_alerts_alert_type_subject"),
        "storage_alerts",
        ["alert_type", "subject"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(op.f("uq_storage_alerts_alert_type_subject"), "storage_alerts")
    for name in ("resolved", "resolved_by", "alert_type"):
        op.drop_constraint(op.f(f"ck_storage_alerts_{name}"), "storage_alerts")
    for name in ("ended_at", "resolved_by", "subject"):
        op.drop_column("storage_alerts", name)
    for name in ("wal_since", "wal_bytes", "archive_bytes", "dagster_bytes", "odds_bytes"):
        op.drop_column("storage_samples", name)
    op.drop_column("cleanup_runs", "storage_alerts_deleted")
