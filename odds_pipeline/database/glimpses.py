"""Counts and a few rows of the odds relations, for people who look at a materialization.

The rows come through the public views, so what is shown is what a reader gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import dict_row

from odds_pipeline.database.engine import Database

_ROWS = 5


@dataclass(frozen=True, slots=True)
class CurrentRows:
    """Markets of current: all, and those offered now."""

    all: int
    available: int


@dataclass(frozen=True, slots=True)
class HistoryRows:
    """Changes in a span of time: all, and those of one run."""

    all: int
    of_run: int


def current_rows(database: Database) -> CurrentRows:
    """Count the markets of current."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE unavailable_at IS NULL) FROM current_odds"
        ).fetchone()
    assert row is not None
    return CurrentRows(*row)


def history_rows(database: Database, start: datetime, end: datetime, *, run_id: int) -> HistoryRows:
    """Count the changes from ``start`` up to but without ``end``."""
    with database.connect() as connection:
        row = connection.execute(
            """
            SELECT coalesce(sum(odds_count(changes)), 0),
                   coalesce(sum(
                       CASE WHEN odds_is_mixed(changes)
                       THEN (SELECT count(*)::int FROM odds_changes(changes) AS change WHERE change.run_id = %(run_id)s)
                       WHEN run_id = %(run_id)s THEN odds_count(changes) END
                   ), 0)
            FROM odds_history
            WHERE captured_at >= %(start)s AND captured_at < %(end)s
            """,
            {"run_id": run_id, "start": start, "end": end},
        ).fetchone()
    assert row is not None
    return HistoryRows(*row)


def changed_sample(database: Database, run_id: int, *, since: datetime) -> list[dict[str, Any]]:
    """A few changes that a run appended at or after ``since``."""
    return _rows(
        database,
        """
        SELECT event.name AS event, history.bookmaker_slug, history.betpawa_market_name, history.line,
               history.outcomes, history.unavailable_at, history.captured_at
        FROM (
            SELECT market_id, captured_at FROM odds_history_changes
            WHERE captured_at >= %(since)s AND run_id = %(run_id)s LIMIT %(rows)s
        ) AS found
        JOIN market_odds_history AS history USING (market_id, captured_at)
        JOIN events AS event ON event.id = history.event_id
        """,
        {"since": since, "run_id": run_id, "rows": _ROWS},
    )


def current_sample(database: Database, run_id: int, *, since: datetime) -> list[dict[str, Any]]:
    """A few current markets that a run changed at or after ``since``."""
    return _rows(
        database,
        """
        SELECT event.name AS event, current.bookmaker_slug, current.betpawa_market_name, current.line,
               current.outcomes, current.unavailable_at, current.last_updated_at, current.last_confirmed_at,
               current.is_stale
        FROM (
            SELECT market_id FROM odds_history_changes
            WHERE captured_at >= %(since)s AND run_id = %(run_id)s LIMIT %(rows)s
        ) AS found
        JOIN market_odds_current AS current USING (market_id)
        JOIN events AS event ON event.id = current.event_id
        """,
        {"since": since, "run_id": run_id, "rows": _ROWS},
    )


def _rows(database: Database, query: LiteralString, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()
