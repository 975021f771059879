"""What assets, sensors and checks are given: settings, the pipeline clock, the database, the archive, the staging.

Each is made when a run or a tick needs it, so that loading the definitions connects nowhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from odds_pipeline.archive.store import Archive
from odds_pipeline.clock import Clock
from odds_pipeline.data_dir import data_directory
from odds_pipeline.database.engine import Database, DatabaseUrls
from odds_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class DagsterDatabase:
    """Connections to the database in which Dagster keeps runs, events and schedules."""

    database: Database


@dataclass(frozen=True, slots=True)
class StagingRoot:
    """The folder in which runs keep their answers until they are written."""

    path: Path


def pipeline_resources(settings: Settings, clock: Clock) -> Mapping[str, dg.ResourceDefinition]:
    """The resources by name."""

    def settings_resource(_: dg.InitResourceContext) -> Settings:
        return settings

    def clock_resource(_: dg.InitResourceContext) -> Clock:
        return clock

    def database_resource(_: dg.InitResourceContext) -> Iterator[Database]:
        database = Database.from_settings(settings)
        yield database
        database.dispose()

    def dagster_database_resource(_: dg.InitResourceContext) -> Iterator[DagsterDatabase]:
        database = Database(DatabaseUrls.from_settings(settings).dagster_database)
        yield DagsterDatabase(database)
        database.dispose()

    def archive_resource(_: dg.InitResourceContext) -> Archive:
        return Archive.from_settings(settings)

    def staging_resource(_: dg.InitResourceContext) -> StagingRoot:
        return StagingRoot(data_directory(settings) / "staging")

    return {
        "settings": dg.ResourceDefinition(settings_resource, description="Every setting, read from ODDS_*."),
        "clock": dg.ResourceDefinition(clock_resource, description="The pipeline clock: aware UTC."),
        "database": dg.ResourceDefinition(database_resource, description="The odds database."),
        "dagster_database": dg.ResourceDefinition(dagster_database_resource, description="Dagster's own database."),
        "archive": dg.ResourceDefinition(archive_resource, description="Parquet under ODDS_ARCHIVE_URL."),
        "staging": dg.ResourceDefinition(staging_resource, description="Where a run's answers wait to be written."),
    }
