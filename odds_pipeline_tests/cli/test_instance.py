"""What is in place before Dagster starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from odds_pipeline.cli.instance import prepare
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.settings import Settings
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.half_detached import days_half_detached, half_detached
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
    with half_detached(database, day.date()):
        prepare(settings)
        assert days_half_detached(database) == [day.date()], "a reader is not waited for"
    prepare(settings)
    assert days_half_detached(database) == []
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
