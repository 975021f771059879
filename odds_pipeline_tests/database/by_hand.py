"""History altered by hand, change by change: what tests damage, or put there without the writer.

Packs are made in plain SQL, not by what is tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg

Change = tuple[datetime, int, int, bytes]
"""captured_at, market_id, run_id, state."""


@contextmanager
def history_by_hand(connection: psycopg.Connection) -> Iterator[None]:
    """Every change is meanwhile a row (captured_at, market_id, run_id, state) of ``by_hand``, for the block to alter.

    The partitions of its days must be there. Answers that stay as they are are not touched.
    """
    connection.execute(
        """
        CREATE TEMPORARY TABLE by_hand AS SELECT captured_at, market_id, run_id, state FROM odds_history_changes
        """
    )
    yield
    connection.execute(_PACKED)
    connection.execute(
        """
        DELETE FROM odds_history AS history WHERE NOT EXISTS (
            SELECT FROM by_hand_packed AS packed
            WHERE (packed.event_bookmaker_id, packed.captured_at, packed.run_id, packed.changes)
                = (history.event_bookmaker_id, history.captured_at, history.run_id, history.changes)
        )
        """
    )
    connection.execute(
        """
        INSERT INTO odds_history (captured_at, event_bookmaker_id, run_id, changes)
        SELECT captured_at, event_bookmaker_id, run_id, changes FROM by_hand_packed ON CONFLICT DO NOTHING
        """
    )
    connection.execute("DROP TABLE by_hand, by_hand_packed")


def insert_changes(connection: psycopg.Connection, changes: Iterable[Change]) -> None:
    """Put changes into history, of whatever was there at the same time as well."""
    with history_by_hand(connection), connection.cursor() as cursor:
        cursor.executemany("INSERT INTO by_hand VALUES (%s, %s, %s, %s)", list(changes))


#: A change of a market that nobody knows is of the listing 0.
_PACKED = """
    CREATE TEMPORARY TABLE by_hand_packed AS
    SELECT captured_at, coalesce(event_bookmaker_id, 0) AS event_bookmaker_id, max(run_id) AS run_id,
           int2send((count(*) - CASE WHEN count(DISTINCT run_id) > 1 THEN 32768 ELSE 0 END)::int2)
               || string_agg(int4send(market_id), '' ORDER BY market_id)
               || string_agg(int2send(length(state)::int2), '' ORDER BY market_id)
               || string_agg(state, '' ORDER BY market_id)
               || CASE WHEN count(DISTINCT run_id) = 1 THEN ''
                       ELSE string_agg(int4send(run_id), '' ORDER BY market_id) END AS changes
    FROM by_hand LEFT JOIN markets ON markets.id = by_hand.market_id
    GROUP BY 1, 2
"""
