"""Rebuilding current from the whole of history, the days that left PostgreSQL included."""

from __future__ import annotations

from datetime import date, timedelta

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.rebuild import Rebuilt, rebuild_current
from odds_pipeline.days.opening import days_held, history_snapshot, opening_state


def rebuild_current_across(database: Database, archive: Archive) -> Rebuilt:
    """Replay history into current: rows in PostgreSQL, and for markets that have none there the archived state.

    No day is retired meanwhile. Raises ``ArchiveDamaged`` and ``ArchiveUnusable``.
    """
    with database.connect() as holder, archive_lock(holder):
        with history_snapshot(database) as connection:
            retired = [file.last_day + timedelta(days=1) for file in named_files(connection, "history")]
            # Rows that came late for retired days, or were imported before them, lie before this.
            first = max(retired, default=min(days_held(connection), default=date.max))
            opening = opening_state(database, archive, first, connection=connection)
        return rebuild_current(database, opening)
