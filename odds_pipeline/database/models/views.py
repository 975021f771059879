"""The relations that people select from: current odds and their history, as views over the compact tables.

Read only. The required columns come first, in the order of the requirements; their SQL is in the migrations, their
meaning in docs/data-dictionary.md. Both show primary listings only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from odds_pipeline.database.models.base import Line, ViewBase


class MarketOddsCurrent(ViewBase):
    """The last known state of each (event, bookmaker, market, line); ``line`` null is a value of its own."""

    __tablename__ = "market_odds_current"

    event_id: Mapped[int] = mapped_column(primary_key=True)
    bookmaker_slug: Mapped[str] = mapped_column(primary_key=True)
    betpawa_market_id: Mapped[str] = mapped_column(primary_key=True)
    betpawa_market_name: Mapped[str]
    line: Mapped[Line | None] = mapped_column(primary_key=True)
    handicap_type: Mapped[str | None]
    handicap_home: Mapped[Line | None]
    handicap_away: Mapped[Line | None]
    outcomes: Mapped[list[dict[str, Any]]]
    market_groups: Mapped[list[str]]
    unavailable_at: Mapped[datetime | None]
    last_updated_at: Mapped[datetime]
    last_confirmed_at: Mapped[datetime]
    is_stale: Mapped[bool]
    external_event_id: Mapped[str]
    source_market_id: Mapped[str | None]
    source_specifier: Mapped[str | None]
    market_id: Mapped[int]
    event_bookmaker_id: Mapped[int]


class MarketOddsHistory(ViewBase):
    """Every change of each (event, bookmaker, market, line), in the state it left the market in."""

    __tablename__ = "market_odds_history"

    event_id: Mapped[int]
    bookmaker_slug: Mapped[str]
    betpawa_market_id: Mapped[str]
    line: Mapped[Line | None]
    outcomes: Mapped[list[dict[str, Any]]]
    unavailable_at: Mapped[datetime | None]
    captured_at: Mapped[datetime] = mapped_column(primary_key=True)
    run_id: Mapped[int]
    betpawa_market_name: Mapped[str]
    market_id: Mapped[int] = mapped_column(primary_key=True)
    external_event_id: Mapped[str]
    is_trusted: Mapped[bool]


class OddsHistoryChanges(ViewBase):
    """Every change of every market as it is stored, one row each: what the packs of ``odds_history`` hold."""

    __tablename__ = "odds_history_changes"

    event_bookmaker_id: Mapped[int]
    market_id: Mapped[int] = mapped_column(primary_key=True)
    captured_at: Mapped[datetime] = mapped_column(primary_key=True)
    run_id: Mapped[int]
    state: Mapped[bytes]
