"""Directories for the servers that tests start, and databases on them that are copies of others."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from odds_pipeline.database.embedded import EmbeddedServer, EmbeddedServerError, stop_abandoned
from odds_pipeline_tests.scratch import scratch_directory, scratch_root

_PREFIX = "odds-pipeline-tests-"

#: Durable against the death of any process, which tests cause, though not of the machine, which they do not.
TEST_SETTINGS = {
    "fsync": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
    "log_lock_waits": "off",
}


@contextmanager
def directory_for_a_server() -> Iterator[Path]:
    """A new directory that PostgreSQL can live in; servers in it that nobody uses at the end are stopped."""
    directory = scratch_directory(_PREFIX)
    try:
        yield directory
    finally:
        for cluster in directory.rglob("cluster/PG_VERSION"):
            stop_abandoned(cluster.parents[2])
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def copy_of(server: EmbeddedServer, template: str, *, name: str = "test") -> Iterator[str]:
    """The URL (libpq and SQLAlchemy) of a new database like the template, which nobody may be connected to."""
    name = f"{name}_{uuid4().hex[:12]}"
    with closing(psycopg.connect(server.url("postgres"), autocommit=True)) as connection:
        # The other way writes the whole copy into the log as well.
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        connection.execute(command.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield server.url(name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def sweep_killed_sessions() -> None:
    """Stop and remove the servers of test sessions that were killed; those of running sessions are in use."""
    for directory in scratch_root().glob(_PREFIX + "*"):
        if not re.fullmatch(_PREFIX + r"[a-z0-9_]{8}", directory.name):
            continue
        try:
            # A cluster that a running session keeps to copy from has no server.
            is_new = time.time() - directory.stat().st_mtime < 3600
            if not is_new and stop_abandoned(directory):
                shutil.rmtree(directory, ignore_errors=True)
        except (EmbeddedServerError, OSError):
            continue  # another account's, or being swept by another session
