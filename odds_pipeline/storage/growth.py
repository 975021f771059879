"""Growth by the ages of the rows that are there, where no samples of sizes tell it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from odds_pipeline.storage.measured import DatabaseProfile, Growth

DAYS = 7
_LEAST = timedelta(hours=1)
"""Rows that are all newer than this do not tell of a day."""


def growth_by_ages(databases: Sequence[DatabaseProfile], *, now: datetime) -> Growth | None:
    """Bytes gained in a day: rows of the last 7 days x bytes per row of their table / days.

    Days since the oldest of these rows where that is less long ago than 7 days. Rows that were deleted meanwhile are
    missing in it; tables whose times tell of changes, not of new rows, are left out. None where no table tells.
    """
    telling = [
        (database, table, table.ages)
        for database in databases
        for table in database.whole_tables
        if table.ages is not None and table.ages.is_birth
    ]
    if not telling:
        return None
    since = max(now - timedelta(days=DAYS), min(ages.oldest for _, _, ages in telling))
    if now - since < _LEAST:
        return None
    days = (now - since) / timedelta(days=1)
    by_table = {
        database.path_of(table): ages.rows_within[DAYS] * (table.bytes_per_row or 0.0) / days
        for database, table, ages in telling
    }
    return Growth("ages", since, now, sum(by_table.values()), by_table)
