"""Retiring a day: from a partition in PostgreSQL to a verified file of the archive.

One transaction names the file and drops the partition, so that a reader finds the day in one of the two, never in both
or in neither. Anything amiss keeps the day.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import psycopg
from psycopg import errors, sql

from odds_pipeline.archive.store import Archive, ArchivedFile, ArchiveUnusable
from odds_pipeline.database.archived_files import name_file, named_files, stale_states
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock, take_writer_lock
from odds_pipeline.database.partitions import HISTORY, DayHalfDetached, Partition, attach_again, list_partitions
from odds_pipeline.days.contents import Differs, Stamp, require_same, stamp, write_part
from odds_pipeline.days.swap import PATIENCE, DayKept, swap_patiently

_WRITES = 3
"""How often a file is written, when the partition gets other rows meanwhile."""


class StateIsStale(Exception):
    """Rows came for a day since the states after it were archived: they have to be made anew before it may go."""


class _OtherRows(Exception):
    """The partition no longer holds what was written to the archive."""


@dataclass(frozen=True, slots=True)
class RetiredDay:
    """A day that left PostgreSQL. ``freed``: bytes there, indexes included; ``file``: none for a day without rows.

    ``blocked_seconds``: the longest that a reader can have waited; ``tries``: how often its locks were asked for.
    """

    day: date
    rows: int
    freed: int
    file: ArchivedFile | None
    seconds: float
    blocked_seconds: float
    tries: int


def retire_day(
    connection: psycopg.Connection,
    database: Database,
    archive: Archive,
    partition: Partition,
    *,
    first_kept: date | None = None,
    patience: timedelta = PATIENCE,
) -> RetiredDay:
    """Move one day's partition to the archive, all or nothing.

    ``connection`` is the caller's own, holds the archive's lock and is in no transaction. ``first_kept``: the first day
    that stays, by default the day after; the states from there on must have been made before (I8). Raises ``DayKept``,
    ``StateIsStale``, and ``ArchiveUnusable``.
    """
    began = time.perf_counter()
    freed = _size(connection, partition)
    for _ in range(_WRITES):
        held = _stamp(connection, partition)
        try:
            file = _verified(database, archive, partition) if held.rows else None
            tries, blocked = swap_patiently(
                connection,
                partition,
                require_unchanged=partial(
                    _require_unchanged, connection, partition, held, first_kept or partition.end_day
                ),
                put_in_place=partial(_name, connection, partition, file),
                patience=patience,
            )
        except _OtherRows:
            continue
        except Differs as differs:
            if _stamp(connection, partition) != held:
                continue
            raise DayKept(f"{differs}; the day stays in PostgreSQL, the next run tries again") from differs
        seconds = time.perf_counter() - began
        return RetiredDay(partition.first_day, held.rows, freed, file, seconds, blocked, tries)
    raise DayKept(
        f"{partition.name} got other rows each of the {_WRITES} times that it was written to the archive; "
        "the next run tries again"
    )


def finish_detaches(database: Database, archive: Archive) -> list[str]:
    """End what a concurrent detach left half done; return what became of each partition, a sentence each.

    Its rows are dropped where the archive holds them, else the partition is attached again. Costs one look at the
    catalogue when there is nothing to do. Raises ``DayHalfDetached`` when somebody is reading.
    """
    with database.connect() as connection:
        if not any(partition.is_detaching for partition in list_partitions(connection)):
            return []
        with archive_lock(connection):
            return finish_detaching(connection, database, archive)


def finish_detaching(connection: psycopg.Connection, database: Database, archive: Archive) -> list[str]:
    """As ``finish_detaches``, for who holds the archive's lock on ``connection``."""
    with connection.transaction():
        halves = [partition for partition in list_partitions(connection) if partition.is_detaching]
    return [_finish(connection, database, archive, partition) for partition in halves]


def _require_unchanged(connection: psycopg.Connection, partition: Partition, held: Stamp, first_kept: date) -> None:
    """Under the writer's lock: nothing has come since that only this partition knows."""
    if stamp(connection, partition.name) != held:
        raise _OtherRows
    states = named_files(connection, "state", first_kept)
    if any(state.stale_from is not None and state.stale_from <= partition.first_day for state in states):
        raise StateIsStale(f"history of {partition.first_day} got rows after the states of later days were archived")


def _name(connection: psycopg.Connection, partition: Partition, file: ArchivedFile | None) -> None:
    if file is not None:
        name_file(connection, "history", file, partition.first_day, partition.first_day)


def _finish(connection: psycopg.Connection, database: Database, archive: Archive, partition: Partition) -> str:
    with connection.transaction():
        files = named_files(connection, "history", partition.first_day, partition.first_day)
    is_archived = any(_holds(database, archive, partition.name, file.written) for file in files)
    try:
        return _finished(connection, partition, is_archived=is_archived)
    except errors.LockNotAvailable as error:
        raise DayHalfDetached(
            f"{partition.name} is half detached from {HISTORY.name}, and cannot be attached or dropped while an older "
            "transaction is open; the next run of retention tries again"
        ) from error


def _finished(connection: psycopg.Connection, partition: Partition, *, is_archived: bool) -> str:
    name = sql.Identifier(partition.name)
    with connection.transaction():
        take_writer_lock(connection)
        connection.execute("SET LOCAL lock_timeout = '2s'")
        connection.execute(
            sql.SQL("ALTER TABLE {} DETACH PARTITION {} FINALIZE").format(sql.Identifier(HISTORY.name), name)
        )
        if is_archived:
            connection.execute(sql.SQL("DROP TABLE {}").format(name))
            return f"{partition.name} was detached half way; the archive holds its rows, it is dropped"
        attach_again(connection, partition)
        # Made meanwhile by whoever did not look at that, a state lacks the day.
        stale_states(connection, [partition.first_day])
    return f"{partition.name} was detached half way; the archive does not hold its rows, it is attached again"


def _holds(database: Database, archive: Archive, partition: str, file: ArchivedFile) -> bool:
    try:
        require_same(database, archive, partition, file)
    except (Differs, ArchiveUnusable):
        return False
    return True


def _verified(database: Database, archive: Archive, partition: Partition) -> ArchivedFile:
    file = write_part(database, archive, partition.name, partition.first_day)
    require_same(database, archive, partition.name, file)
    return file


def _stamp(connection: psycopg.Connection, partition: Partition) -> Stamp:
    with connection.transaction():
        return stamp(connection, partition.name)


def _size(connection: psycopg.Connection, partition: Partition) -> int:
    with connection.transaction():
        row = connection.execute("SELECT pg_total_relation_size(%s::regclass)", [partition.name]).fetchone()
    assert row is not None
    return row[0]
