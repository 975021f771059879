"""Rebuilding current from history by replay (I1): what history says last of each market becomes current again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.copying import copy_rows
from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import integers
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.odds.packed import unpack
from odds_pipeline.odds.replay import HISTORY_ROWS, fingerprint_of


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild found: ``markets`` with history, and how many of them current had differently or not at all."""

    markets: int
    repaired: int


def rebuild_current(database: Database, opening: pl.DataFrame | None = None) -> Rebuilt:
    """Replay history into current, under the writer's lock and in one transaction.

    ``opening`` (``HISTORY_ROWS``): the state at the beginning of a day from which on PostgreSQL holds all rows; before
    it, it may hold some. A market that neither knows keeps its current row. Rows that agree are not touched.
    """
    with database.connect() as connection, connection.transaction():
        take_writer_lock(connection)
        return _follow(
            connection,
            sql.SQL(
                """
                SELECT DISTINCT ON (market_id) market_id, captured_at, run_id, state
                FROM odds_history_changes ORDER BY market_id, captured_at DESC
                """
            ),
            opening,
        )


def follow_history(connection: psycopg.Connection, market_ids: Sequence[int]) -> Rebuilt:
    """Replay the history of these markets into current; the caller holds the writer's lock.

    A market without rows in PostgreSQL keeps its current row.
    """
    query = last_rows(sql.SQL("{}::int[]").format(integers(market_ids)), sql.SQL("true"))
    return _follow(connection, query, None)


def last_rows(market_ids: sql.Composable, condition: sql.Composable) -> sql.Composed:
    """The query of the last change of each of these markets (an array) whose pack meets the condition.

    Each is looked for from its bookmaker event's newest pack on.
    """
    query = sql.SQL(
        """
        SELECT market.id AS market_id, last.captured_at, last.run_id, last.state
        FROM unnest({}) AS wanted (id) JOIN markets AS market USING (id) CROSS JOIN LATERAL (
            SELECT history.captured_at, change.run_id, change.state
            FROM odds_history AS history CROSS JOIN LATERAL odds_changes(history.changes, history.run_id) AS change
            WHERE history.event_bookmaker_id = market.event_bookmaker_id AND {}
              AND position(int4send(market.id) IN history.changes) > 0 AND change.market_id = market.id
            ORDER BY history.captured_at DESC LIMIT 1
        ) AS last
        """
    )
    return query.format(market_ids, condition)


def _follow(connection: psycopg.Connection, last_rows: sql.Composable, opening: pl.DataFrame | None) -> Rebuilt:
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE replayed ON COMMIT DROP AS {}").format(last_rows))
    if opening is not None:
        _add_unchanged(connection, opening)
    count = connection.execute("SELECT count(*) FROM replayed").fetchone()
    assert count is not None
    differing = connection.execute(
        """
        SELECT replayed.market_id, replayed.captured_at, replayed.run_id, replayed.state, outcome_set.keys
        FROM replayed JOIN markets AS market ON market.id = replayed.market_id
        JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
        LEFT JOIN current_odds AS current ON current.market_id = replayed.market_id
        WHERE (current.captured_at, current.state) IS DISTINCT FROM (replayed.captured_at, replayed.state)
        """
    ).fetchall()
    connection.execute("DROP TABLE replayed")
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO current_odds (market_id, captured_at, run_id, state, fingerprint, unavailable_at)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (market_id) DO UPDATE
            SET captured_at = excluded.captured_at, run_id = excluded.run_id, state = excluded.state,
                fingerprint = excluded.fingerprint, unavailable_at = excluded.unavailable_at
            """,
            [
                (
                    market_id,
                    captured_at,
                    run_id,
                    state,
                    fingerprint_of(state, keys),
                    captured_at if unpack(state).is_unavailable else None,
                )
                for market_id, captured_at, run_id, state, keys in differing
            ],
        )
    return Rebuilt(markets=count[0], repaired=len(differing))


def _add_unchanged(connection: psycopg.Connection, opening: pl.DataFrame) -> None:
    """Take in the opening states of the markets that have not changed since: what is older is not the last row."""
    connection.execute("CREATE TEMPORARY TABLE opened (LIKE replayed) ON COMMIT DROP")
    copy_rows(connection, "opened", opening.select(*HISTORY_ROWS))
    connection.execute(
        """
        DELETE FROM replayed USING opened
        WHERE replayed.market_id = opened.market_id AND replayed.captured_at < opened.captured_at
        """
    )
    connection.execute(
        """
        INSERT INTO replayed
        SELECT opened.* FROM opened WHERE NOT EXISTS (SELECT FROM replayed WHERE replayed.market_id = opened.market_id)
        """
    )
