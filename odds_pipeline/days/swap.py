"""Putting something else in a day's place, while readers and writers go on.

The locks are asked for in short tries, because others wait behind whoever asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import psycopg
from psycopg import errors, sql

from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.database.partitions import HISTORY, Partition

PATIENCE = timedelta(seconds=30)
"""How long a day's readers are waited for, in all tries together."""

_WAIT_FOR_TABLE, _WAIT_FOR_PARTITION = "60ms", "20ms"
"""How long one try waits for a lock. Readers that come meanwhile wait behind it, 100 ms at most."""

_PAUSE_S = 0.2
"""Between two tries: those who waited behind the last one go first."""


class DayKept(Exception):
    """A day stays in PostgreSQL as it is; the message says why and what to do."""


def swap_patiently(
    connection: psycopg.Connection,
    partition: Partition,
    *,
    require_unchanged: Callable[[], None],
    put_in_place: Callable[[], None],
    patience: timedelta,
) -> tuple[int, float]:
    """Drop a partition in one transaction with what ``put_in_place`` does after it, as soon as the locks are had.

    Return the number of tries and the longest time that readers were held up, in seconds. ``require_unchanged`` looks
    first, under the writer's lock while readers go on, and raises if the partition must stay. ``connection`` is in no
    transaction. Raises ``DayKept`` when no locks were to be had, and whatever the two raise.
    """
    deadline = time.monotonic() + patience.total_seconds()
    tries, longest = 0, 0.0
    while True:
        is_done, seconds = _try(connection, partition, require_unchanged, put_in_place)
        tries, longest = tries + 1, max(longest, seconds)
        if is_done:
            return tries, longest
        if time.monotonic() + _PAUSE_S > deadline:
            raise DayKept(
                f"{partition.name} is being read without a pause: no lock was to be had within "
                f"{patience.total_seconds():g} s; the next run tries again"
            )
        time.sleep(_PAUSE_S)


def _try(
    connection: psycopg.Connection,
    partition: Partition,
    require_unchanged: Callable[[], None],
    put_in_place: Callable[[], None],
) -> tuple[bool, float]:
    """Whether the locks were had and the partition has gone, and the seconds from asking for them to the end."""
    asked = time.perf_counter()
    try:
        with connection.transaction():
            take_writer_lock(connection)
            require_unchanged()
            asked = time.perf_counter()
            _drop(connection, partition)
            put_in_place()
    except errors.LockNotAvailable:
        return False, time.perf_counter() - asked
    return True, time.perf_counter() - asked


def _drop(connection: psycopg.Connection, partition: Partition) -> None:
    table, name = sql.Identifier(HISTORY.name), sql.Identifier(partition.name)
    for wait, relation in ((_WAIT_FOR_TABLE, table), (_WAIT_FOR_PARTITION, name)):
        connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(wait))
        connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(relation))
    connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(table, name))
    connection.execute(sql.SQL("DROP TABLE {}").format(name))
