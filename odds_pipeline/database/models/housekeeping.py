"""Which archive files count, what retention deleted, how large the database was, the alerts about its growth."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from odds_pipeline.database.models.base import Base, BigInt, CreatedAt, IntegerKey


class ArchiveFile(Base):
    """A file of the archive that counts; files without a row are orphans. ``run_id`` has no foreign key: the history
    of a run outlives its row.
    """

    __tablename__ = "archive_files"
    __table_args__ = (
        CheckConstraint("kind IN ('observations', 'coverage', 'state', 'history')", name="kind"),
        CheckConstraint("first_day <= last_day", name="days"),
        Index("ix_archive_files_kind_last_day", "kind", "last_day"),
    )

    id: Mapped[IntegerKey]
    kind: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    first_day: Mapped[date]
    last_day: Mapped[date]
    run_id: Mapped[int | None] = mapped_column(index=True)
    rows: Mapped[BigInt]
    bytes: Mapped[BigInt]
    sha256: Mapped[str]
    stale_from: Mapped[date | None]
    created_at: Mapped[CreatedAt]


class CleanupRun(Base):
    """One run of retention: its policy in days, rows deleted per table, oldest dates left, and how it ended."""

    __tablename__ = "cleanup_runs"
    __table_args__ = (
        CheckConstraint("status IN ('running', 'completed', 'failed')", name="status"),
        CheckConstraint("trigger IN ('scheduled', 'manual')", name="trigger"),
    )

    id: Mapped[IntegerKey]
    started_at: Mapped[datetime] = mapped_column(index=True)
    completed_at: Mapped[datetime | None]
    trigger: Mapped[str]
    odds_retention_days: Mapped[int]
    match_retention_days: Mapped[int]
    history_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    odds_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    competitor_odds_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    scrape_runs_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    scrape_errors_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    scrape_batches_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    events_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    competitor_events_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    tournaments_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    competitor_tournaments_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    storage_samples_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    storage_alerts_deleted: Mapped[BigInt] = mapped_column(server_default=text("0"))
    oldest_odds_date: Mapped[datetime | None]
    oldest_match_date: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default="running")
    error_message: Mapped[str | None]
    duration_seconds: Mapped[float | None]


class StorageSample(Base):
    """Bytes at one moment, in all, by database and archive, and by table (``table_sizes``: ``odds.events`` to bytes).

    A part that was not measured is null: then ``total_bytes`` is without it.
    """

    __tablename__ = "storage_samples"

    id: Mapped[IntegerKey]
    sampled_at: Mapped[datetime] = mapped_column(index=True)
    total_bytes: Mapped[BigInt]
    table_sizes: Mapped[dict[str, Any]]
    odds_bytes: Mapped[BigInt | None]
    dagster_bytes: Mapped[BigInt | None]
    archive_bytes: Mapped[BigInt | None]
    wal_bytes: Mapped[BigInt | None]
    wal_since: Mapped[datetime | None]


class StorageAlert(Base):
    """A warning about storage; open while ``resolved_at`` is null, in force while ``ended_at`` is.

    One condition has at most one alert that has not ended. Rows taken over from an earlier system have ended.
    """

    __tablename__ = "storage_alerts"
    __table_args__ = (
        CheckConstraint(
            "ended_at IS NOT NULL OR alert_type IN "
            "('growth', 'size_limit', 'disk_filling', 'missing_partition', 'retention_not_run')",
            name="alert_type",
        ),
        CheckConstraint("resolved_by IN ('itself', 'hand')", name="resolved_by"),
        CheckConstraint("resolved_at IS NOT NULL OR (resolved_by IS NULL AND ended_at IS NULL)", name="resolved"),
        Index(
            "uq_storage_alerts_alert_type_subject",
            "alert_type",
            "subject",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[IntegerKey]
    created_at: Mapped[CreatedAt]
    alert_type: Mapped[str]
    message: Mapped[str]
    current_bytes: Mapped[BigInt]
    previous_bytes: Mapped[BigInt | None]
    growth_percent: Mapped[float | None]
    resolved_at: Mapped[datetime | None]
    subject: Mapped[str] = mapped_column(server_default="everything")
    resolved_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]
