"""Runs of the cycle: what each did, what failed in it, and how far it covered each bookmaker's offer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from odds_pipeline.database.models.base import Base, BigInt, BigKey, CreatedAt, IntegerKey


class ScrapeStatus(StrEnum):
    """State of a run. ``PARTIAL``: at least one bookmaker failed or was incomplete; ``FAILED``: none succeeded."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"


class RunTrigger(StrEnum):
    """What started a run."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    WEBHOOK = "webhook"
    BACKFILL = "backfill"


def _one_of(column: str, values: type[StrEnum]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


class ScrapeRun(Base):
    """One cycle. ``counts`` is the writer's record; ``timings`` holds seconds per stage and bookmaker."""

    __tablename__ = "scrape_runs"
    __table_args__ = (
        CheckConstraint(_one_of("status", ScrapeStatus), name="status"),
        CheckConstraint(_one_of("trigger", RunTrigger), name="trigger"),
    )

    id: Mapped[IntegerKey]
    status: Mapped[str] = mapped_column(server_default=ScrapeStatus.PENDING.value, index=True)
    trigger: Mapped[str]
    started_at: Mapped[datetime | None] = mapped_column(index=True)
    completed_at: Mapped[datetime | None]
    events_scraped: Mapped[int] = mapped_column(server_default=text("0"))
    events_failed: Mapped[int] = mapped_column(server_default=text("0"))
    dagster_run_id: Mapped[str | None] = mapped_column(index=True)
    cycle_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    catalogue_version: Mapped[str | None]
    timings: Mapped[dict[str, Any] | None]
    counts: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    created_at: Mapped[CreatedAt]


class ScrapeError(Base):
    """Failures of a run of one kind; no bookmaker: of the run as a whole; no event: of a whole bookmaker."""

    __tablename__ = "scrape_errors"

    id: Mapped[BigKey]
    scrape_run_id: Mapped[int] = mapped_column(ForeignKey("scrape_runs.id", ondelete="CASCADE"), index=True)
    bookmaker_id: Mapped[int | None] = mapped_column(ForeignKey("bookmakers.id"), index=True)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"), index=True)
    event_bookmaker_id: Mapped[int | None] = mapped_column(
        ForeignKey("event_bookmakers.id", ondelete="SET NULL"), index=True
    )
    error_type: Mapped[str]
    message: Mapped[str]
    occurrences: Mapped[int] = mapped_column(server_default=text("1"))
    occurred_at: Mapped[datetime]


class RefreshRequest(Base):
    """A refresh of one event that was asked for from outside, until a sensor has launched it and after."""

    __tablename__ = "refresh_requests"

    id: Mapped[IntegerKey]
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), index=True)
    requested_at: Mapped[datetime]
    launched_at: Mapped[datetime | None]
    scrape_run_id: Mapped[int | None] = mapped_column(ForeignKey("scrape_runs.id", ondelete="SET NULL"), index=True)


class ScrapeCoverage(Base):
    """How far one run covered one bookmaker's offer; kept for the whole window of the history."""

    __tablename__ = "scrape_coverage"
    __table_args__ = (Index(None, "bookmaker_id", "last_answer_at"),)

    run_id: Mapped[int] = mapped_column(
        ForeignKey("scrape_runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    bookmaker_id: Mapped[int] = mapped_column(ForeignKey("bookmakers.id"), primary_key=True, autoincrement=False)
    discovery_status: Mapped[str | None]
    discovery_at: Mapped[datetime | None]
    first_answer_at: Mapped[datetime | None]
    last_answer_at: Mapped[datetime | None]
    asked: Mapped[int] = mapped_column(server_default=text("0"))
    complete: Mapped[int] = mapped_column(server_default=text("0"))
    started: Mapped[int] = mapped_column(server_default=text("0"))
    failed: Mapped[int] = mapped_column(server_default=text("0"))
    not_asked: Mapped[int] = mapped_column(server_default=text("0"))
    outcomes_stored: Mapped[BigInt] = mapped_column(server_default=text("0"))
    outcomes_not_offered: Mapped[BigInt] = mapped_column(server_default=text("0"))
    outcomes_refused: Mapped[BigInt] = mapped_column(server_default=text("0"))
    guard_held: Mapped[bool] = mapped_column(server_default=text("false"))
