"""What else ends with retention: finished events, their empty tournaments, runs, errors, storage samples and alerts.

What goes is said once for each table, as the query of its ids; preview counts them, cleanup deletes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.days import earlier_system
from odds_pipeline.days.bounds import Bounds, as_held, midnight

_AT_ONCE = 500
"""Rows (events with all that hangs on them) deleted in one transaction: cycles wait for no longer than that takes."""

# A run's rows of history carry its id, and an earlier system's snapshots theirs.
_RUNS = sql.SQL("""
    SELECT run.id FROM scrape_runs AS run
    WHERE run.status NOT IN ('pending', 'running')
      AND coalesce(run.completed_at, run.started_at, run.created_at) < %(runs)s
      AND NOT EXISTS (SELECT FROM odds_snapshots AS snapshot WHERE snapshot.scrape_run_id = run.id)
      AND NOT EXISTS (SELECT FROM competitor_odds_snapshots AS snapshot WHERE snapshot.scrape_run_id = run.id)
""")


def finished_events(heard_of: sql.Composable) -> sql.Composed:
    """The query of events whose time to go has come, but for those of which ``heard_of`` finds anything in kept days.

    ``heard_of`` selects from what hangs on ``event``; a snapshot of an earlier system keeps its event too.
    """
    return sql.SQL("""
    SELECT event.id FROM events AS event
    WHERE coalesce(
        event.kickoff,
        (
            SELECT max(state.last_answer_at) FROM event_bookmakers AS listing
            JOIN listing_state AS state ON state.event_bookmaker_id = listing.id WHERE listing.event_id = event.id
        ),
        event.created_at
    ) < %(matches)s
      AND NOT EXISTS ({heard_of})
      AND NOT EXISTS (SELECT FROM odds_snapshots AS snapshot WHERE snapshot.event_id = event.id)
      AND NOT EXISTS (SELECT FROM competitor_events AS rival WHERE rival.betpawa_event_id = event.id)
    """).format(heard_of=heard_of)


# Current is the last row of history (I1): an event none of whose markets changed since has no row that is kept. Nor was
# anything heard of it that an archived observation of a kept day could tell.
_EVENTS = finished_events(
    sql.SQL("""
        SELECT FROM event_bookmakers AS listing
        LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        LEFT JOIN markets AS market ON market.event_bookmaker_id = listing.id
        LEFT JOIN current_odds AS current ON current.market_id = market.id
        WHERE listing.event_id = event.id
          AND (current.captured_at >= %(first_kept)s OR state.last_answer_at >= %(first_kept)s)
    """)
)

_TOURNAMENTS = sql.SQL("""
    WITH finished AS MATERIALIZED ({events})
    SELECT tournament.id FROM tournaments AS tournament
    WHERE NOT EXISTS (
        SELECT FROM events AS event
        WHERE event.tournament_id = tournament.id AND event.id NOT IN (SELECT id FROM finished)
    ) AND NOT EXISTS (
        SELECT FROM event_bookmakers AS listing
        WHERE listing.tournament_id = tournament.id AND listing.event_id NOT IN (SELECT id FROM finished)
    )
""").format(events=_EVENTS)

#: By table, in the order in which they go: the query of the ids that go.
GOING: Mapping[str, sql.Composable] = {
    "scrape_errors": sql.SQL(
        "SELECT error.id FROM scrape_errors AS error "
        "WHERE error.occurred_at < %(errors)s OR error.scrape_run_id IN ({runs})"
    ).format(runs=_RUNS),
    "scrape_runs": _RUNS,
    "events": _EVENTS,
    "tournaments": _TOURNAMENTS,
    "storage_samples": sql.SQL("SELECT sample.id FROM storage_samples AS sample WHERE sample.sampled_at < %(samples)s"),
    "storage_alerts": sql.SQL("SELECT alert.id FROM storage_alerts AS alert WHERE alert.ended_at < %(samples)s"),
}

DELETED = (*GOING, *earlier_system.GOING)
"""Every table of which rows may be deleted."""

#: What hangs on rows of a table and goes before them, noted where it is asked for later.
_HANGING: Mapping[str, tuple[LiteralString, ...]] = {
    "events": (
        # The archive does not tell which listings are primary: noted here, or their rows would come back from there. A
        # market that a remap joined with another is archived under the id it had.
        """
        INSERT INTO secondary_listings (bookmaker_id, external_event_id, last_market_id)
        SELECT listing.bookmaker_id, listing.external_event_id, greatest(max(market.id), max(former.former_id))
        FROM event_bookmakers AS listing
        JOIN markets AS market ON market.event_bookmaker_id = listing.id
        LEFT JOIN former_markets AS former ON former.market_id = market.id
        WHERE listing.event_id = ANY (%(ids)s) AND NOT listing.is_primary
        GROUP BY listing.id
        ON CONFLICT (bookmaker_id, external_event_id) DO UPDATE SET last_market_id = excluded.last_market_id
        """,
        """
        DELETE FROM current_odds USING markets, event_bookmakers AS listing
        WHERE current_odds.market_id = markets.id AND markets.event_bookmaker_id = listing.id
          AND listing.event_id = ANY (%(ids)s)
        """,
        """
        DELETE FROM markets USING event_bookmakers AS listing
        WHERE markets.event_bookmaker_id = listing.id AND listing.event_id = ANY (%(ids)s)
        """,
        "DELETE FROM event_bookmakers WHERE event_id = ANY (%(ids)s)",
    ),
    "odds_snapshots": ("DELETE FROM market_odds WHERE snapshot_id = ANY (%(ids)s)",),
    "competitor_odds_snapshots": ("DELETE FROM competitor_market_odds WHERE snapshot_id = ANY (%(ids)s)",),
}


def going(connection: psycopg.Connection, bounds: Bounds) -> dict[str, int]:
    """How many rows of each table would go."""
    counted = dict.fromkeys(DELETED, 0)
    for table, query in _going(connection).items():
        count = sql.SQL("SELECT count(*) FROM ({}) AS going").format(query)
        row = connection.execute(count, _parameters(bounds)).fetchone()
        assert row is not None
        counted[table] = row[0]
    return counted


def clean_up(database: Database, bounds: Bounds) -> dict[str, int]:
    """Delete what is older than ``bounds`` and than what PostgreSQL still holds; how many rows of each table went.

    In small transactions, each under the writer's lock: what a cycle has just written is looked at again.
    """
    deleted = dict.fromkeys(DELETED, 0)
    with database.connect() as connection:
        with connection.transaction():
            queries = _going(connection)
        for table, query in queries.items():
            while count := _delete_some(connection, table, query, bounds):
                deleted[table] += count
    return deleted


def _going(connection: psycopg.Connection) -> Mapping[str, sql.Composable]:
    if earlier_system.is_imported(connection):
        return {**GOING, **earlier_system.GOING}
    return GOING


def _delete_some(connection: psycopg.Connection, table: str, query: sql.Composable, bounds: Bounds) -> int:
    with connection.transaction():
        take_writer_lock(connection)
        some = sql.SQL("{} LIMIT {}").format(query, _AT_ONCE)
        found = [row[0] for row in connection.execute(some, _parameters(as_held(connection, bounds)))]
        if found:
            for statement in _HANGING.get(table, ()):
                connection.execute(statement, {"ids": found})
            delete = sql.SQL("DELETE FROM {} WHERE id = ANY (%(ids)s)").format(sql.Identifier(table))
            connection.execute(delete, {"ids": found})
        return len(found)


def _parameters(bounds: Bounds) -> dict[str, Any]:
    return asdict(bounds) | {"first_kept": midnight(bounds.first_kept)}
