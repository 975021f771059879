"""The kick-offs that were known of an event: ``event_kickoffs``, kept because bookmakers move matches.

Both functions run inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import psycopg


def record_kickoffs(connection: psycopg.Connection, event_ids: list[int], *, now: datetime) -> None:
    """Remember the events' present kick-offs as known since ``now``, where they differ from what was known before.

    The newest row is always the present kick-off: what is learnt from a cycle older than it takes its place.
    """
    connection.execute(
        """
        INSERT INTO event_kickoffs (event_id, known_since, kickoff)
        SELECT event.id, greatest(%(now)s, known.known_since), event.kickoff
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


def carry_kickoffs(connection: psycopg.Connection, joined: Iterable[tuple[int, int]]) -> None:
    """Let events know what was known of the events whose listings have joined them (left, joined), before their own.

    A listing that learns which match it shows brings its odds of before along; their kick-off was the one known then.
    """
    pairs = sorted(set(joined))
    connection.execute(
        """
        INSERT INTO event_kickoffs (event_id, known_since, kickoff)
        SELECT pair.joined_id, earlier.known_since, earlier.kickoff
        FROM unnest(%s::int[], %s::int[]) AS pair (left_id, joined_id)
        JOIN event_kickoffs AS earlier ON earlier.event_id = pair.left_id
        WHERE NOT EXISTS (
            SELECT FROM event_kickoffs AS own
            WHERE own.event_id = pair.joined_id AND own.known_since <= earlier.known_since
        )
        ON CONFLICT (event_id, known_since) DO NOTHING
        """,
        [[left for left, _ in pairs], [joined for _, joined in pairs]],
    )
