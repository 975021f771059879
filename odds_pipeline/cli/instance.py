"""What has to be in place before Dagster runs: a migrated database, and Dagster's own home beside the data.

``DAGSTER_HOME`` is ``<data directory>/dagster``; the project's ``dagster.yaml`` is copied there, so that the webserver,
the daemon and ``run`` share one instance wherever they are started.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from odds_pipeline.archive.store import Archive
from odds_pipeline.bookmakers.registry import enabled
from odds_pipeline.clock import SystemClock
from odds_pipeline.data_dir import data_directory, project_directory
from odds_pipeline.database import migrate
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import DayHalfDetached, ensure_partitions
from odds_pipeline.days.retire import finish_detaches
from odds_pipeline.settings import Settings


class NoCheckout(FileNotFoundError):
    """``dagster.yaml`` or ``workspace.yaml`` is missing: the package was installed without its checkout."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A migrated database, and what Dagster's processes load."""

    database: Database
    workspace: Path


def prepare(settings: Settings, *, first_day: date | None = None) -> Prepared:
    """Start or reach the database, migrate it, make history's days, and set up Dagster's home (``DAGSTER_HOME``).

    The days are those from ``first_day``, or today, to the last one to be made ahead. A detach of a day that was left
    half done is finished.

    Raises ``NoCheckout``, ``UnknownBookmaker``, and what ``Database.from_settings``, ``migrate.upgrade``,
    ``finish_detaches`` and ``ensure_partitions`` do.
    """
    enabled(settings)
    project = project_directory()
    for name in ("dagster.yaml", "workspace.yaml"):
        if not (project / name).is_file():
            raise NoCheckout(f"{project / name} is missing: run from a checkout of the project")
    database = Database.from_settings(settings)
    migrate.upgrade(database.url)
    # Somebody who reads just now must not keep everything from starting: retention finishes it as well.
    with suppress(DayHalfDetached):
        finish_detaches(database, Archive.from_settings(settings))
    today = SystemClock().now().date()
    with database.connect() as connection:
        ensure_partitions(connection, first_day or today, today + timedelta(days=settings.partition_days_ahead))
    home = data_directory(settings) / "dagster"
    home.mkdir(exist_ok=True)
    shutil.copyfile(project / "dagster.yaml", home / "dagster.yaml")
    # Dagster's libraries, here and in child processes, read it from the environment only.
    os.environ["DAGSTER_HOME"] = str(home)
    return Prepared(database, project / "workspace.yaml")
