"""What sensors and checks ask the database: when the last cycle ran, what is near, what is stale or doubled.

Reads only; each question is one statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from odds_pipeline.database.engine import Database


@dataclass(frozen=True, slots=True)
class LastCycle:
    """The newest cycle that was started; refreshes of one event and replays are none."""

    run_id: int
    started_at: datetime
    length: timedelta
    """How long it took to its commit, or has taken so far; zero for one that failed, as its end only says when it was
    found dead."""
    is_open: bool


@dataclass(frozen=True, slots=True)
class Staleness:
    """Primary listings that are offered, and how many of them have stale odds."""

    offered: int
    stale: int
    oldest_answer_at: datetime | None
    """The oldest newest answer of all listings that are offered."""


def last_cycle(database: Database, *, now: datetime) -> LastCycle | None:
    """The newest started cycle, None before the first."""
    with database.connect() as connection:
        row = connection.execute(
            """
            SELECT id, started_at,
                   CASE WHEN completed_at IS NULL THEN %s - started_at
                        WHEN counts IS NULL THEN interval '0'
                        ELSE completed_at - started_at END,
                   completed_at IS NULL
            FROM scrape_runs WHERE started_at IS NOT NULL AND trigger IN ('scheduled', 'manual')
            ORDER BY started_at DESC LIMIT 1
            """,
            [now],
        ).fetchone()
    return LastCycle(*row) if row else None


def last_commit(database: Database) -> datetime | None:
    """When the newest cycle that wrote was closed, None before the first."""
    with database.connect() as connection:
        row = connection.execute(
            """
            SELECT completed_at FROM scrape_runs
            WHERE started_at IS NOT NULL AND counts IS NOT NULL AND trigger IN ('scheduled', 'manual')
            ORDER BY started_at DESC LIMIT 1
            """
        ).fetchone()
    return row[0] if row else None


def reportable(database: Database, start: datetime, end: datetime) -> tuple[bool, bool]:
    """Whether PostgreSQL has changes from ``start`` up to but without ``end``, and whether a match kicks off then."""
    with database.connect() as connection:
        row = connection.execute(
            """
            SELECT EXISTS (SELECT FROM odds_history WHERE captured_at >= %(start)s AND captured_at < %(end)s),
                   EXISTS (SELECT FROM events WHERE kickoff >= %(start)s AND kickoff < %(end)s)
            """,
            {"start": start, "end": end},
        ).fetchone()
    assert row is not None
    return row


def next_kickoff(database: Database, *, now: datetime) -> datetime | None:
    """The nearest kick-off that lies ahead."""
    with database.connect() as connection:
        row = connection.execute("SELECT min(kickoff) FROM events WHERE kickoff >= %s", [now]).fetchone()
    return row[0] if row else None


def runs_of(database: Database, dagster_run_id: str) -> list[int]:
    """The scrape runs that a Dagster run opened."""
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT id FROM scrape_runs WHERE dagster_run_id = %s ORDER BY id", [dagster_run_id]
        ).fetchall()
    return [run_id for (run_id,) in rows]


def dagster_runs_alive(database: Database, *, since: datetime) -> set[str]:
    """Dagster runs whose scrape run is open, or was committed at or after ``since``."""
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT dagster_run_id FROM scrape_runs
            WHERE dagster_run_id IS NOT NULL
              AND (status IN ('pending', 'running') OR (counts IS NOT NULL AND completed_at >= %s))
            """,
            [since],
        ).fetchall()
    return {dagster_run_id for (dagster_run_id,) in rows}


def outcomes_before(database: Database, *, run_id: int) -> dict[str, int]:
    """Outcomes stored per bookmaker (slug) by the last cycle before ``run_id`` that covered its offer wholly."""
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT DISTINCT ON (bookmaker.slug) bookmaker.slug, coverage.outcomes_stored
            FROM scrape_coverage AS coverage
            JOIN bookmakers AS bookmaker ON bookmaker.id = coverage.bookmaker_id
            WHERE coverage.run_id < %s AND coverage.discovery_status = 'complete' AND coverage.failed = 0
            ORDER BY bookmaker.slug, coverage.run_id DESC
            """,
            [run_id],
        ).fetchall()
    return dict(rows)


def staleness(database: Database) -> Staleness:
    """How fresh the odds on offer are, by bookmaker event (``is_stale`` of market_odds_current)."""
    with database.connect() as connection:
        row = connection.execute(
            """
            SELECT count(*),
                   count(*) FILTER (
                       WHERE state.failed_answers >= settings.stale_failures
                          OR state.last_answer_at < now() + settings.clock_offset - settings.stale_after
                   ),
                   min(state.last_answer_at)
            FROM listing_state AS state
            JOIN event_bookmakers AS listing ON listing.id = state.event_bookmaker_id AND listing.is_primary
            CROSS JOIN pipeline_settings AS settings
            WHERE state.unlisted_at IS NULL AND state.last_answer_at IS NOT NULL
            """
        ).fetchone()
    assert row is not None
    return Staleness(*row)


def secondary_listings(database: Database) -> pl.DataFrame:
    """Listings that a bookmaker has beside its primary one of the same match: stored, left out of the views."""
    return database.read_frame(
        """
        SELECT bookmaker.slug AS bookmaker, event.name AS event, listing.external_event_id
        FROM event_bookmakers AS listing
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        JOIN events AS event ON event.id = listing.event_id
        LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        WHERE NOT listing.is_primary AND state.unlisted_at IS NULL
        ORDER BY bookmaker, event, external_event_id
        """
    )


def relation_columns(database: Database, relation: str) -> list[str]:
    """Names of the columns that a table or view has, in order; empty if there is no such relation."""
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT attname FROM pg_attribute
            WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
            """,
            [relation],
        ).fetchall()
    return [name for (name,) in rows]


def double_markets(database: Database) -> int:
    """How many (event, bookmaker, market, line) the current odds show more than once."""
    with database.connect() as connection:
        row = connection.execute(
            """
            SELECT count(*) FROM (
                SELECT FROM markets AS market
                JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id AND listing.is_primary
                GROUP BY listing.event_id, listing.bookmaker_id, market.market_type_id, market.line
                HAVING count(*) > 1
            ) AS twice
            """
        ).fetchone()
    assert row is not None
    return row[0]
