"""Folding markets anew from a day on, after rows were put before or among theirs: the seam of an import.

Their rows are decoded, folded on the state at the day's beginning, and what differs is written: rows that repeat the
state before go, prices of suspended outcomes are carried across the seam (I2).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import psycopg
from psycopg import sql

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import named_files
from odds_pipeline.database.corrections import Changed, apply_sent, difference, send
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import midnight, outcome_sets, read_history
from odds_pipeline.days.opening import opening_state
from odds_pipeline.odds.fold import fold, steps_of

_AT_ONCE = 20_000
"""Markets folded at once: bounds the memory of an import of many days."""


def refold(
    connection: psycopg.Connection, database: Database, archive: Archive, market_ids: Sequence[int], since: date
) -> list[Changed]:
    """Fold all rows of these markets from the UTC day ``since`` on anew; return what that did to each day.

    In the caller's transaction, who holds the archive's lock and the writer's. Days that were retired stay as they are
    archived; then it is from the day after the newest of them on. Raises ``ArchiveDamaged`` and ``ArchiveUnusable``.
    """
    if not market_ids:
        return []
    retired = [file.last_day for file in named_files(connection, "history", since)]
    since = max([since, *(day + timedelta(days=1) for day in retired)])
    for first in range(0, len(market_ids), _AT_ONCE):
        part = list(market_ids[first : first + _AT_ONCE])
        opening = opening_state(database, archive, since, connection=connection, market_ids=part)
        sets = outcome_sets(connection, part)
        is_since = sql.SQL("captured_at >= {}").format(midnight(since))
        rows = read_history(connection, is_since, market_ids=part).sort("market_id", "captured_at")
        send(connection, difference(rows, fold(opening, steps_of(rows, sets), sets)))
    return apply_sent(connection)
