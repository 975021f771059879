"""Fixtures of days: five for reading across tiers, of which three may be retired; copies of days lived through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds, shown_rows
from odds_pipeline_tests.days.live_days import Lived, copied
from odds_pipeline_tests.days.questions import DAYS, FIRST_KEPT, Row, Shared, retire


@pytest.fixture
def archive(database: Database) -> Archive:
    return archive_of(database)


@pytest.fixture
def days(database: Database) -> DaysOfOdds:
    days = DaysOfOdds(database, events=2)
    days.write(days=DAYS, cycles=2)
    return days


@pytest.fixture
def retired(days: DaysOfOdds, database: Database) -> list[Row]:
    """Three of five days are retired. The rows that there were before."""
    before = shown_rows(database)
    retire(database, FIRST_KEPT)
    return before


@pytest.fixture(scope="module")
def shared(shared_migrated_database: str) -> Iterator[Shared]:
    database = Database(shared_migrated_database)
    DaysOfOdds(database, events=2).write(days=DAYS, cycles=2)
    before = shown_rows(database)
    retire(database, FIRST_KEPT)
    yield Shared(database, archive_of(database), before)
    database.dispose()


@pytest.fixture
def lived(postgres_server: EmbeddedServer, template: Lived) -> Iterator[Lived]:
    """A copy of the module's ``template``, days that were written live."""
    with copied(postgres_server, template) as lived:
        yield lived
