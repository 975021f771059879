"""Files that leave the archive: only ours, only those that no row names, only old ones."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.days.sweep import orphans, sweep
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds

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
    new, named = "history/day=2026-11-02/20261102-00000000.parquet", "history/day=2026-11-03/20261103-00000000.parquet"
    for path in (*OLD_ORPHANS, *NOT_OURS, new, named):
        archive.put(path, [b"content"])
        age(archive, path, 0.9 if path == new else 1.1)
    connection.execute(
        "INSERT INTO archive_files (kind, path, first_day, last_day, rows, bytes, sha256) "
        "VALUES ('history', %s, '2026-11-03', '2026-11-03', 1, 7, '')",
        [named],
    )
    connection.commit()
    assert set(orphans(connection, archive)) == OLD_ORPHANS
    assert set(sweep(connection, archive)) == OLD_ORPHANS
    assert set(archive.list("")) == {*NOT_OURS, new, named}
    assert set(sweep(connection, archive, age=timedelta(minutes=30))) == {new}
    assert sweep(connection, archive, age=timedelta()) == []


def test_every_file_that_a_cycle_leaves_is_named_and_stays(database: Database, connection: psycopg.Connection) -> None:
    DaysOfOdds(database).write(days=1)
    there = archive_of(database).list("observations")
    assert len(there) == 8
    assert sweep(connection, archive_of(database), age=timedelta(seconds=-5)) == []
    assert archive_of(database).list("observations") == there
    connection.execute("DELETE FROM archive_files WHERE kind = 'coverage'")
    assert len(sweep(connection, archive_of(database), age=timedelta(seconds=-5))) == 4, "their names are ours"


def test_an_archive_that_holds_nothing_yet_has_no_orphans(archive: Archive, connection: psycopg.Connection) -> None:
    assert sweep(connection, archive) == []
