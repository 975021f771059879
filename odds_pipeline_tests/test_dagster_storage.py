"""The instance that ``dagster.yaml`` describes: in PostgreSQL, found by the settings alone."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from odds_pipeline.data_dir import project_directory


@pytest.fixture
def named(migrated_database: str, empty_database: str, server_directory: Path) -> dict[str, str]:
    """Settings that name both databases."""
    return {
        "ODDS_DATABASE_URL": migrated_database,
        "ODDS_DAGSTER_DATABASE_URL": empty_database,
        "ODDS_DATA_DIR": str(server_directory),
    }


def test_runs_events_and_schedules_are_kept_in_postgresql(
    named: dict[str, str], empty_database: str, monkeypatch: pytest.MonkeyPatch
):
    """C1. With SQLAlchemy 2.1 a URL without psycopg2 in its scheme breaks dagster-postgres at the first run."""
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.from_config(str(project_directory())) as instance:
        for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
            assert isinstance(storage, PostgresRunStorage | PostgresEventLogStorage | PostgresScheduleStorage)
            assert storage.postgres_url.startswith("postgresql+psycopg2://")
        assert not instance.telemetry_enabled
        assert instance.get_runs_count() == 0
    with psycopg.connect(empty_database) as connection:
        tables = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables").fetchall()}
    assert {"runs", "event_logs", "job_ticks"} <= tables


def test_dagster_validates_the_definitions_in_a_checkout_as_it_is(named: dict[str, str]):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ODDS_", "DAGSTER"))}
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate"],
        cwd=project_directory(),
        env=environment | named,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "All code locations passed validation" in done.stderr + done.stdout
