"""Days that an earlier system has and that were not imported, as questions are told of them (R18)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.unimported import Unimported
from odds_pipeline_tests.legacy.earlier_system import make_earlier_system

FIRST, SECOND = date(2026, 2, 1), date(2026, 2, 2)


def make(database: Database, *, days: int) -> None:
    with database.connect() as connection:
        connection.execute("DROP SCHEMA IF EXISTS earlier CASCADE")
        make_earlier_system(connection, schema="earlier", events=1, days=days)


def test_an_earlier_system_that_appears_is_told_of(database: Database) -> None:
    with LegacySource(database, "earlier") as source:
        unimported = Unimported(database, source, remembered=timedelta(0))
        assert unimported(date.min, date.max) == []
        make(database, days=2)
        assert unimported(date.min, date.max) == [FIRST, SECOND]
        assert unimported(SECOND, date.max) == [SECOND]
        make(database, days=1)
        assert unimported(date.min, date.max) == [FIRST]


def test_days_are_remembered_for_a_while_but_an_import_is_told_of_at_once(database: Database) -> None:
    make(database, days=2)
    with LegacySource(database, "earlier") as source:
        unimported = Unimported(database, source, remembered=timedelta(hours=1))
        assert unimported(date.min, date.max) == [FIRST, SECOND]
        with database.connect() as connection:
            connection.execute("DROP SCHEMA earlier CASCADE")
            connection.execute(
                "INSERT INTO imported_days SELECT %s, %s, 1, 0, 0, 0, 0, 0, 0, %s",
                [source.name, FIRST, datetime(2026, 11, 1, tzinfo=UTC)],
            )
        assert unimported(date.min, date.max) == [SECOND]
