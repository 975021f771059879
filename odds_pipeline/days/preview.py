"""What retention would do now, without touching anything: days, rows, bytes, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg import sql

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import HISTORY, Partition, list_partitions
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.cleanup import going
from odds_pipeline.days.sweep import OutlivedFiles, orphans, outlived
from odds_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class GoingDay:
    """A day that would leave PostgreSQL: its rows, and its bytes there, indexes included."""

    day: date
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Preview:
    """``tables``: rows that would be deleted, by table; ``outlived`` and ``orphans``: files of the archive."""

    bounds: Bounds
    days: tuple[GoingDay, ...]
    outlived: OutlivedFiles
    orphans: tuple[str, ...]
    tables: Mapping[str, int]

    @property
    def rows(self) -> int:
        """History rows that would move to the archive."""
        return sum(day.rows for day in self.days)

    @property
    def bytes(self) -> int:
        """Bytes that they have in PostgreSQL."""
        return sum(day.bytes for day in self.days)


def preview(database: Database, archive: Archive, *, settings: Settings, now: datetime) -> Preview:
    """What a run of retention at ``now`` would do if nothing is amiss. Raises ``ArchiveUnusable``."""
    bounds = Bounds.of(settings, now)
    with database.connect() as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        # Before anything is read, so that no day goes meanwhile.
        connection.execute("LOCK TABLE ONLY odds_history IN ACCESS SHARE MODE")
        is_there = archive.folder is None or archive.folder.exists()
        return Preview(
            bounds,
            days=tuple(_going_day(connection, partition) for partition in due_days(connection, bounds)),
            outlived=outlived(connection, bounds),
            orphans=tuple(orphans(connection, archive, bounds)) if is_there else (),
            tables=going(connection, bounds),
        )


def due_days(connection: psycopg.Connection, bounds: Bounds) -> list[Partition]:
    """Partitions of history that hold only days before the first one kept, oldest first."""
    return [
        partition
        for partition in list_partitions(connection, HISTORY)
        if partition.end_day <= bounds.first_kept and not partition.is_detaching
    ]


def _going_day(connection: psycopg.Connection, partition: Partition) -> GoingDay:
    count = sql.SQL("SELECT coalesce(sum(odds_count(changes)), 0)::int, pg_total_relation_size({}) FROM {}")
    row = connection.execute(count.format(sql.Literal(partition.name), sql.Identifier(partition.name))).fetchone()
    assert row is not None
    return GoingDay(partition.first_day, *row)
