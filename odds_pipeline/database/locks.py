"""Advisory locks of the odds database, each with its number.

Who needs both takes the archive's lock before the writer's; so nobody waits for another in a ring.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg

_WRITER = 0x6F64_6473_0003
"""Held by whoever changes odds: cycles, replays, remaps and rebuilds never interleave (I5)."""

_CYCLE = 0x6F64_6473_0004
"""Held by a cycle while it scrapes: two never ask the bookmakers at once (B-46)."""

_RUN = 0x6F64_6473
"""The first of two keys, of which the second is a run's id: shared by the sessions that work for that run."""

_ARCHIVE = 0x6F64_6473_0005
"""Held by whoever retires, rebuilds or imports days, makes states or sweeps: one at a time, cycles go on."""


@contextmanager
def archive_lock(connection: psycopg.Connection) -> Iterator[None]:
    """Wait for, and hold during the block, the right to do something with whole days.

    The lock is the session's, over any number of transactions: ``connection`` must be the caller's own, not borrowed.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", [_ARCHIVE])
    connection.commit()
    try:
        yield
    finally:
        # A session that has died took its lock with it.
        if not connection.closed:
            connection.rollback()
            connection.execute("SELECT pg_advisory_unlock(%s)", [_ARCHIVE])
            connection.commit()


def take_writer_lock(connection: psycopg.Connection) -> None:
    """Wait for, and hold until the transaction ends, the right to change odds."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITER])


def try_cycle_lock(connection: psycopg.Connection) -> bool:
    """Take, if it is free, the right to scrape whole offers; held until the connection is closed, its owner's death
    included, so that nothing needs to be cleared up after a crash.
    """
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_CYCLE]).fetchone()
    # The lock is the session's; ending the transaction keeps old row versions from piling up while the scrape lasts.
    connection.commit()
    return row is not None and row[0]


def sign_session(connection: psycopg.Connection, run_id: int) -> None:
    """Name the run that the session works for, until it is closed: ``end_sessions_of`` finds it by that."""
    connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", [_RUN, run_id])
    connection.commit()


def sign_transaction(connection: psycopg.Connection, run_id: int) -> None:
    """Like ``sign_session``, until the transaction ends: before anything is locked that others wait for."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [_RUN, run_id])


def end_sessions_of(connection: psycopg.Connection, run_id: int) -> int:
    """End the sessions that work for a run, and with them their locks and transactions; return how many there were.

    A process that hangs keeps its connections, and a machine that is gone leaves them behind for hours: whoever waits
    for what they hold would wait as long.
    """
    ended = connection.execute(
        """
        SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
        WHERE locktype = 'advisory' AND (classid, objid, objsubid) = (%s::oid, %s::oid, 2)
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        [_RUN, run_id],
    )
    return len(ended.fetchall())


def end_cycle_without_run(connection: psycopg.Connection, *, silent_for: timedelta) -> int:
    """End the session that holds the cycle's lock, works for no run and has asked nothing for so long (the server's
    clock); return how many there were: a process that hung in the moment between taking the lock and its run.
    """
    ended = connection.execute(
        """
        SELECT pg_terminate_backend(held.pid, 5000)
        FROM pg_locks AS held JOIN pg_stat_activity AS session ON session.pid = held.pid
        WHERE held.locktype = 'advisory'
          AND (held.classid, held.objid, held.objsubid) = ((%(key)s >> 32)::oid, (%(key)s & 4294967295)::oid, 1)
          AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND session.state_change < clock_timestamp() - %(silent_for)s
          AND NOT EXISTS (
              SELECT FROM pg_locks AS signed
              WHERE signed.pid = held.pid AND signed.locktype = 'advisory'
                AND (signed.classid, signed.objsubid) = (%(run)s::oid, 2)
          )
        """,
        {"key": _CYCLE, "run": _RUN, "silent_for": silent_for},
    )
    return len(ended.fetchall())
