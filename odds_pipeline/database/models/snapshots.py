"""The first generation's snapshot tables, kept as the source of an import (R6); the pipeline writes none of them.

Shapes follow the earlier system with four corrections: times carry their zone, prices and lines are exact, keys of
tables that grew by millions are 64-bit, and ``odds_snapshots`` really is partitioned (by month) instead of having a
default partition only. What guards ``market_odds.snapshot_id`` is in docs/data-dictionary.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, PrimaryKeyConstraint, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from odds_pipeline.database.models.base import Base, BigKey, CreatedAt, IntegerKey, Line


class OddsSnapshot(Base):
    """All betPawa markets of one event, stored whenever one of them moved."""

    __tablename__ = "odds_snapshots"
    __table_args__ = (
        PrimaryKeyConstraint("id", "captured_at"),
        Index("ix_odds_snapshots_event_id_captured_at", "event_id", text("captured_at DESC")),
        Index(None, "captured_at", postgresql_using="brin"),
        {"postgresql_partition_by": "RANGE (captured_at)"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity())
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), index=True)
    bookmaker_id: Mapped[int] = mapped_column(ForeignKey("bookmakers.id"), index=True)
    captured_at: Mapped[datetime] = mapped_column(server_default=func.now())
    scrape_run_id: Mapped[int | None] = mapped_column(ForeignKey("scrape_runs.id", ondelete="SET NULL"), index=True)
    last_confirmed_at: Mapped[datetime | None]
    raw_response: Mapped[dict[str, Any] | None]


class _SnapshotMarket:
    """The columns that a market of a snapshot has at betPawa and at the competitors."""

    betpawa_market_id: Mapped[str] = mapped_column(index=True)
    betpawa_market_name: Mapped[str]
    line: Mapped[Line | None]
    handicap_type: Mapped[str | None]
    handicap_home: Mapped[Line | None]
    handicap_away: Mapped[Line | None]
    outcomes: Mapped[list[dict[str, Any]]]
    market_groups: Mapped[list[str] | None]
    unavailable_at: Mapped[datetime | None]


class MarketOdds(_SnapshotMarket, Base):
    """One market of a betPawa snapshot."""

    __tablename__ = "market_odds"

    id: Mapped[BigKey]
    snapshot_id: Mapped[int] = mapped_column(BigInteger, index=True)


class CompetitorTournament(Base):
    """A competitor's own tournament."""

    __tablename__ = "competitor_tournaments"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: Mapped[IntegerKey]
    source: Mapped[str]
    sport_id: Mapped[int] = mapped_column(ForeignKey("sports.id"), index=True)
    name: Mapped[str]
    country_raw: Mapped[str | None]
    country_iso: Mapped[str | None]
    external_id: Mapped[str]
    sportradar_id: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]


class CompetitorEvent(Base):
    """A competitor's own event; ``betpawa_event_id`` may be null for a match that betPawa does have."""

    __tablename__ = "competitor_events"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: Mapped[IntegerKey]
    source: Mapped[str] = mapped_column(index=True)
    tournament_id: Mapped[int] = mapped_column(ForeignKey("competitor_tournaments.id"), index=True)
    betpawa_event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id", ondelete="SET NULL"), index=True)
    name: Mapped[str]
    home_team: Mapped[str]
    away_team: Mapped[str]
    kickoff: Mapped[datetime] = mapped_column(index=True)
    external_id: Mapped[str]
    sportradar_id: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    deleted_at: Mapped[datetime | None]


class CompetitorOddsSnapshot(Base):
    """All markets of one competitor event, stored whenever one of them moved."""

    __tablename__ = "competitor_odds_snapshots"

    id: Mapped[BigKey]
    competitor_event_id: Mapped[int] = mapped_column(
        ForeignKey("competitor_events.id", name="fk_competitor_odds_snapshots_competitor_event_id"), index=True
    )
    captured_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    scrape_run_id: Mapped[int | None] = mapped_column(ForeignKey("scrape_runs.id", ondelete="SET NULL"), index=True)
    last_confirmed_at: Mapped[datetime | None]
    raw_response: Mapped[dict[str, Any] | None]


class CompetitorMarketOdds(_SnapshotMarket, Base):
    """One market of a competitor's snapshot."""

    __tablename__ = "competitor_market_odds"

    id: Mapped[BigKey]
    snapshot_id: Mapped[int] = mapped_column(ForeignKey("competitor_odds_snapshots.id"), index=True)
