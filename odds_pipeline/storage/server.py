"""What a server says of itself: its version, whether it is a replica, what it offers, the log it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from odds_pipeline.storage.measured import Wal
from odds_pipeline.storage.session import unhurried

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Server:
    """Of the connection's server and database; the fields mean what they mean in ``DatabaseProfile``."""

    version: str
    is_replica: bool
    total_bytes: int
    can_lz4: bool
    extensions: dict[str, bool]
    wal: Wal | None
    """None on a replica, which writes none of its own."""
    scans_since: datetime | None


def describe_server(connection: Connection) -> Server:
    """Ask the server. Costs a look at the size of each of the database's files."""
    with unhurried(connection):
        return _described(connection)


def _described(connection: Connection) -> Server:
    row = connection.execute(_SERVER).fetchone()
    assert row is not None
    version, is_replica, total_bytes, can_lz4, scans_since = row
    offered = connection.execute(
        "SELECT name, installed_version IS NOT NULL FROM pg_available_extensions ORDER BY name"
    )
    return Server(
        version=version.partition(" ")[0],
        is_replica=is_replica,
        total_bytes=total_bytes,
        can_lz4=can_lz4,
        extensions=dict(offered.fetchall()),
        wal=None if is_replica else _wal(connection),
        scans_since=scans_since,
    )


def _wal(connection: Connection) -> Wal | None:
    row = connection.execute("SELECT wal_bytes::bigint, stats_reset FROM pg_stat_wal").fetchone()
    return None if row is None or row[1] is None else Wal(*row)


# A server that starts anew after a crash, or a copy of one, has counted since then; a database whose counters somebody
# has set back, since that.
_SERVER = """
    SELECT current_setting('server_version'), pg_is_in_recovery(), pg_database_size(current_database()),
           coalesce((SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'), false),
           greatest(
               (SELECT stats_reset FROM pg_stat_wal),
               (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database())
           )
"""
