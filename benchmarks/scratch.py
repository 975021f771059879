"""A database of the benchmark's own: the embedded server with the settings it has in production, thrown away after."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from odds_pipeline.database import migrate
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.database.runs import open_run, start_run
from odds_pipeline.settings import Settings

from .offers import cycle_at


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A new directory that the account which runs PostgreSQL can enter."""
    directory = Path(tempfile.mkdtemp(prefix="odds-pipeline-benchmark-")).resolve()
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def scratch_database(directory: Path) -> Iterator[Database]:
    """A database at the newest revision, on a server that ends with the block."""
    with EmbeddedServer.ensure(directory) as server:
        migrate.upgrade(server.url())
        database = Database(server.url(), application_name="benchmark")
        yield database
        database.dispose()


def running(database: Database, number: int, settings: Settings) -> int:
    """A run that may write the cycle ``number``."""
    run_id = open_run(database, trigger="manual", now=cycle_at(number))
    start_run(database, run_id, now=cycle_at(number), settings=settings)
    return run_id


def wal_position(connection: psycopg.Connection) -> int:
    """Bytes of write-ahead log written so far."""
    return int(_one(connection, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"))


def server_cpu(connection: psycopg.Connection) -> float:
    """Seconds that the server's processes, gone ones included, have been computing."""
    postmaster = psutil.Process(connection.info.backend_pid).parent()
    assert postmaster is not None
    ended = postmaster.cpu_times()
    seconds = ended.children_user + ended.children_system
    for process in postmaster.children():
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def total_size(connection: psycopg.Connection, table: str) -> int:
    """Bytes of a table with its indexes, TOAST and partitions."""
    return int(
        _one(
            connection,
            # A table without partitions has no partition tree.
            "SELECT sum(pg_total_relation_size(relid))::bigint FROM ("
            "SELECT relid FROM pg_partition_tree(%s) UNION SELECT %s::regclass) AS part",
            table,
            table,
        )
    )


def _one(connection: psycopg.Connection, query: str, *parameters: str) -> int:
    row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0] or 0
