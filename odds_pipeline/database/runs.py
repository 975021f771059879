"""The life of a run: pending, running, closed by the writer, or failed by whoever finds it dead.

The run's rows *pending* and *running* are short transactions of their own, so that a cycle that dies leaves a trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl
import psycopg
from psycopg.types.json import Jsonb

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import end_cycle_without_run, end_sessions_of, sign_transaction
from odds_pipeline.database.record import RunGivenUp, recorded
from odds_pipeline.settings import Settings

Trigger = Literal["scheduled", "manual", "webhook", "backfill"]


def open_run(database: Database, *, trigger: Trigger, now: datetime, dagster_run_id: str | None = None) -> int:
    """Create a pending run and return its id."""
    with database.borrow() as connection:
        row = connection.execute(
            """
            INSERT INTO scrape_runs (status, trigger, dagster_run_id, created_at)
            VALUES ('pending', %s, %s, %s) RETURNING id
            """,
            [trigger, dagster_run_id, now],
        ).fetchone()
    assert row is not None
    return row[0]


def start_run(database: Database, run_id: int, *, now: datetime, settings: Settings) -> None:
    """Mark a run as running, and tell the views the settings in force and how far ``now`` is from the server's clock.

    A difference of less than a minute is none: clocks of two machines, and the time that a statement takes.
    """
    with database.borrow() as connection:
        sign_transaction(connection, run_id)
        connection.execute(
            """
            UPDATE scrape_runs
            SET status = 'running', started_at = %(now)s, heartbeat_at = %(now)s, cycle_at = %(now)s,
                catalogue_version = (SELECT catalogue_version FROM pipeline_settings)
            WHERE id = %(run_id)s AND status = 'pending'
            """,
            {"now": now, "run_id": run_id},
        )
        connection.execute(
            """
            UPDATE pipeline_settings
            SET stale_failures = %(failures)s, stale_after = %(after)s, clock_offset = clock.ahead, updated_at = %(now)s
            FROM (
                SELECT CASE WHEN ahead BETWEEN '-1 minute' AND '1 minute' THEN interval '0' ELSE ahead END AS ahead
                FROM (SELECT %(now)s - now() AS ahead) AS measured
            ) AS clock
            WHERE (stale_failures, stale_after, clock_offset) IS DISTINCT FROM (%(failures)s, %(after)s, clock.ahead)
            """,
            {
                "failures": settings.stale_failures,
                "after": settings.stale_intervals * settings.cycle_interval,
                "now": now,
            },
        )


def beat(database: Database, run_id: int, *, now: datetime, timings: dict[str, Any] | None = None) -> None:
    """Say that the run is alive, and keep what is known of its timings (seconds by stage and bookmaker)."""
    with database.borrow() as connection:
        sign_transaction(connection, run_id)
        connection.execute(
            """
            UPDATE scrape_runs SET heartbeat_at = %s, timings = coalesce(timings, '{}'::jsonb) || %s
            WHERE id = %s AND status IN ('pending', 'running')
            """,
            [now, Jsonb(timings or {}), run_id],
        )


def fail_run(database: Database, run_id: int, *, error_type: str, message: str, now: datetime) -> bool:
    """Close a run that is pending or running as failed, with a typed error. False: it was closed already."""
    with database.borrow() as connection:
        sign_transaction(connection, run_id)
        closed = connection.execute(
            """
            UPDATE scrape_runs SET status = 'failed', completed_at = %s, error = %s
            WHERE id = %s AND status IN ('pending', 'running')
            """,
            [now, message, run_id],
        ).rowcount
        if closed:
            connection.execute(
                "INSERT INTO scrape_errors (scrape_run_id, error_type, message, occurred_at) VALUES (%s, %s, %s, %s)",
                [run_id, error_type, message, now],
            )
    return bool(closed)


@contextmanager
def failing_run(database: Database, run_id: int, *, clock: Clock) -> Iterator[None]:
    """Close the run as failed when the body raises, interruptions included, and let the exception pass.

    Where the database is what failed, the run stays open until the watchdog gives it up. Raises ``RunGivenUp`` in
    place of what befalls a run that was given up: its connections are closed, its staging files gone.
    """
    try:
        yield
    except BaseException as error:
        kind = error_type(type(error).__name__)
        try:
            is_closed = fail_run(database, run_id, error_type=kind, message=str(error), now=clock.now())
            if not is_closed and isinstance(error, Exception) and not isinstance(error, RunGivenUp):
                with database.borrow() as connection:
                    recorded(connection, run_id)
        except psycopg.OperationalError as unreachable:
            error.add_note(f"run {run_id} could not be closed, so the watchdog will give it up: {unreachable}")
        raise


def error_type(class_name: str) -> str:
    """The type under which ``scrape_errors`` stores an exception that is no bookmaker's: its class in snake case."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in class_name).strip("_")


def give_up_dead_runs(database: Database, *, settings: Settings, now: datetime) -> list[int]:
    """Fail every run that has shown no life for ``dead_run_after``; return their ids (B-45).

    What its sessions hold is free then: the cycle's lock, or the writer's with all that the transaction had changed.
    So is the cycle's lock of a process that hung before it opened a run.
    """
    with database.borrow() as connection:
        dead = connection.execute(
            """
            SELECT id FROM scrape_runs
            WHERE status IN ('pending', 'running') AND coalesce(heartbeat_at, started_at, created_at) < %s
            ORDER BY id
            """,
            [now - settings.dead_run_after],
        ).fetchall()
        for (run_id,) in dead:
            end_sessions_of(connection, run_id)
        end_cycle_without_run(connection, silent_for=settings.dead_run_after)
    minutes = settings.dead_run_after / timedelta(minutes=1)
    message = f"no sign of life for {minutes:g} minutes; given up"
    return [run_id for (run_id,) in dead if fail_run(database, run_id, error_type="dead_run", message=message, now=now)]


def recurring_failures(database: Database, *, cycles: int) -> pl.DataFrame:
    """What failed in each of the last ``cycles`` closed cycles or more (R12); refreshes and replays do not count.

    One row per bookmaker, error type and (where the failure names one) event: ``cycles`` in a row up to now,
    ``first_at``, ``last_at`` and ``occurrences`` in them.
    """
    return database.read_frame(
        """
        WITH runs AS (
            SELECT id, row_number() OVER (ORDER BY id DESC) AS age FROM scrape_runs
            WHERE status IN ('completed', 'partial', 'failed') AND trigger IN ('scheduled', 'manual')
            ORDER BY id DESC LIMIT 500
        ), failures AS (
            SELECT error.bookmaker_id, error.error_type, error.event_id, runs.age,
                   min(error.occurred_at) AS first_at, max(error.occurred_at) AS last_at,
                   sum(error.occurrences) AS occurrences
            FROM scrape_errors AS error JOIN runs ON runs.id = error.scrape_run_id
            GROUP BY error.bookmaker_id, error.error_type, error.event_id, runs.age
        ), streaks AS (
            SELECT *, age - row_number() OVER (PARTITION BY bookmaker_id, error_type, event_id ORDER BY age) AS gap
            FROM failures
        )
        SELECT bookmaker.slug AS bookmaker, streak.error_type, streak.event_id, count(*)::int AS cycles,
               min(streak.first_at) AS first_at, max(streak.last_at) AS last_at,
               sum(streak.occurrences)::bigint AS occurrences
        FROM streaks AS streak LEFT JOIN bookmakers AS bookmaker ON bookmaker.id = streak.bookmaker_id
        WHERE streak.gap = 0
        GROUP BY bookmaker.slug, streak.error_type, streak.event_id
        HAVING count(*) >= $1::int
        ORDER BY cycles DESC, bookmaker, error_type, event_id
        """,
        [cycles],
    )
