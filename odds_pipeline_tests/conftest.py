"""Fixtures that every test may use: a real PostgreSQL, and databases on it."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from odds_pipeline.database import migrate
from odds_pipeline.database.embedded import EmbeddedServer, EmbeddedServerError, stop_abandoned
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.archive.stores import archive_url, s3
from odds_pipeline_tests.dagster_fixtures import dagster_instance, dagster_template, dagster_url, pipeline

__all__ = ["archive_url", "dagster_instance", "dagster_template", "dagster_url", "pipeline", "s3"]

_PREFIX = "odds-pipeline-tests-"

#: Files that take half a minute or more, the longest first. They begin first, so that no worker of pytest-xdist is left
#: with one of them when the others have nothing more to do.
LONGEST_FILES = (
    "cli/test_up.py",
    "database/test_invariants.py",
    "cycle/test_real_series.py",
    "cycle/test_kill.py",
    "cli/test_run.py",
    "cycle/test_calendar.py",
    "cycle/test_moving_world.py",
    "analysis/test_moments_property.py",
    "assets/test_cycle.py",
    "cycle/test_faults.py",
)

#: Durable against the death of any process, which tests cause, though not of the machine, which they do not.
TEST_SETTINGS = {
    "fsync": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
    "log_lock_waits": "off",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; within a file, and of the others, the order stays."""
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedServer]:
    """An embedded PostgreSQL for the tests of this process (each worker of pytest-xdist has its own)."""
    _sweep_killed_sessions()
    with directory_for_a_server() as directory, EmbeddedServer.ensure(directory, overrides=TEST_SETTINGS) as server:
        yield server


@pytest.fixture
def server_directory() -> Iterator[Path]:
    """A new directory in which a test may start a server of its own; whatever runs there at the end is stopped."""
    with directory_for_a_server() as directory:
        yield directory


@pytest.fixture
def empty_database(postgres_server: EmbeddedServer) -> Iterator[str]:
    """The URL (libpq and SQLAlchemy) of a fresh, empty database."""
    yield from _database(postgres_server, template="template0")


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedServer) -> str:
    """The name of a database at the newest revision, to be copied, not connected to."""
    with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as connection:
        connection.execute("CREATE DATABASE migrated_template TEMPLATE template0")
    migrate.upgrade(postgres_server.url("migrated_template"))
    return "migrated_template"


@pytest.fixture
def migrated_database(postgres_server: EmbeddedServer, migrated_template: str) -> Iterator[str]:
    """The URL (libpq and SQLAlchemy) of a fresh database at the newest revision."""
    yield from _database(postgres_server, template=migrated_template)


@pytest.fixture
def database(migrated_database: str) -> Iterator[Database]:
    """Connections to a fresh database at the newest revision."""
    database = Database(migrated_database)
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def shared_migrated_database(postgres_server: EmbeddedServer, migrated_template: str) -> Iterator[str]:
    """Like ``migrated_database``, but one for all tests of a module."""
    yield from _database(postgres_server, template=migrated_template)


@contextmanager
def directory_for_a_server() -> Iterator[Path]:
    """A new directory that PostgreSQL can live in; servers in it that nobody uses at the end are stopped."""
    # Not pytest's temporary directory: as root that is closed to the account that runs PostgreSQL.
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        for cluster in directory.rglob("cluster/PG_VERSION"):
            stop_abandoned(cluster.parents[2])
        shutil.rmtree(directory, ignore_errors=True)


def _database(server: EmbeddedServer, *, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    with closing(psycopg.connect(server.url("postgres"), autocommit=True)) as connection:
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(command.format(sql.Identifier(name), sql.Identifier(template)))
    yield server.url(name)
    with closing(psycopg.connect(server.url("postgres"), autocommit=True)) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _sweep_killed_sessions() -> None:
    """Stop and remove the servers of test sessions that were killed; those of running sessions are in use."""
    for directory in Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
        if not re.fullmatch(_PREFIX + r"[a-z0-9_]{8}", directory.name):
            continue
        try:
            # A cluster that a running session keeps to copy from has no server.
            is_new = time.time() - directory.stat().st_mtime < 3600
            if not is_new and stop_abandoned(directory):
                shutil.rmtree(directory, ignore_errors=True)
        except (EmbeddedServerError, OSError):
            continue  # another account's, or being swept by another session
