"""Advisory locks of the odds database, each with its number."""

from __future__ import annotations

import psycopg

_WRITER = 0x6F64_6473_0003
"""Held by whoever changes odds: cycles, replays, remaps and rebuilds never interleave (I5)."""


def take_writer_lock(connection: psycopg.Connection) -> None:
    """Wait for, and hold until the transaction ends, the right to change odds."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITER])
