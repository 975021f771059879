"""The kick-offs that were known of an event: ``event_kickoffs``, kept because bookmakers move matches."""

from __future__ import annotations

from datetime import datetime

import psycopg


def record_kickoffs(connection: psycopg.Connection, event_ids: list[int], *, now: datetime) -> None:
    """Remember the events' present kick-offs as known since ``now``, where they differ from what was known before."""
    connection.execute(
        """
        INSERT INTO event_kickoffs (event_id, known_since, kickoff)
        SELECT event.id, %(now)s, event.kickoff
        FROM events AS event
        LEFT JOIN LATERAL (
            SELECT known_since, kickoff FROM event_kickoffs WHERE event_id = event.id
            ORDER BY known_since DESC LIMIT 1
        ) AS known ON true
        WHERE event.id = ANY (%(ids)s)
          AND (known.known_since IS NULL OR known.kickoff IS DISTINCT FROM event.kickoff)
        ON CONFLICT (event_id, known_since) DO UPDATE SET kickoff = excluded.kickoff
        """,
        {"ids": event_ids, "now": now},
    )
