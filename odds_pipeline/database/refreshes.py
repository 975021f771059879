"""Refreshes of one event that were asked for: remembered here, launched by a sensor, joined with the run they became.

The rows are all that passes between whoever asks and Dagster: neither needs the other to be running.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg

from odds_pipeline.database.engine import Database

_LOCK = 0x6F64_7266
"""First half of an advisory lock whose second half is the event: two who ask for one event at once get one refresh."""


class UnknownEvent(LookupError):
    """There is no such event."""


class RefreshRequest(NamedTuple):
    """A refresh that nobody has launched yet."""

    id: int
    event_id: int


def request_refresh(database: Database, event_id: int, *, now: datetime, given_up_after: timedelta) -> int:
    """Ask for a refresh of an event and return the request's id; one of it that is not over yet is not repeated.

    A request counts as over when its run is, or when it was launched longer than ``given_up_after`` ago and no run
    has come of it. Raises ``UnknownEvent``.
    """
    with database.borrow() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, event_id])
        row = connection.execute(
            """
            SELECT max(request.id)
            FROM refresh_requests AS request LEFT JOIN scrape_runs AS run ON run.id = request.scrape_run_id
            WHERE request.event_id = %(event_id)s
              AND (request.launched_at IS NULL OR run.status IN ('pending', 'running')
                   OR (run.id IS NULL AND request.launched_at >= %(too_long_ago)s))
            """,
            {"event_id": event_id, "too_long_ago": now - given_up_after},
        ).fetchone()
        assert row is not None
        if row[0] is not None:
            return row[0]
        try:
            made = connection.execute(
                "INSERT INTO refresh_requests (event_id, requested_at) VALUES (%s, %s) RETURNING id", [event_id, now]
            ).fetchone()
        except psycopg.errors.ForeignKeyViolation:
            raise UnknownEvent(f"no event {event_id}") from None
    assert made is not None
    return made[0]


def waiting_refreshes(database: Database) -> list[RefreshRequest]:
    """The requests that were not launched yet, oldest first."""
    with database.borrow() as connection:
        rows = connection.execute(
            "SELECT id, event_id FROM refresh_requests WHERE launched_at IS NULL ORDER BY id"
        ).fetchall()
    return [RefreshRequest(*row) for row in rows]


def launched(database: Database, request_ids: Sequence[int], *, now: datetime) -> None:
    """Remember that the requests were handed to Dagster."""
    with database.borrow() as connection:
        connection.execute(
            "UPDATE refresh_requests SET launched_at = %s WHERE id = ANY (%s) AND launched_at IS NULL",
            [now, list(request_ids)],
        )


def became_run(database: Database, request_id: int, run_id: int, *, now: datetime) -> None:
    """Remember which scrape run a request became. A request whose event was deleted is gone, and nothing happens."""
    with database.borrow() as connection:
        connection.execute(
            """
            UPDATE refresh_requests SET scrape_run_id = %s, launched_at = coalesce(launched_at, %s)
            WHERE id = %s
            """,
            [run_id, now, request_id],
        )
