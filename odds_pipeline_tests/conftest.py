"""Fixtures that every test may use: a real PostgreSQL, and databases on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from odds_pipeline.database import migrate
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.archive.stores import archive_url, s3
from odds_pipeline_tests.dagster_fixtures import dagster_instance, dagster_template, dagster_url, pipeline
from odds_pipeline_tests.database.servers import TEST_SETTINGS, copy_of, directory_for_a_server, sweep_killed_sessions

__all__ = ["archive_url", "dagster_instance", "dagster_template", "dagster_url", "pipeline", "s3"]

#: Files that take half a minute or more, the longest first. They begin first, so that no worker of pytest-xdist is left
#: with one of them when the others have nothing more to do.
LONGEST_FILES = (
    "cli/test_up.py",
    "cli/test_run.py",
    "cycle/test_real_series.py",
    "cycle/test_kill.py",
    "attacks/test_cuts.py",
    "cycle/test_calendar.py",
    "cycle/test_faults.py",
    "assets/test_cycle.py",
    "database/test_invariants.py",
    "pruning/test_prune.py",
    "cycle/test_moving_world.py",
    "cli/test_api.py",
    "days/test_read.py",
    "cycle/test_storage_budget.py",
    "analysis/test_moments_property.py",
    "attacks/test_security_secrets.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; within a file, and of the others, the order stays."""
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedServer]:
    """An embedded PostgreSQL for the tests of this process (each worker of pytest-xdist has its own)."""
    sweep_killed_sessions()
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
    with copy_of(postgres_server, "template0") as url:
        yield url


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
    with copy_of(postgres_server, migrated_template) as url:
        yield url


@pytest.fixture
def database(migrated_database: str) -> Iterator[Database]:
    """Connections to a fresh database at the newest revision."""
    database = Database(migrated_database)
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def shared_migrated_database(postgres_server: EmbeddedServer, migrated_template: str) -> Iterator[str]:
    """Like ``migrated_database``, but one for all tests of a module."""
    with copy_of(postgres_server, migrated_template) as url:
        yield url
