"""Days that are over get their key's index packed tightly, once.

Rows arrive by time and the key begins with the market, so a day's index ends a third empty; nothing but late rows will
fill it. It is rebuilt beside the old one, and neither readers nor writers are stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import psycopg
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import Partition, list_partitions

_LEAST_BYTES = 1 << 20
"""An index smaller than this is not worth a rebuild."""

_WAIT = timedelta(seconds=30)
"""How long a rebuild waits for transactions that were there before it; the next run tries again."""


@dataclass(frozen=True, slots=True)
class CompactedDay:
    """Bytes of a day's key before and after."""

    day: date
    before: int
    after: int


class _Index(NamedTuple):
    name: str
    bytes: int
    is_packed: bool


def compact_days(database: Database, *, before: date) -> list[CompactedDay]:
    """Pack the indexes of the UTC days before ``before`` that are not packed yet, oldest first.

    A day that is read or written without a pause is left for the next run.
    """
    compacted: list[CompactedDay] = []
    with database.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("SET lock_timeout = {}").format(f"{_WAIT.total_seconds():g}s"))
        for partition in list_partitions(connection):
            if partition.end_day <= before and not partition.is_detaching:
                found = _compacted(connection, partition)
                if found is not None:
                    compacted.append(found)
    return compacted


def _compacted(connection: psycopg.Connection, partition: Partition) -> CompactedDay | None:
    try:
        was_interrupted = _drop_unfinished(connection, partition)
        index = _key_of(connection, partition)
        if (index.is_packed and not was_interrupted) or index.bytes < _LEAST_BYTES:
            return None
        name = sql.Identifier(index.name)
        connection.execute(sql.SQL("ALTER INDEX {} SET (fillfactor = 100)").format(name))
        try:
            connection.execute(sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(name))
        except psycopg.errors.LockNotAvailable:
            if not _unfinished(connection, partition):
                connection.execute(sql.SQL("ALTER INDEX {} RESET (fillfactor)").format(name))
            raise
    except psycopg.errors.LockNotAvailable:
        return None
    return CompactedDay(partition.first_day, index.bytes, _key_of(connection, partition).bytes)


def _key_of(connection: psycopg.Connection, partition: Partition) -> _Index:
    row = connection.execute(
        """
        SELECT relation.relname, pg_relation_size(relation.oid),
               coalesce('fillfactor=100' = ANY (relation.reloptions), false)
        FROM pg_index AS index JOIN pg_class AS relation ON relation.oid = index.indexrelid
        WHERE index.indrelid = %s::regclass AND index.indisprimary
        """,
        [partition.name],
    ).fetchone()
    assert row is not None
    return _Index(*row)


def _drop_unfinished(connection: psycopg.Connection, partition: Partition) -> bool:
    """Drop what a rebuild left that did not come to its end; return whether it had not put the new index in place."""
    names = _unfinished(connection, partition)
    for name in names:
        connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(name)))
    return any("_ccnew" in name for name in names)


def _unfinished(connection: psycopg.Connection, partition: Partition) -> list[str]:
    rows = connection.execute(
        """
        SELECT relation.relname
        FROM pg_index AS index JOIN pg_class AS relation ON relation.oid = index.indexrelid
        WHERE index.indrelid = %s::regclass AND NOT index.indisvalid AND relation.relname ~ '_cc(new|old)[0-9]*$'
        """,
        [partition.name],
    ).fetchall()
    return [name for (name,) in rows]
