"""Which days of an earlier system were imported and which not: no question over these is answered in silence (R18)."""

from __future__ import annotations

from datetime import date

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.source import LegacySource


def unimported_days(
    database: Database, source: LegacySource, first: date = date.min, last: date = date.max
) -> list[date]:
    """The UTC days between the two, both included, of which the source has odds and ``database`` no import.

    Empty when there is no earlier system. A day that was imported while the earlier system was still writing it counts
    as imported. Raises ``psycopg.OperationalError`` when either database does not answer.
    """
    days = [day for day in source.days() if first <= day <= last]
    if not days:
        return []
    imported = imported_days(database, source.name)
    return [day for day in days if day not in imported]


def imported_days(database: Database, source: str) -> set[date]:
    """The UTC days that were imported of the source of this name."""
    with database.connect() as connection:
        rows = connection.execute("SELECT day FROM imported_days WHERE source = %s", [source]).fetchall()
    return {day for (day,) in rows}
