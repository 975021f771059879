"""Markets and their odds: the words (shared), the market, its current state, and the history of its states.

States are packed bytes; their layout is in docs/data-dictionary.md. People select from the views of ``views.py``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Interval,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from odds_pipeline.database.models.base import Base, BigInt, IntegerKey, Line


class MarketType(Base):
    """A bet type under its canonical id: betPawa's, or an own id for what betPawa lacks."""

    __tablename__ = "market_types"

    id: Mapped[IntegerKey]
    betpawa_market_id: Mapped[str] = mapped_column(unique=True)


class MarketLabel(Base):
    """The words of markets: name, kind of handicap, groups. ``digest`` is a 64-bit hash of them all."""

    __tablename__ = "market_labels"

    id: Mapped[IntegerKey]
    name: Mapped[str]
    handicap_type: Mapped[str | None]
    market_groups: Mapped[list[str]]
    digest: Mapped[BigInt] = mapped_column(unique=True)


class MarketSource(Base):
    """The bookmaker's own market id and specifier, shared by all events."""

    __tablename__ = "market_sources"
    __table_args__ = (UniqueConstraint("source_market_id", "source_specifier", postgresql_nulls_not_distinct=True),)

    id: Mapped[IntegerKey]
    source_market_id: Mapped[str | None]
    source_specifier: Mapped[str | None]


class OutcomeSet(Base):
    """The outcomes that a packed state counts through. A market's set only ever grows at its end."""

    __tablename__ = "outcome_sets"
    __table_args__ = (CheckConstraint("cardinality(keys) = cardinality(names)", name="keys_have_names"),)

    id: Mapped[IntegerKey]
    digest: Mapped[BigInt] = mapped_column(unique=True)
    keys: Mapped[list[str]] = mapped_column(ARRAY(Text, dimensions=1))
    names: Mapped[list[str]] = mapped_column(ARRAY(Text, dimensions=1))


class Market(Base):
    """One (bookmaker event, market type, line); no line is a value of its own, unequal to line 0 (B-26)."""

    __tablename__ = "markets"
    __table_args__ = (
        UniqueConstraint("event_bookmaker_id", "market_type_id", "line", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[IntegerKey]
    event_bookmaker_id: Mapped[int] = mapped_column(ForeignKey("event_bookmakers.id"))
    market_type_id: Mapped[int] = mapped_column(ForeignKey("market_types.id"), index=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("market_labels.id"), index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("market_sources.id"), index=True)
    outcome_set_id: Mapped[int] = mapped_column(ForeignKey("outcome_sets.id"), index=True)
    label_fingerprint: Mapped[BigInt]
    line: Mapped[Line | None]
    handicap_home: Mapped[Line | None]
    handicap_away: Mapped[Line | None]


class FormerMarket(Base):
    """A market whose history was rewritten under another id: rows that were archived before stand under ``former_id``.

    The market itself if a part of it was moved away. No foreign key on ``former_id``: that market may be gone.
    """

    __tablename__ = "former_markets"
    __table_args__ = (PrimaryKeyConstraint("market_id", "former_id"),)

    market_id: Mapped[int] = mapped_column(ForeignKey("markets.id", ondelete="CASCADE"), autoincrement=False)
    former_id: Mapped[int] = mapped_column(autoincrement=False)


class FormerPlace(Base):
    """A place that a market had before ``remap``, under which archived observations of it stand.

    ``until``: where two markets were joined, the other one began, and what was observed here later does not count.
    """

    __tablename__ = "former_places"
    __table_args__ = (UniqueConstraint("market_id", "betpawa_market_id", "line", postgresql_nulls_not_distinct=True),)

    until: Mapped[datetime | None]
    id: Mapped[IntegerKey]
    market_id: Mapped[int] = mapped_column(ForeignKey("markets.id", ondelete="CASCADE"))
    betpawa_market_id: Mapped[str]
    line: Mapped[Line | None]


class CurrentOdds(Base):
    """The last known state of each market. ``captured_at`` is its last change."""

    __tablename__ = "current_odds"
    __table_args__ = ({"postgresql_with": {"fillfactor": 90}},)

    fingerprint: Mapped[BigInt]
    captured_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    unavailable_at: Mapped[datetime | None]
    market_id: Mapped[int] = mapped_column(ForeignKey("markets.id"), primary_key=True, autoincrement=False)
    run_id: Mapped[int]
    state: Mapped[bytes] = mapped_column(LargeBinary)


class OddsHistory(Base):
    """Every answer that changed something, append-only, one partition per UTC day (``odds_history_YYYYMMDD``).

    ``changes`` packs the states of the markets that it changed (``odds/packs.py``). No foreign keys and no default
    partition: both would forbid detaching a day without stopping the writer.
    """

    __tablename__ = "odds_history"
    __table_args__ = (
        PrimaryKeyConstraint("event_bookmaker_id", "captured_at"),
        Index(None, "captured_at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
        {"postgresql_partition_by": "RANGE (captured_at)"},
    )

    captured_at: Mapped[datetime]
    event_bookmaker_id: Mapped[int] = mapped_column(autoincrement=False)
    run_id: Mapped[int]
    changes: Mapped[bytes] = mapped_column(LargeBinary)


class PipelineSettings(Base):
    """The one row of settings that the views need; written at the start of every run."""

    __tablename__ = "pipeline_settings"
    __table_args__ = (CheckConstraint("id", name="one_row"),)

    id: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    stale_failures: Mapped[int] = mapped_column(server_default=text("3"))
    stale_after: Mapped[timedelta] = mapped_column(Interval, server_default=text("'15 minutes'"))
    clock_offset: Mapped[timedelta] = mapped_column(Interval, server_default=text("'0'"))
    catalogue_version: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    archive_owner: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
