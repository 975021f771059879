"""The end of an earlier system's snapshots in our own tables: once every day of theirs is imported, never before.

An import of a day looks at the snapshots before it, so they end together or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

#: By table, in the order in which they go: the query of the ids that go. What is held by something that goes here goes
#: with the next run.
GOING: Mapping[str, sql.Composable] = {
    "competitor_tournaments": sql.SQL(
        "SELECT tournament.id FROM competitor_tournaments AS tournament "
        "WHERE NOT EXISTS (SELECT FROM competitor_events AS event WHERE event.tournament_id = tournament.id)"
    ),
    "competitor_events": sql.SQL(
        "SELECT event.id FROM competitor_events AS event WHERE event.kickoff < %(matches)s AND NOT EXISTS "
        "(SELECT FROM competitor_odds_snapshots AS snapshot WHERE snapshot.competitor_event_id = event.id)"
    ),
    "odds_snapshots": sql.SQL("SELECT id FROM odds_snapshots WHERE captured_at < %(first_kept)s"),
    "competitor_odds_snapshots": sql.SQL("SELECT id FROM competitor_odds_snapshots WHERE captured_at < %(first_kept)s"),
}

_IS_IMPORTED = """
    SELECT EXISTS (SELECT FROM imported_days WHERE source = %(source)s) AND NOT EXISTS (
        SELECT FROM (
            SELECT (captured_at AT TIME ZONE 'UTC')::date AS day FROM odds_snapshots
            UNION SELECT (captured_at AT TIME ZONE 'UTC')::date FROM competitor_odds_snapshots
        ) AS held
        WHERE NOT EXISTS (
            SELECT FROM imported_days AS imported WHERE imported.source = %(source)s AND imported.day = held.day
        )
    )
"""


def is_imported(connection: psycopg.Connection) -> bool:
    """Whether an earlier system's snapshots are or were in our tables, and no day of them is left to be imported."""
    row = connection.execute(_IS_IMPORTED, {"source": source_in_place()}).fetchone()
    assert row is not None
    return row[0]


def source_in_place(schema: str = "public") -> str:
    """The name under which days imported from a schema of our own database are remembered (``imported_days.source``).

    No other database's name can be the same: what is imported decides what may be deleted.
    """
    return f"this database/{schema}"
