"""Advisory locks of the odds database, each with its number."""

from __future__ import annotations

import psycopg

_WRITER = 0x6F64_6473_0003
"""Held by whoever changes odds: cycles, replays, remaps and rebuilds never interleave (I5)."""

_CYCLE = 0x6F64_6473_0004
"""Held by a cycle while it scrapes: two never ask the bookmakers at once (B-46)."""


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
