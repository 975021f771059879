"""How many events were on offer on a day: what a day's bytes are told by, where no cycles tell it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import errors, sql

from odds_pipeline.storage.measured import Table

DAYS = 7
_LARGEST = 100_000_000
"""Bytes of a table of events that is still read through; a hundred thousand of them take a fifth of this."""

_OFFERED = """
    SELECT count(*)::float8 / nullif(count(DISTINCT day), 0)
    FROM generate_series(%(first)s::timestamp, %(last)s::timestamp, interval '1 day') AS day
    JOIN {events} AS event ON event.created_at < day + interval '1 day' AND event.kickoff >= day
"""


def events_a_day(
    connection: psycopg.Connection[tuple[Any, ...]], tables: tuple[Table, ...], *, now: datetime
) -> float | None:
    """Events that were known and had not kicked off before a day began: the mean over the last 7 whole UTC days.

    Days without any are left out. Reads the table ``events`` by ``created_at`` and ``kickoff``, which every generation
    has. None where it lacks them or a row of these days, or cannot be read.
    """
    events = next((table for table in tables if table.name == "events"), None)
    if events is None or events.heap_bytes > _LARGEST:
        return None
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    days = {"first": today - timedelta(days=DAYS), "last": today - timedelta(days=1)}
    query = sql.SQL(_OFFERED).format(events=sql.Identifier(events.schema, events.name))
    try:
        row = connection.execute(query, days).fetchone()
    except (errors.ProgrammingError, errors.OperationalError):  # another table of that name, held, or not for us
        return None
    return row[0] if row else None
