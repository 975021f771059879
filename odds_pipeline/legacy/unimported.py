"""Which days of an earlier system were imported and which not: no question over these is answered in silence (R18)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import date, timedelta

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.source import LegacySource

_REMEMBERED = timedelta(seconds=10)


def unimported_days(
    database: Database, source: LegacySource, first: date = date.min, last: date = date.max
) -> list[date]:
    """The UTC days between the two, both included, of which the source has odds and ``database`` no import.

    Empty when there is no earlier system. A day that was imported while the earlier system was still writing it counts
    as imported. Raises ``psycopg.OperationalError`` when either database does not answer.
    """
    return _unimported(database, source, source.days(), first, last)


class Unimported:
    """``unimported_days`` for questions, which come often: the days that the source has are looked up now and then.

    A day, or a whole earlier system, that appears is told of ``remembered`` later at the latest; an import at once.
    """

    def __init__(self, database: Database, source: LegacySource, *, remembered: timedelta = _REMEMBERED) -> None:
        self._database, self._source = database, source
        self._remembered_s = remembered.total_seconds()
        self._looking = threading.Lock()
        self._looked_at: float | None = None
        self._days: list[date] = []

    def __call__(self, first: date, last: date) -> list[date]:
        """The days between the two, both included. Raises as ``unimported_days`` does."""
        with self._looking:
            if self._looked_at is None or time.monotonic() - self._looked_at >= self._remembered_s:
                self._source.look_again()
                self._days = self._source.days()
                self._looked_at = time.monotonic()
            days = self._days
        return _unimported(self._database, self._source, days, first, last)


def _unimported(database: Database, source: LegacySource, days: Iterable[date], first: date, last: date) -> list[date]:
    asked = [day for day in days if first <= day <= last]
    if not asked:
        return []
    imported = imported_days(database, source.name)
    return [day for day in asked if day not in imported]


def imported_days(database: Database, source: str) -> set[date]:
    """The UTC days that were imported of the source of this name."""
    with database.borrow() as connection:
        rows = connection.execute("SELECT day FROM imported_days WHERE source = %s", [source]).fetchall()
    return {day for (day,) in rows}
