"""Fixtures of the earlier system with one match (``one_match.py``)."""

from __future__ import annotations

import psycopg
import pytest

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline_tests.legacy.one_match import OldSystem


@pytest.fixture(scope="session")
def shared_old(postgres_server: EmbeddedServer) -> OldSystem:
    """An earlier system for all tests that only add odds."""
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE one_old_match TEMPLATE template0")
    return OldSystem(postgres_server.url("one_old_match"))


@pytest.fixture
def old(shared_old: OldSystem) -> OldSystem:
    """An earlier system with one match and no odds yet."""
    shared_old.empty()
    return shared_old


@pytest.fixture
def altered(empty_database: str) -> OldSystem:
    """The same, to be altered."""
    return OldSystem(empty_database)
