"""What is in place before Dagster starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg import errors
from pydantic import SecretStr

from odds_pipeline.cli.instance import prepare
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.settings import Settings
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.database.reading import query


@pytest.fixture
def settings(database: Database, server_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "to be restored")
    url = database.url.render_as_string(hide_password=False)
    return Settings(database_url=SecretStr(url), data_dir=server_directory)


def test_a_detach_left_half_done_is_finished_at_the_start(database: Database, settings: Settings):
    day = datetime(2026, 1, 14, 12, tzinfo=UTC)
    commit(database, Cycle(day, {}, [answer("betpawa", "e", day, {("1x2", None): {"1": "1.5"}})]))
    before = query(database, "SELECT market_id, captured_at, state FROM odds_history_changes")
    with database.connect(autocommit=True) as connection, database.connect() as reader:
        reader.execute("SELECT FROM odds_history")
        connection.execute("SET statement_timeout = '300ms'")
        with pytest.raises(errors.QueryCanceled):
            connection.execute("ALTER TABLE odds_history DETACH PARTITION odds_history_20260114 CONCURRENTLY")
        assert [partition.is_detaching for partition in list_partitions(connection)] == [True]
        prepare(settings)
        assert any(partition.is_detaching for partition in list_partitions(connection)), "a reader is not waited for"
    prepare(settings)
    with database.connect() as connection:
        assert not any(partition.is_detaching for partition in list_partitions(connection))
    assert query(database, "SELECT market_id, captured_at, state FROM odds_history_changes") == before


def test_the_days_from_today_or_an_earlier_one_on_have_partitions(database: Database, settings: Settings):
    today = datetime.now(UTC).date()
    prepare(settings)
    with database.connect() as connection:
        assert min(partition.first_day for partition in list_partitions(connection)) == today
    prepare(settings, first_day=today - timedelta(days=3))
    with database.connect() as connection:
        days = [partition.first_day for partition in list_partitions(connection)]
    assert days == [today + timedelta(days=n) for n in range(-3, settings.partition_days_ahead + 1)]
