"""One made-up cycle through the writer, measured: what several benchmarks do to a database of their own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.write import write_cycle
from odds_pipeline.scrape.staging import Staging
from odds_pipeline.settings import Settings

from .measure import Seconds, timed
from .offers import prepared
from .scratch import running, wal_position

_SETTINGS = Settings()


class Written(NamedTuple):
    """One cycle."""

    prepare: Seconds
    write: Seconds
    record: WriteRecord
    wal_mb: float


def write_staged(database: Database, archive: Archive, staging: Staging, number: int) -> Written:
    """Prepare and write the staged cycle ``number``, and end its files' life."""
    run_id = running(database, number, _SETTINGS)
    with database.connect(autocommit=True) as connection:
        before = wal_position(connection)
        answers, prepare = timed(lambda: prepared(staging, number))
        record, write = timed(
            lambda: write_cycle(database, archive, answers, run_id=run_id, settings=_SETTINGS, now=answers.as_of)
        )
        wal_mb = (wal_position(connection) - before) / 1e6
    staging.remove()
    return Written(prepare, write, record, wal_mb)


def settle(database: Database) -> None:
    """Leave the tables as autovacuum does soon after a first cycle, and no checkpoint to come."""
    with database.connect(autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def archive_beside(directory: Path) -> Archive:
    """The archive of a scratch directory's database."""
    return Archive(directory / "archive")
