"""Days that are over are written anew in the order of their key, once.

Rows arrive by time, so those of a listing lie on as many pages as it has rows, and the key's index ends a third empty.
A copy in order is built beside the day, and takes its place if the day is still what was copied; neither readers nor
writers are stopped. Late rows go to the end; a day that they made larger by a tenth is written again.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import between
from odds_pipeline.database.partitions import COPY_SUFFIX, HISTORY, Partition, attach_again, list_partitions
from odds_pipeline.days.contents import Stamp, stamp
from odds_pipeline.days.swap import DayKept, swap_patiently

_LEAST_BYTES = 1 << 20
"""A day smaller than this is not worth it: it is read in a moment in any order."""

_GROWTH = 1.1
"""A day that is this much larger than when it was written in order is written again."""

_WAIT = timedelta(seconds=30)
"""How long a day's readers and older snapshots are waited for; the next run tries again."""

_LOOK_S = 0.2
"""Between two looks for older snapshots."""

_IN_ORDER = re.compile(r"In key order at (\d+) bytes\.")
"""The comment of a partition that was written in order."""


@dataclass(frozen=True, slots=True)
class CompactedDay:
    """Bytes of a day, its indexes included, before and after."""

    day: date
    before: int
    after: int


class _OtherRows(Exception):
    """The partition no longer holds what was copied."""


def compact_days(database: Database, *, before: date) -> list[CompactedDay]:
    """Write the UTC days before ``before`` in the order of their key that are not in it yet, oldest first.

    A day that is read without a pause, or gets rows meanwhile, is left for the next run. The caller holds the archive's
    lock, so that nobody retires, rebuilds or compacts a day at the same time.
    """
    compacted: list[CompactedDay] = []
    with database.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("SET lock_timeout = {}").format(f"{_WAIT.total_seconds():g}s"))
        _drop_unfinished(connection)
        for day in list_partitions(connection):
            if day.end_day <= before and not day.is_detaching:
                size = _size(connection, day.name)
                if size >= _LEAST_BYTES and not _is_in_order(connection, day) and _is_rewritten(connection, day):
                    compacted.append(CompactedDay(day.first_day, size, _size(connection, day.name)))
    return compacted


def _is_rewritten(connection: psycopg.Connection, day: Partition) -> bool:
    copy = day.name + COPY_SUFFIX
    try:
        transaction = _build(connection, day, copy)
        _wait_for_older_snapshots(connection, day, transaction)
        connection.execute(sql.SQL("VACUUM (FREEZE, ANALYZE) {}").format(sql.Identifier(copy)))
        copied = stamp(connection, copy)
        swap_patiently(
            connection,
            day,
            require_unchanged=partial(_require_unchanged, connection, day, copied),
            put_in_place=partial(_put_in_place, connection, day, copy),
            patience=_WAIT,
        )
    except (DayKept, _OtherRows, errors.LockNotAvailable, errors.DependentObjectsStillExist):
        _drop_unfinished(connection)
        return False
    return True


def _build(connection: psycopg.Connection, day: Partition, copy: str) -> str:
    """Make the copy, whose rights are the day's; return the transaction that made it."""
    name, table = sql.Identifier(copy), sql.Identifier(HISTORY.name)
    with connection.transaction():
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(name, table))
        # The bounds as a constraint spare a scan when it becomes a partition.
        connection.execute(sql.SQL("ALTER TABLE {} ADD CHECK ({})").format(name, between(day.first_day, day.end_day)))
        key = _value(
            connection,
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass AND indisprimary",
            copy,
        )
        # Filled from its beginning to its end, an index leaves no page loose.
        connection.execute(sql.SQL("ALTER INDEX {} SET (fillfactor = 100)").format(sql.Identifier(key)))
        for (grant,) in connection.execute(_RIGHTS, {"copy": copy, "day": day.name}).fetchall():
            connection.execute(grant)
        connection.execute(
            sql.SQL("INSERT INTO {} SELECT * FROM {} ORDER BY event_bookmaker_id, captured_at").format(
                name, sql.Identifier(day.name)
            )
        )
        return _value(connection, "SELECT pg_current_xact_id()::xid::text")


_RIGHTS = """
    SELECT format(
        'GRANT %%s ON %%I TO %%s%%s', granted.privilege_type, %(copy)s::text,
        CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END,
        CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    )
    FROM pg_class AS relation CROSS JOIN aclexplode(relation.relacl) AS granted
    WHERE relation.oid = %(day)s::regclass AND granted.grantee <> relation.relowner
"""


def _wait_for_older_snapshots(connection: psycopg.Connection, day: Partition, transaction: str) -> None:
    """Wait until every snapshot sees what the transaction wrote: to an older one the day would be empty."""
    deadline = time.monotonic() + _WAIT.total_seconds()
    while _value(connection, _OLDER_SNAPSHOTS, transaction):
        if time.monotonic() + _LOOK_S > deadline:
            raise DayKept(f"{day.name} is kept: a transaction looks at the database as it was before")
        time.sleep(_LOOK_S)


_OLDER_SNAPSHOTS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND age(backend_xmin) >= age(%s::xid)
"""


def _require_unchanged(connection: psycopg.Connection, day: Partition, copied: Stamp) -> None:
    if stamp(connection, day.name) != copied:
        raise _OtherRows


def _put_in_place(connection: psycopg.Connection, day: Partition, copy: str) -> None:
    name = sql.Identifier(day.name)
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(copy), name))
    indexes = connection.execute(
        "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = %s::regclass", [day.name]
    )
    for (index,) in indexes.fetchall():
        if (renamed := index.replace(copy, day.name)) != index:
            rename = sql.SQL("ALTER INDEX {} RENAME TO {}")
            connection.execute(rename.format(sql.Identifier(index), sql.Identifier(renamed)))
    attach_again(connection, day)
    mark = sql.SQL("COMMENT ON TABLE {} IS {}")
    connection.execute(mark.format(name, f"In key order at {_size(connection, day.name)} bytes."))


def _is_in_order(connection: psycopg.Connection, day: Partition) -> bool:
    comment: str | None = _value(connection, "SELECT obj_description(%s::regclass, 'pg_class')", day.name)
    mark = _IN_ORDER.fullmatch(comment or "")
    return mark is not None and _size(connection, day.name) < _GROWTH * int(mark[1])


def _drop_unfinished(connection: psycopg.Connection) -> None:
    """Drop copies that did not take their day's place, and nobody will put there any more."""
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid) AND relname ~ %s",
        [f"^{HISTORY.name}_[0-9]{{8}}{COPY_SUFFIX}$"],
    )
    for (name,) in found.fetchall():
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))


def _size(connection: psycopg.Connection, name: str) -> int:
    return _value(connection, "SELECT pg_total_relation_size(%s::regclass)", name)


def _value(connection: psycopg.Connection, query: LiteralString, *parameters: str) -> Any:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]
