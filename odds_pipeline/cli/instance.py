"""What has to be in place before Dagster runs: a migrated database, and Dagster's own home beside the data.

``DAGSTER_HOME`` is ``<data directory>/dagster``; the project's ``dagster.yaml`` is copied there, so that the webserver,
the daemon and ``run`` share one instance wherever they are started.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from odds_pipeline.clock import SystemClock
from odds_pipeline.data_dir import data_directory, project_directory
from odds_pipeline.database import migrate
from odds_pipeline.database.engine import Database, DatabaseUrls
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.settings import Settings


class NoCheckout(FileNotFoundError):
    """``dagster.yaml`` or ``workspace.yaml`` is missing: the package was installed without its checkout."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A migrated database, and the environment in which Dagster's processes find everything."""

    database: Database
    workspace: Path
    environment: Mapping[str, str]


def prepare(settings: Settings) -> Prepared:
    """Start or reach the database, migrate it, make history's next days, and set up Dagster's home.

    Raises ``NoCheckout``, and what ``DatabaseUrls.from_settings``, ``migrate.upgrade`` and ``ensure_partitions`` do.
    """
    project = project_directory()
    for name in ("dagster.yaml", "workspace.yaml"):
        if not (project / name).is_file():
            raise NoCheckout(f"{project / name} is missing: run from a checkout of the project")
    urls = DatabaseUrls.from_settings(settings)
    migrate.upgrade(urls.odds)
    database = Database(urls.odds)
    today = SystemClock().now().date()
    with database.connect() as connection:
        ensure_partitions(connection, today, today + timedelta(days=settings.partition_days_ahead))
    home = data_directory(settings) / "dagster"
    home.mkdir(exist_ok=True)
    shutil.copyfile(project / "dagster.yaml", home / "dagster.yaml")
    environment = {"DAGSTER_HOME": str(home), "DAGSTER_POSTGRES_URL": urls.dagster}
    return Prepared(database, project / "workspace.yaml", environment)


def adopt(environment: Mapping[str, str]) -> None:
    """Make the environment this process's own, for the libraries that read it from there."""
    os.environ.update(environment)
