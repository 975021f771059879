"""Writing changed rows: new markets, new and changed states; and what touches current alone.

History is appended apart, when all changes of an answer are known (``history.append_changes``). All by COPY, straight
into the tables for what is new, through a temporary table for what changes. Runs inside the writer's transaction.
"""

from __future__ import annotations

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.copying import copy_rows
from odds_pipeline.database.states import ChangedRows
from odds_pipeline.odds.packs import CHANGES


def apply_changes(connection: psycopg.Connection, rows: ChangedRows, *, run_id: int) -> None:
    """Write a slice of a cycle, but for its history.

    Raises ``psycopg.errors.IntegrityError`` or ``DataError`` when the database refuses a row.
    """
    copy_rows(connection, "markets", rows.new_markets)
    copy_rows(connection, "current_odds", rows.new_states.with_columns(run_id=pl.lit(run_id)))
    _update_current(connection, rows.changed_states.with_columns(run_id=pl.lit(run_id)))
    _update_words(connection, rows.relabelled)


def mark_unavailable(connection: psycopg.Connection, gone: pl.DataFrame, *, run_id: int) -> pl.DataFrame:
    """Markets (market_id, captured_at) that are gone: in current, which keeps their odds. Returns their CHANGES.

    Their last sighting is their bookmaker event's last confirmation, unless they have one of their own.
    """
    if gone.is_empty():
        return pl.DataFrame(schema=dict(CHANGES))
    rows = connection.execute(
        """
        UPDATE current_odds AS current
        SET state = set_byte(current.state, 0, get_byte(current.state, 0) | 2),
            captured_at = gone.captured_at, unavailable_at = gone.captured_at, run_id = %s,
            last_seen_at = coalesce(current.last_seen_at, greatest(listing.last_confirmed_at, current.captured_at))
        FROM unnest(%s::int[], %s::timestamptz[]) AS gone (market_id, captured_at)
        JOIN markets AS market ON market.id = gone.market_id
        LEFT JOIN listing_state AS listing ON listing.event_bookmaker_id = market.event_bookmaker_id
        WHERE current.market_id = gone.market_id
        RETURNING market.event_bookmaker_id, current.market_id, current.captured_at, current.run_id, current.state
        """,
        [run_id, gone["market_id"].to_list(), gone["captured_at"].to_list()],
    ).fetchall()
    return pl.DataFrame(rows, schema=dict(CHANGES), orient="row")


def mark_sighted(connection: psycopg.Connection, market_ids: pl.Series) -> None:
    """Markets seen again after a refusal: their bookmaker event's confirmation counts for them again."""
    if not market_ids.is_empty():
        connection.execute(
            "UPDATE current_odds SET last_seen_at = NULL WHERE market_id = ANY(%s) AND last_seen_at IS NOT NULL",
            [market_ids.to_list()],
        )


def mark_refused(connection: psycopg.Connection, market_ids: pl.Series) -> None:
    """Markets refused in a complete answer: they keep their own last sighting from now on."""
    if not market_ids.is_empty():
        connection.execute(
            """
            UPDATE current_odds AS current
            SET last_seen_at = greatest(current.captured_at, listing.last_confirmed_at)
            FROM markets AS market
            LEFT JOIN listing_state AS listing ON listing.event_bookmaker_id = market.event_bookmaker_id
            WHERE current.market_id = market.id AND market.id = ANY(%s)
            """,
            [market_ids.to_list()],
        )


def _update_current(connection: psycopg.Connection, states: pl.DataFrame) -> None:
    if states.is_empty():
        return
    _copy_aside(connection, "changed_odds", states, like="current_odds")
    connection.execute(
        """
        UPDATE current_odds AS current
        SET fingerprint = changed.fingerprint, captured_at = changed.captured_at, run_id = changed.run_id,
            state = changed.state, unavailable_at = NULL, last_seen_at = NULL
        FROM changed_odds AS changed WHERE changed.market_id = current.market_id
        """
    )


def _update_words(connection: psycopg.Connection, markets: pl.DataFrame) -> None:
    if markets.is_empty():
        return
    _copy_aside(connection, "changed_markets", markets, like="markets")
    connection.execute(
        """
        UPDATE markets AS market
        SET label_id = changed.label_id, source_id = changed.source_id, outcome_set_id = changed.outcome_set_id,
            label_fingerprint = changed.label_fingerprint,
            handicap_home = changed.handicap_home, handicap_away = changed.handicap_away
        FROM changed_markets AS changed WHERE changed.id = market.id
        """
    )


def _copy_aside(connection: psycopg.Connection, table: str, rows: pl.DataFrame, *, like: str) -> None:
    """Make the rows the whole content of a temporary table, which stays as long as the session does."""
    names = {"table": sql.Identifier(table), "like": sql.Identifier(like)}
    make = sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {table} (LIKE {like}) ON COMMIT DELETE ROWS")
    connection.execute(make.format(**names))
    # Not TRUNCATE, which makes new files; at the end of a transaction the table is emptied anyway.
    connection.execute(sql.SQL("DELETE FROM {table}").format(**names))
    copy_rows(connection, table, rows)
