"""What readers are shown, in short: the public views as plain rows that examples can spell out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from odds_pipeline.database.engine import Database

MarketId = tuple[str, str, str, Decimal | None]
"""Bookmaker, its event, market, line."""
Shown = dict[str, str]
"""Outcome key to its price, in brackets while it is suspended; ``(-)`` if it never had one."""


@dataclass(frozen=True)
class CurrentRow:
    """One row of ``market_odds_current``."""

    outcomes: Shown
    unavailable_at: datetime | None
    last_updated_at: datetime
    last_confirmed_at: datetime
    is_stale: bool
    name: str
    groups: list[str]


@dataclass(frozen=True)
class HistoryRow:
    """One row of ``market_odds_history``."""

    captured_at: datetime
    outcomes: Shown
    unavailable_at: datetime | None
    run_id: int


def current(database: Database) -> dict[MarketId, CurrentRow]:
    """``market_odds_current``, by market."""
    rows = query(
        database,
        """
        SELECT bookmaker_slug, external_event_id, betpawa_market_id, line, outcomes, unavailable_at, last_updated_at,
               last_confirmed_at, is_stale, betpawa_market_name, market_groups
        FROM market_odds_current
        """,
    )
    return {row[:4]: CurrentRow(shown(row[4]), *row[5:]) for row in rows}


def history(database: Database, market: MarketId) -> list[HistoryRow]:
    """``market_odds_history`` of one market, oldest first."""
    rows = query(
        database,
        """
        SELECT captured_at, outcomes, unavailable_at, run_id FROM market_odds_history
        WHERE (bookmaker_slug, external_event_id, betpawa_market_id) = (%s, %s, %s) AND line IS NOT DISTINCT FROM %s
        ORDER BY captured_at
        """,
        market,
    )
    return [HistoryRow(row[0], shown(row[1]), *row[2:]) for row in rows]


def history_count(database: Database) -> int:
    """How many changes history has."""
    return query(database, "SELECT count(*) FROM odds_history_changes")[0][0]


def errors(database: Database, run_id: int | None = None) -> list[tuple[Any, ...]]:
    """(bookmaker, its event, type, occurrences) of every error, or of one run's."""
    return query(
        database,
        """
        SELECT bookmaker.slug, listing.external_event_id, error.error_type, error.occurrences
        FROM scrape_errors AS error
        LEFT JOIN bookmakers AS bookmaker ON bookmaker.id = error.bookmaker_id
        LEFT JOIN event_bookmakers AS listing ON listing.id = error.event_bookmaker_id
        WHERE %(run)s::int IS NULL OR error.scrape_run_id = %(run)s ORDER BY error.id
        """,
        {"run": run_id},
    )


def last_run(database: Database) -> tuple[Any, ...]:
    """(id, status, events scraped, events failed, counts) of the newest run."""
    return query(
        database,
        "SELECT id, status, events_scraped, events_failed, counts FROM scrape_runs ORDER BY id DESC LIMIT 1",
    )[0]


def query(database: Database, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of one query."""
    with database.connect() as connection:
        return connection.execute(statement.encode(), parameters).fetchall()


def shown(outcomes: list[dict[str, Any]]) -> Shown:
    """The ``outcomes`` of the views in short."""
    short: Shown = {}
    for outcome in outcomes:
        odds = "-" if outcome["odds"] is None else str(outcome["odds"])
        short[outcome["key"]] = odds if outcome["is_active"] else f"({odds})"
    return short
