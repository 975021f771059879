"""Writing changed rows: new markets, new and changed states, history; and what touches current alone.

All of it by binary COPY, straight into the tables for what is new, through a temporary table for what changes. Runs
inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.database.states import ChangedRows, MarketRow, StateRow

_MARKETS = {
    "id": "int4",
    "event_bookmaker_id": "int4",
    "market_type_id": "int4",
    "label_id": "int4",
    "source_id": "int4",
    "outcome_set_id": "int4",
    "label_fingerprint": "int8",
    "line": "numeric",
    "handicap_home": "numeric",
    "handicap_away": "numeric",
}
_CURRENT = {
    "fingerprint": "int8",
    "captured_at": "timestamptz",
    "unavailable_at": "timestamptz",
    "last_seen_at": "timestamptz",
    "market_id": "int4",
    "run_id": "int4",
    "state": "bytea",
}
_HISTORY = {"captured_at": "timestamptz", "market_id": "int4", "run_id": "int4", "state": "bytea"}


def apply_changes(
    connection: psycopg.Connection, rows: ChangedRows, *, run_id: int, last_seen: dict[int, datetime | None]
) -> None:
    """Write the rows. ``last_seen``: by listing, when its markets were last confirmed (for those now unavailable).

    Raises ``psycopg.errors.IntegrityError`` or ``DataError`` when the database refuses a row.
    """
    states = [*rows.new_states, *rows.changed_states]
    if not states and not rows.relabelled:
        return
    for day in sorted({state.captured_at.date() for state in states}):
        ensure_partitions(connection, day, day)
    _copy(connection, "markets", _MARKETS, rows.new_markets)
    _copy(connection, "current_odds", _CURRENT, (_current_row(state, run_id, last_seen) for state in rows.new_states))
    _update_current(connection, [_current_row(state, run_id, last_seen) for state in rows.changed_states])
    _copy(
        connection,
        "odds_history",
        _HISTORY,
        ((state.captured_at, state.market_id, run_id, state.state) for state in states),
    )
    _update_words(connection, rows.relabelled)


def mark_sighted(connection: psycopg.Connection, market_ids: Sequence[int]) -> None:
    """Markets seen again after a refusal: their bookmaker event's confirmation counts for them again."""
    if market_ids:
        connection.execute(
            "UPDATE current_odds SET last_seen_at = NULL WHERE market_id = ANY(%s) AND last_seen_at IS NOT NULL",
            [list(market_ids)],
        )


def mark_refused(connection: psycopg.Connection, seen: Iterable[tuple[int, datetime | None]]) -> None:
    """Markets refused in a complete answer: they keep their own last sighting from now on."""
    rows = list(seen)
    if rows:
        connection.execute(
            """
            UPDATE current_odds AS current SET last_seen_at = greatest(current.captured_at, seen.last_seen_at)
            FROM unnest(%s::int[], %s::timestamptz[]) AS seen (market_id, last_seen_at)
            WHERE current.market_id = seen.market_id
            """,
            [[row[0] for row in rows], [row[1] for row in rows]],
        )


def _current_row(state: StateRow, run_id: int, last_seen: dict[int, datetime | None]) -> tuple[Any, ...]:
    gone_at = state.captured_at if state.is_unavailable else None
    seen_at = last_seen.get(state.listing_id) if state.is_unavailable else None
    return (state.fingerprint, state.captured_at, gone_at, seen_at, state.market_id, run_id, state.state)


def _update_current(connection: psycopg.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """``last_seen_at`` of a market that goes is its bookmaker event's last confirmation, unless it has its own."""
    if not rows:
        return
    connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS changed_odds (LIKE current_odds) ON COMMIT DELETE ROWS")
    _copy(connection, "changed_odds", _CURRENT, rows)
    connection.execute(
        """
        UPDATE current_odds AS current
        SET fingerprint = changed.fingerprint, captured_at = changed.captured_at, run_id = changed.run_id,
            state = changed.state, unavailable_at = changed.unavailable_at,
            last_seen_at = CASE WHEN changed.unavailable_at IS NOT NULL
                                THEN coalesce(current.last_seen_at,
                                              greatest(changed.last_seen_at, current.captured_at)) END
        FROM changed_odds AS changed WHERE changed.market_id = current.market_id
        """
    )
    connection.execute("TRUNCATE changed_odds")


def _update_words(connection: psycopg.Connection, rows: Sequence[MarketRow]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE markets SET label_id = %s, source_id = %s, outcome_set_id = %s, label_fingerprint = %s,
                               handicap_home = %s, handicap_away = %s
            WHERE id = %s
            """,
            [
                (
                    row.label_id,
                    row.source_id,
                    row.outcome_set_id,
                    row.label_fingerprint,
                    row.handicap_home,
                    row.handicap_away,
                    row.market_id,
                )
                for row in rows
            ],
        )


def _copy(
    connection: psycopg.Connection,
    table: LiteralString,
    columns: dict[str, str],
    rows: Iterable[Sequence[Any]],
) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)
