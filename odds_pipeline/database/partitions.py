"""Partitions of the tables that are partitioned by time: made ahead, made on demand, listed.

``odds_history`` has one partition per UTC day (``odds_history_YYYYMMDD``), the first generation's ``odds_snapshots``
one per UTC month (``odds_snapshots_YYYYMM``). There is no default partition: it would forbid detaching concurrently.
Retiring partitions is the work of ``odds_pipeline.days``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

_LOCK = 0x6F646473_0002  # "odds", then a number per use of an advisory lock


@dataclass(frozen=True, slots=True)
class PartitionedTable:
    """A table partitioned by range of ``captured_at``, one partition per UTC ``period``."""

    name: str
    period: Literal["day", "month"]

    def first_day(self, day: date) -> date:
        """First day of the period that ``day`` lies in."""
        return day if self.period == "day" else day.replace(day=1)

    def end_day(self, first_day: date) -> date:
        """First day after the period that starts on ``first_day``."""
        if self.period == "day":
            return first_day + timedelta(days=1)
        return (first_day + timedelta(days=31)).replace(day=1)

    def periods(self, first_day: date, last_day: date) -> Iterator[date]:
        """First days of all periods from the one of ``first_day`` to the one of ``last_day``, both included."""
        start = self.first_day(first_day)
        while start <= last_day:
            yield start
            start = self.end_day(start)

    def partition_name(self, first_day: date) -> str:
        """Name of the partition of the period that starts on ``first_day``."""
        return f"{self.name}_{first_day:{'%Y%m%d' if self.period == 'day' else '%Y%m'}}"


HISTORY = PartitionedTable("odds_history", "day")
SNAPSHOTS = PartitionedTable("odds_snapshots", "month")

COPY_SUFFIX = "_in_order"
"""Ends the name of the copy of a partition that is to take its place; a killed run may leave one behind."""


class Partition(NamedTuple):
    """An attached partition: the UTC days from ``first_day`` up to but without ``end_day``."""

    name: str
    first_day: date
    end_day: date
    is_detaching: bool
    """A concurrent detach of it was begun and not finished: it takes no rows any more."""


class PartitionInTheWay(Exception):
    """A table bears the name of a partition that is to be made; what it holds must be dealt with first."""


class DayHalfDetached(Exception):
    """A concurrent detach was begun and not finished: the day's rows are there, and who reads the table lacks them."""


def list_partitions(connection: psycopg.Connection[Any], table: PartitionedTable = HISTORY) -> list[Partition]:
    """All partitions of ``table``, oldest first."""
    return _ask_partitions(connection, table, only_detaching=False)()


def ask_whole(
    connection: psycopg.Connection[Any], first_day: date = date.min, last_day: date = date.max
) -> Callable[[], None]:
    """Ask, in a pipeline or not, whether history of these UTC days, both included, is read with all of its rows.

    The answer raises ``DayHalfDetached`` when it is not. Days that were retired, or never were, are whole.
    """
    asked = _ask_partitions(connection, HISTORY, only_detaching=True)

    def answer() -> None:
        for name, first, end, _ in asked():
            if first <= last_day and first_day < end:
                raise DayHalfDetached(
                    f"{name} is half detached from {HISTORY.name}: what is read there lacks the rows of {first}; "
                    "odds-pipeline retention attaches it again, or drops it if the archive holds them"
                )

    return answer


def _ask_partitions(
    connection: psycopg.Connection[Any], table: PartitionedTable, *, only_detaching: bool
) -> Callable[[], list[Partition]]:
    cursor = connection.cursor(row_factory=tuple_row)
    cursor.execute(
        r"""
        SELECT partition.relname,
               (bounds[1]::timestamptz AT TIME ZONE 'UTC')::date AS first_day,
               (bounds[2]::timestamptz AT TIME ZONE 'UTC')::date,
               link.inhdetachpending
        FROM pg_inherits AS link
        JOIN pg_class AS partition ON partition.oid = link.inhrelid
        CROSS JOIN regexp_match(
            pg_get_expr(partition.relpartbound, partition.oid), $$FROM \('(.+)'\) TO \('(.+)'\)$$
        ) AS bounds
        WHERE link.inhparent = %s::regclass AND (link.inhdetachpending OR NOT %s)
        ORDER BY first_day
        """,
        [table.name, only_detaching],
    )
    return lambda: [Partition(*row) for row in cursor.fetchall()]


def missing_days(
    connection: psycopg.Connection[Any], first_day: date, last_day: date, table: PartitionedTable = HISTORY
) -> list[date]:
    """First days of the periods between two UTC days, both included, that no partition takes rows for."""
    present = {partition.first_day for partition in list_partitions(connection, table) if not partition.is_detaching}
    return [day for day in table.periods(first_day, last_day) if day not in present]


def ensure_partitions(
    connection: psycopg.Connection[Any], first_day: date, last_day: date, table: PartitionedTable = HISTORY
) -> list[str]:
    """Make the partitions missing between two UTC days, both included; return the names of those made.

    Neither readers nor writers of the table are stopped. Two that ensure at once wait for each other, for as long as
    the first one's transaction lasts, and make each partition once. Raises ``PartitionInTheWay``.
    """
    if not missing_days(connection, first_day, last_day, table):
        return []
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        missing = missing_days(connection, first_day, last_day, table)
        for day in missing:
            _make(connection, table, day)
    return [table.partition_name(day) for day in missing]


def _make(connection: psycopg.Connection[Any], table: PartitionedTable, first_day: date) -> None:
    # Made apart and then attached: CREATE TABLE ... PARTITION OF would lock out everybody who reads the parent.
    name = table.partition_name(first_day)
    parent, partition = sql.Identifier(table.name), sql.Identifier(name)
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)").format(
                    partition, parent
                )
            )
    except psycopg.errors.DuplicateTable:
        raise PartitionInTheWay(
            f"table {name} exists but is no partition of {table.name}, or is half detached from it: the one, attach "
            "again or move its rows; the other, odds-pipeline retention attaches again"
        ) from None
    _attach(connection, table, name, first_day, table.end_day(first_day))


def attach_again(connection: psycopg.Connection[Any], partition: Partition, table: PartitionedTable = HISTORY) -> None:
    """Make a detached table the partition again that it was."""
    _attach(connection, table, partition.name, partition.first_day, partition.end_day)
    with connection.cursor(row_factory=tuple_row) as cursor:
        # A concurrent detach leaves the partition's bounds behind as a constraint, which spares attaching a scan.
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c' AND conislocal",
            [partition.name],
        )
        for (name,) in cursor.fetchall():
            drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
            connection.execute(drop.format(sql.Identifier(partition.name), sql.Identifier(name)))


def _attach(
    connection: psycopg.Connection[Any], table: PartitionedTable, name: str, first_day: date, end_day: date
) -> None:
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            sql.Identifier(table.name), sql.Identifier(name), _midnight(first_day), _midnight(end_day)
        )
    )


def _midnight(day: date) -> sql.Literal:
    return sql.Literal(f"{day.isoformat()} 00:00:00+00")
