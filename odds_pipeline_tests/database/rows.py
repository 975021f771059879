"""Rows that tests put into a migrated database: one event, listed by a bookmaker, with markets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def insert(connection: psycopg.Connection, table: str, returning: str = "id", **values: Any) -> int:
    """Insert one row and return its id."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        sql.Identifier(returning),
    )
    row = connection.execute(statement, list(values.values())).fetchone()
    assert row is not None
    return row[0]


def insert_event(connection: psycopg.Connection, sportradar_id: str | None = None) -> int:
    """An event in a tournament of its own."""
    tournament = connection.execute(
        """
        INSERT INTO tournaments (sport_id, name, country) SELECT id, 'Premier Division', 'Nigeria' FROM sports
        ON CONFLICT (sport_id, name, country) DO UPDATE SET name = excluded.name RETURNING id
        """
    ).fetchone()
    assert tournament is not None
    return insert(
        connection,
        "events",
        tournament_id=tournament[0],
        name="Lagos Rovers - Abuja City",
        home_team="Lagos Rovers",
        away_team="Abuja City",
        kickoff=NOON,
        sportradar_id=sportradar_id,
    )


def insert_listing(
    connection: psycopg.Connection, event_id: int, bookmaker: str, external_event_id: str, *, is_primary: bool = True
) -> int:
    """A bookmaker's listing of an event."""
    row = connection.execute(
        """
        INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id, home_team, away_team, tournament_id,
                                      is_primary)
        SELECT event.id, bookmaker.id, %s, event.home_team, event.away_team, event.tournament_id, %s
        FROM events AS event, bookmakers AS bookmaker WHERE event.id = %s AND bookmaker.slug = %s
        RETURNING id
        """,
        [external_event_id, is_primary, event_id, bookmaker],
    ).fetchone()
    assert row is not None
    return row[0]


def insert_market(
    connection: psycopg.Connection,
    listing_id: int,
    betpawa_market_id: str = "3743",
    *,
    line: Decimal | None = None,
    outcomes: Sequence[str] = ("1", "X", "2"),
) -> int:
    """A market of a listing, with the words it needs; an outcome's name is its key with ``Name`` before it."""
    type_id = insert(connection, "market_types", betpawa_market_id=betpawa_market_id)
    label_id = insert(
        connection, "market_labels", name=f"Market {betpawa_market_id}", market_groups='["popular"]', digest=type_id
    )
    source_id = insert(connection, "market_sources", source_market_id=f"source {betpawa_market_id}")
    keys = list(outcomes)
    set_id = insert(connection, "outcome_sets", digest=type_id, keys=keys, names=[f"Name {key}" for key in keys])
    return insert(
        connection,
        "markets",
        event_bookmaker_id=listing_id,
        market_type_id=type_id,
        label_id=label_id,
        source_id=source_id,
        outcome_set_id=set_id,
        label_fingerprint=0,
        line=line,
    )


def insert_current(connection: psycopg.Connection, market_id: int, **values: Any) -> None:
    """The current state of a market: one active outcome at 2.5 unless told otherwise."""
    row = {
        "fingerprint": 0,
        "captured_at": NOON,
        "market_id": market_id,
        "run_id": 1,
        "state": bytes.fromhex("0000fa"),
    }
    insert(connection, "current_odds", returning="market_id", **(row | values))
