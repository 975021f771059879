"""Fixtures of the tests of pruning."""

from collections.abc import Iterator

import pytest

from odds_pipeline.database.engine import Database


@pytest.fixture
def stored(dagster_url: str) -> Iterator[Database]:
    """Connections to the database of ``dagster_instance``."""
    with Database(dagster_url) as database:
        yield database
