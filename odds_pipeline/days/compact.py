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
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import between
from odds_pipeline.database.partitions import COPY_SUFFIX, HISTORY, Partition, attach_again, list_partitions
from odds_pipeline.days.contents import Stamp, stamp
from odds_pipeline.days.own_traits import own_traits
from odds_pipeline.days.swap import DayKept, swap_patiently

_LEAST_BYTES = 1 << 20
"""A day smaller than this is not worth it: it is read in a moment in any order."""

_GROWTH = 1.1
"""A day that is this much larger than when it was written in order is written again."""

_WAIT = timedelta(seconds=30)
"""How long a day's readers and older snapshots are waited for; the next run tries again."""

_LOOK_S = 0.2
"""Between two looks for older snapshots."""

_IN_ORDER = r"In key order at (\d+) bytes\."
"""The comment of a partition that was written in order, as a pattern."""


@dataclass(frozen=True, slots=True)
class CompactedDay:
    """Bytes of a day, its indexes included, before and after."""

    day: date
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class WaitingDay:
    """A day that is not in order yet, and why."""

    day: date
    reason: str


class Compaction(NamedTuple):
    """What became of the days that were not in order: written anew, or left as they are. Oldest first."""

    compacted: list[CompactedDay]
    waiting: list[WaitingDay]


def compact_days(database: Database, *, before: date) -> Compaction:
    """Write the UTC days before ``before`` in the order of their key that are not in it yet, oldest first.

    A day that cannot be is left for the next run, whatever is amiss: it is read without a pause, gets rows meanwhile,
    the disk is full. So is one that has of its own what a copy would lose. The caller holds the archive's lock, so that
    nobody retires, rebuilds or compacts a day at the same time. Raises ``psycopg.Error`` when the connection is lost.
    """
    done = Compaction([], [])
    with database.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("SET lock_timeout = {}").format(f"{_WAIT.total_seconds():g}s"))
        stuck = _drop_unfinished(connection)
        done.waiting.extend(WaitingDay(day, reason) for day, reason in stuck.items())
        for day in list_partitions(connection):
            if day.end_day <= before and not day.is_detaching and day.first_day not in stuck:
                try:
                    compacted = _compacted(connection, day)
                except (DayKept, psycopg.Error) as amiss:
                    if connection.closed:
                        raise
                    copy_stays = _drop_unfinished(connection).get(day.first_day)
                    reason = _reason(day.name, amiss) + (f"; {copy_stays}" if copy_stays else "")
                    done.waiting.append(WaitingDay(day.first_day, reason))
                else:
                    done.compacted.extend([compacted] if compacted else [])
    done.waiting.sort(key=lambda waiting: waiting.day)
    return done


def _compacted(connection: psycopg.Connection, day: Partition) -> CompactedDay | None:
    """Write a day in order; None when it is so already, or is not worth it."""
    size = _size(connection, day.name)
    if size < _LEAST_BYTES or _is_in_order(connection, day):
        return None
    copy = day.name + COPY_SUFFIX
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
    return CompactedDay(day.first_day, size, _size(connection, day.name))


def _build(connection: psycopg.Connection, day: Partition, copy: str) -> str:
    """Make the copy, whose rights are the day's; return the transaction that made it.

    Raises ``DayKept`` when the day has anything else of its own.
    """
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
        if own := own_traits(connection, day.name, copy, known_comment=f"^{_IN_ORDER}$"):
            raise DayKept(
                f"{day.name} has of its own {', '.join(own)}: a copy would lose that, so it stays in the order it has"
            )
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
    while pids := _value(connection, _OLDER_SNAPSHOTS, transaction):
        if time.monotonic() + _LOOK_S > deadline:
            raise DayKept(
                f"{day.name} is kept: the processes {pids} of PostgreSQL look at the database as it was before; "
                "the next run tries again"
            )
        time.sleep(_LOOK_S)


# What a process is, only its own account and administrators are told; that it has an account, everybody. (Autovacuum
# has none, and reads no rows of ours for anybody.)
_OLDER_SNAPSHOTS = """
    SELECT string_agg(pid::text, ', ') FROM pg_stat_activity
    WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
      AND age(backend_xmin) >= age(%s::xid)
"""


def _require_unchanged(connection: psycopg.Connection, day: Partition, copied: Stamp) -> None:
    if stamp(connection, day.name) != copied:
        raise DayKept(f"{day.name} got other rows while it was copied; the next run tries again")


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
    mark = re.fullmatch(_IN_ORDER, comment or "")
    return mark is not None and _size(connection, day.name) < _GROWTH * int(mark[1])


def _drop_unfinished(connection: psycopg.Connection) -> dict[date, str]:
    """Drop copies that did not take their day's place, and nobody will put there any more.

    Return the days of those that cannot be dropped now, such as one that a dump is reading, and why.
    """
    found = connection.execute(
        "SELECT relname, to_date(substring(relname FROM %s), 'YYYYMMDD') FROM pg_class "
        "WHERE relkind = 'r' AND pg_table_is_visible(oid) AND relname ~ %s ORDER BY relname",
        [f"[0-9]{{8}}(?={COPY_SUFFIX}$)", f"^{HISTORY.name}_[0-9]{{8}}{COPY_SUFFIX}$"],
    )
    stuck: dict[date, str] = {}
    for name, day in found.fetchall():
        try:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        except psycopg.Error as amiss:
            if connection.closed:
                raise
            stuck[day] = (
                f"the unfinished copy {name} cannot be dropped ({_first_line(amiss)}); the next run tries again"
            )
    return stuck


def _reason(name: str, amiss: Exception) -> str:
    if isinstance(amiss, DayKept):
        return str(amiss)
    return f"{name} could not be written in order: {_first_line(amiss)}; the next run tries again"


def _first_line(amiss: Exception) -> str:
    return str(amiss).strip().partition("\n")[0] or type(amiss).__name__


def _size(connection: psycopg.Connection, name: str) -> int:
    return _value(connection, "SELECT pg_total_relation_size(%s::regclass)", name)


def _value(connection: psycopg.Connection, query: LiteralString, *parameters: str) -> Any:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]
