"""Fixtures of the tests of storage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odds_pipeline.database.engine import Database


@pytest.fixture
def empty(empty_database: str) -> Iterator[Database]:
    """Connections to a database without any table."""
    with Database(empty_database) as database:
        yield database
