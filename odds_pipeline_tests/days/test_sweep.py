"""Files that leave the archive: only ours, only those that no row names, only old ones."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.sweep import orphans, sweep
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds

BOUNDS = Bounds.of(Settings(), datetime(2026, 11, 20, tzinfo=UTC))

OLD_ORPHANS = {
    "observations/day=2026-11-01/20261101T000100.000000Z-1.parquet",
    "observations/day=2026-11-01/20261101T000100.000000Z-1.coverage.parquet",
    "state/day=2026-11-01/20261101-0a1b2c3d.parquet",
    "history/day=2026-11-01/20261101-0a1b2c3d.parquet",
    "history/day=2026-11-01/.20261101-0a1b2c3d.parquet.4711.partial",
}
NOT_OURS = {
    "archive.txt",
    "notes.parquet",
    "history/README.md",
    "history/day=2026-11-01/notes.txt",
    "history/2026/20261101-0a1b2c3d.parquet",
    "reports/day=2026-11-01/20261101-0a1b2c3d.parquet",
    "history/day=2026-11-01/deeper/20261101-0a1b2c3d.parquet",
}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect() as connection:
        yield connection


def age(archive: Archive, path: str, hours: float) -> None:
    assert archive.folder is not None
    moment = time.time() - hours * 3600
    os.utime(archive.folder / path, (moment, moment))


def test_only_old_files_of_ours_that_no_row_names_are_swept(archive: Archive, connection: psycopg.Connection) -> None:
    new, named = "history/day=2026-11-02/20261102-00000000.parquet", "history/day=2026-11-02/20261102-00000001.parquet"
    gone = "history/day=2026-11-01/20261101-00000000.parquet"
    for path in (*OLD_ORPHANS, *NOT_OURS, new, named):
        archive.put(path, [b"content"])
        age(archive, path, 0.9 if path == new else 1.1)
    for number, path in enumerate((gone, named), start=1):
        connection.execute(
            "INSERT INTO archive_files (kind, path, first_day, last_day, rows, bytes, sha256) "
            "VALUES ('history', %(path)s, %(first)s, %(last)s, 1, 7, '')",
            {"path": path, "first": date(2026, 11, number), "last": date(2026, 11, number)},
        )
    connection.commit()
    assert set(orphans(connection, archive, BOUNDS)) == OLD_ORPHANS
    assert set(sweep(connection, archive, BOUNDS)) == OLD_ORPHANS
    assert set(archive.list("")) == {*NOT_OURS, new, named}
    assert set(sweep(connection, archive, BOUNDS, age=timedelta(minutes=30))) == {new}
    assert sweep(connection, archive, BOUNDS, age=timedelta()) == []


def test_every_file_that_a_cycle_leaves_is_named_and_stays(database: Database, connection: psycopg.Connection) -> None:
    DaysOfOdds(database).write(days=1)
    there = archive_of(database).list("observations")
    assert len(there) == 8
    assert sweep(connection, archive_of(database), BOUNDS, age=timedelta(seconds=-5)) == []
    assert archive_of(database).list("observations") == there
    connection.execute("DELETE FROM archive_files WHERE kind = 'coverage'")
    assert len(sweep(connection, archive_of(database), BOUNDS, age=timedelta(seconds=-5))) == 4, "their names are ours"


def test_an_archive_that_holds_nothing_yet_has_no_orphans(archive: Archive, connection: psycopg.Connection) -> None:
    assert sweep(connection, archive, BOUNDS) == []


def test_what_a_database_restored_from_an_older_dump_has_forgotten_is_kept(
    database: Database, connection: psycopg.Connection
) -> None:
    """Its cycles can be replayed; another cycle has got the number of one of them since."""
    archive = archive_of(database)
    DaysOfOdds(database).write(date(2026, 11, 10), days=1, cycles=3)
    archive.put(retired := "history/day=2026-11-09/20261109-00000000.parquet", [b"content"])
    there = archive.list("observations")
    connection.execute("DELETE FROM archive_files")
    connection.execute("DELETE FROM odds_history")
    connection.execute("DELETE FROM scrape_runs WHERE id = 2")
    connection.execute("UPDATE scrape_runs SET cycle_at = cycle_at + interval '1 day' WHERE id = 3")
    swept = sweep(connection, archive, BOUNDS, age=timedelta(seconds=-5))
    assert len(swept) == 2
    assert all(path in there and "Z-1." in path for path in swept)
    later = Bounds.of(Settings(), datetime(2026, 11, 30, tzinfo=UTC))
    assert len(sweep(connection, archive, later, age=timedelta(seconds=-5))) == 4, "their day is no longer kept"
    assert archive.list("history") == [retired]
