"""Fixtures of the Dagster layer: a real instance on PostgreSQL, and the definitions against the simulator."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData
from psycopg import sql
from pydantic import SecretStr

from odds_pipeline.archive.store import Archive
from odds_pipeline.clock import ManualClock
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database, DatabaseUrls
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.definitions import build_definitions
from odds_pipeline.partitions import partition_of
from odds_pipeline.resources import DagsterDatabase
from odds_pipeline.scrape.cycle import scrape_cycle, write_scraped
from odds_pipeline.settings import BookmakerSettings, Settings
from odds_pipeline.simulator.simulator import Simulator
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.servers import copy_of
from odds_pipeline_tests.scratch import DATA, scratch_directory

NOON = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
"""When the pipeline clock stands at the start of a test."""
EVENTS = 6
PERIOD = timedelta(minutes=5)


@pytest.fixture(scope="session")
def dagster_template(postgres_server: EmbeddedServer) -> str:
    """The name of a database with Dagster's tables, to be copied."""
    name = "dagster_template"
    with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    with dg.instance_for_test(overrides=_storage(postgres_server.url(name))):
        pass
    return name


@pytest.fixture
def dagster_url(postgres_server: EmbeddedServer, dagster_template: str) -> Iterator[str]:
    """The URL of a fresh database with Dagster's tables."""
    with copy_of(postgres_server, dagster_template, name="dagster") as url:
        yield url


@pytest.fixture
def dagster_instance(dagster_url: str) -> Iterator[dg.DagsterInstance]:
    """A real, empty Dagster instance whose runs, events and schedules are in PostgreSQL."""
    with dg.instance_for_test(overrides=_storage(dagster_url)) as instance:
        yield instance


def _storage(url: str) -> dict[str, Any]:
    urls = DatabaseUrls.from_settings(Settings(database_url=SecretStr(url), dagster_database_url=SecretStr(url)))
    return {"storage": {"postgres": {"postgres_url": urls.dagster}}, "telemetry": {"enabled": False}}


@dataclass(slots=True)
class Pipeline:
    """The definitions with everything they run against, and short ways to launch and to ask."""

    settings: Settings
    clock: ManualClock
    simulator: Simulator
    database: Database
    dagster_database: Database
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def cycle(
        self, selection: list[dg.AssetKey] | None = None, *, partition: str | None = "today", job: str = "odds_cycle"
    ) -> dg.ExecuteInProcessResult:
        """Execute the cycle job, or a selection of its assets, for today unless another day (or None) is given."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            asset_selection=selection,
            partition_key=partition_of(self.clock.now()) if partition == "today" else partition,
            raise_on_error=False,
        )

    def fill(self) -> WriteRecord:
        """A cycle without Dagster, for tests that are about what comes after one: twice as fast."""
        assert self.settings.data_dir is not None
        given = {"settings": self.settings, "clock": self.clock}
        cycle, _ = scrape_cycle(
            self.database,
            self.settings.bookmakers,
            trigger="manual",
            staging_root=self.settings.data_dir / "staging",
            **given,
        )
        return write_scraped(self.database, Archive.from_settings(self.settings), cycle, **given)

    def job(self, name: str, **options: Any) -> dg.ExecuteInProcessResult:
        """Execute a job without partitions."""
        return self.definitions.resolve_job_def(name).execute_in_process(
            instance=self.instance, raise_on_error=False, **options
        )

    def advance(self, by: timedelta = PERIOD) -> None:
        """Move the pipeline clock, which is the simulator's too."""
        self.clock.advance(by)

    def tick(self, name: str) -> SensorExecutionData:
        """Evaluate a sensor as the daemon would."""
        sensor = self.definitions.resolve_sensor_def(name)
        return sensor.evaluate_tick(
            dg.build_sensor_context(
                instance=self.instance,
                repository_def=self.definitions.get_repository_def(),
                resources=self.resources(),
                sensor_name=name,
            )
        )

    def resources(self) -> dict[str, Any]:
        """What sensors are given."""
        return {
            "settings": self.settings,
            "clock": self.clock,
            "database": self.database,
            "dagster_database": DagsterDatabase(self.dagster_database),
            "archive": Archive.from_settings(self.settings),
        }

    def rows(self, query: Any, *parameters: object) -> list[tuple[Any, ...]]:
        """What a query on the odds database gives."""
        with self.database.connect() as connection:
            return connection.execute(query, parameters or None).fetchall()


@pytest.fixture
def pipeline(
    request: pytest.FixtureRequest,
    migrated_database: str,
    dagster_url: str,
    dagster_instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Pipeline]:
    """The pipeline on a fresh database and instance, against a simulator of a few events, at noon.

    Another number of events: ``@pytest.mark.parametrize("pipeline", [20], indirect=True)``.
    """
    clock = ManualClock(NOON)
    folder = scratch_directory(DATA)
    events = getattr(request, "param", EVENTS)
    with Simulator(events=events, clock=clock, period=PERIOD) as simulator:
        sections = {
            slug: BookmakerSettings(url=url, retry_wait_s=0, retry_wait_max_s=0, tries=2, give_up_after=20)
            for slug, url in simulator.urls.items()
        }
        database = Database(migrated_database)
        settings = Settings(
            database_url=SecretStr(migrated_database),
            dagster_database_url=SecretStr(dagster_url),
            data_dir=folder,
            # The one that builders write into as well.
            archive_url=SecretStr(str(archive_of(database).folder)),
            guard_least_events=1_000,
        ).model_copy(update=sections)
        with Database(dagster_url) as dagster_database:
            definitions = build_definitions(settings, clock)
            yield Pipeline(settings, clock, simulator, database, dagster_database, dagster_instance, definitions)
        database.dispose()
    shutil.rmtree(folder, ignore_errors=True)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """The message of the first step that failed, its cause included."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            described = event.step_failure_data.user_failure_data
            return (described.description if described else None) or json.dumps(error.to_string() if error else "")
    raise AssertionError("no step failed")
