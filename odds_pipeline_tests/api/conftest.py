"""Fixtures of the API: the hand-made world behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import HandMade, hand_made
from odds_pipeline_tests.api.asking import Api, api_of


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    """The hand-made world in a database of the module's own, to be read."""
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


@pytest.fixture(scope="module")
def api(world: HandMade) -> Iterator[Api]:
    """The API over it."""
    with api_of(world) as api:
        yield api
