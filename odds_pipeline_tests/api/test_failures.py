"""What the API says when it cannot answer: a status for each reason, and nothing that is nobody's business."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from odds_pipeline.api.service import NotMigrated, open_service
from odds_pipeline.clock import SystemClock
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import HandMade, hand_made
from odds_pipeline_tests.api.asking import Api, api_of, problem, settings_of
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.half_detached import half_detached
from odds_pipeline_tests.database.reading import query


@pytest.fixture
def spoilt(database: Database) -> Iterator[Api]:
    """The API over a hand-made world of the test's own, to be broken."""
    with api_of(hand_made(database)) as api:
        yield api


@contextmanager
def shut(server: EmbeddedServer, database: Database) -> Iterator[None]:
    """Nobody can connect to the database, and whoever was connected is not any more."""
    name = str(database.url.database)
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with closing(psycopg.connect(server.url("postgres"), autocommit=True)) as connection:
        connection.execute(allow.format(sql.Identifier(name), sql.Literal(False)))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            connection.execute(allow.format(sql.Identifier(name), sql.Literal(True)))


def test_a_question_that_takes_too_long_is_given_up(world: HandMade) -> None:
    """Somebody holds a table: the question waits until PostgreSQL ends it."""
    with api_of(world, api_statement_timeout=timedelta(milliseconds=200)) as api:
        with world.source.database.connect() as holding:
            holding.execute("LOCK TABLE scrape_runs IN ACCESS EXCLUSIVE MODE")
            for path in ("/runs", "/failures"):
                assert problem(api.get(path), 504)["type"] == "urn:odds-pipeline:too-slow"
            holding.rollback()
        for path in ("/runs", "/failures"):
            assert api.get(path).status_code == 200


def test_a_database_that_is_away_is_told_and_found_again(spoilt: Api, postgres_server: EmbeddedServer) -> None:
    database = spoilt.world.source.database
    assert spoilt.get("/health").status_code == 200
    with shut(postgres_server, database):
        for path in ("/health", "/events", "/failures"):
            document = problem(spoilt.get(path), 503)
            assert document["type"] == "urn:odds-pipeline:database-away"
            assert str(database.url.database) not in document["detail"]
    for path in ("/health", "/events", "/failures"):
        assert spoilt.get(path).status_code == 200


def test_a_database_of_another_revision_is_told(spoilt: Api) -> None:
    with spoilt.world.source.database.connect() as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0012'")
    assert problem(spoilt.get("/health"), 503)["type"] == "urn:odds-pipeline:database-unready"
    with spoilt.world.source.database.connect() as connection:
        connection.execute("ALTER TABLE scrape_errors RENAME TO elsewhere")
    assert problem(spoilt.get("/errors"), 503)["type"] == "urn:odds-pipeline:database-unready"


def test_our_own_mistakes_tell_nothing_of_our_insides(spoilt: Api) -> None:
    with spoilt.world.source.database.connect() as connection:
        connection.execute("UPDATE current_odds SET state = '\\x'")
    document = problem(spoilt.get("/events"), 500)
    assert document["detail"] == "the server made a mistake; its log has the details"
    assert spoilt.get("/runs").status_code == 200


def test_a_file_of_the_archive_that_is_lost_is_told(spoilt: Api) -> None:
    with spoilt.world.source.database.connect() as connection:
        connection.execute(
            """
            INSERT INTO archive_files (kind, path, first_day, last_day, rows, bytes, sha256)
            VALUES ('history', 'history/day=2026-11-01/1.parquet', '2026-11-01', '2026-11-01', 1, 1, 'x')
            """
        )
    event_id = spoilt.world.events["derby"]
    document = problem(spoilt.get(f"/events/{event_id}/odds", market="3743"), 503)
    assert document["type"] == "urn:odds-pipeline:archive-unusable"
    assert str(Path(str(archive_of(spoilt.world.source.database).folder))) not in document["detail"]


def test_a_day_that_is_half_detached_is_told(spoilt: Api) -> None:
    database = spoilt.world.source.database
    ((day,),) = query(database, "SELECT min(captured_at AT TIME ZONE 'UTC')::date FROM odds_history")
    with half_detached(database, day):
        document = problem(spoilt.get(f"/events/{spoilt.world.events['derby']}/odds", market="3743"), 503)
    assert document["type"] == "urn:odds-pipeline:database-unready"
    assert f"lacks the rows of {day}" in document["detail"]


def test_the_api_does_not_start_on_a_database_that_is_not_migrated(empty_database: str) -> None:
    with (
        Database(empty_database) as database,
        pytest.raises(NotMigrated, match=r"at revision none, .* run odds-pipeline migrate"),
        open_service(settings_of(database), SystemClock()),
    ):
        pass
