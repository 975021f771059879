"""Retention: days that are over leave PostgreSQL for the archive, and with them what only they needed.

The policy is in ``bounds.py``. A day with which anything is amiss stays, and with it whatever its rows need; the others
go all the same. Each run is a row of ``cleanup_runs``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import psycopg
from psycopg.rows import class_row

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import claim_archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import Partition
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.cleanup import DELETED, clean_up
from odds_pipeline.days.compact import CompactedDay, WaitingDay, compact_days
from odds_pipeline.days.opening import make_states
from odds_pipeline.days.preview import due_days
from odds_pipeline.days.retire import RetiredDay, StateIsStale, finish_detaching, retire_day
from odds_pipeline.days.swap import PATIENCE
from odds_pipeline.days.sweep import OutlivedFiles, forget_outlived, sweep
from odds_pipeline.settings import Settings

CleanupTrigger = Literal["scheduled", "manual"]

_STATES_MADE = 3
"""How often states are made anew for one day, when cycles keep writing into days that are over."""


@dataclass(frozen=True, slots=True)
class KeptDay:
    """A day that should have gone, and why it did not."""

    day: date
    reason: str


@dataclass(frozen=True, slots=True)
class Retained:
    """What one run did. ``deleted``: rows by table; ``outlived`` and ``orphans``: files deleted from the archive.

    ``waiting``: days that are over and not in the order of their key, which is no failure.
    """

    cleanup_run_id: int
    bounds: Bounds
    finished_detaches: Sequence[str]
    retired: Sequence[RetiredDay]
    kept: Sequence[KeptDay]
    outlived: OutlivedFiles
    orphans: Sequence[str]
    deleted: Mapping[str, int]
    compacted: Sequence[CompactedDay]
    waiting: Sequence[WaitingDay]
    seconds: float

    @property
    def rows(self) -> int:
        """History rows that moved to the archive."""
        return sum(day.rows for day in self.retired)

    @property
    def freed(self) -> int:
        """Bytes that they had in PostgreSQL."""
        return sum(day.freed for day in self.retired)

    @property
    def archived_bytes(self) -> int:
        """Bytes that they have in the archive."""
        return sum(day.file.bytes for day in self.retired if day.file is not None)


def retain(
    database: Database,
    archive: Archive,
    *,
    settings: Settings,
    now: datetime,
    trigger: CleanupTrigger,
    patience: timedelta = PATIENCE,
) -> Retained:
    """Apply the policy of the settings as of the pipeline clock's ``now``; waits for another run that is under way.

    ``patience``: how long readers of one day are waited for. Raises ``ArchiveUnusable``, ``ArchiveOfAnother``,
    ``DayHalfDetached`` and ``psycopg.Error``; the row of ``cleanup_runs`` then says what stopped it.
    """
    with database.connect() as connection, archive_lock(connection):
        began = time.perf_counter()
        run_id = _open(connection, settings, now, trigger)
        retaining = _Retaining(database, archive, connection, settings, now, patience)
        amiss: str | None = None
        try:
            done = retaining.run(run_id, began)
            amiss = "; ".join(f"{day.day}: {day.reason}" for day in done.kept) or None
        except BaseException as error:
            amiss = _first_line(error)
            raise
        finally:
            if not connection.closed:
                connection.rollback()
                _close(connection, run_id, retaining, amiss, time.perf_counter() - began)
        return done


@dataclass(frozen=True, slots=True)
class LastRun:
    """A row of ``cleanup_runs``: when it began on the pipeline's clock, and how it ended."""

    started_at: datetime
    status: str
    error_message: str | None


def last_run(database: Database) -> LastRun | None:
    """The newest run; None when there was none yet."""
    with database.borrow() as connection, connection.cursor(row_factory=class_row(LastRun)) as cursor:
        cursor.execute("SELECT started_at, status, error_message FROM cleanup_runs ORDER BY id DESC LIMIT 1")
        return cursor.fetchone()


class _Retaining:
    """One run: each step is a method, ``run`` is their order."""

    def __init__(
        self,
        database: Database,
        archive: Archive,
        connection: psycopg.Connection,
        settings: Settings,
        now: datetime,
        patience: timedelta,
    ) -> None:
        self.database, self.archive, self.connection = database, archive, connection
        self.settings, self.now, self.patience = settings, now, patience
        self.retired: list[RetiredDay] = []
        self.kept: list[KeptDay] = []
        self.deleted: Mapping[str, int] = {}

    def run(self, run_id: int, began: float) -> Retained:
        bounds = Bounds.of(self.settings, self.now)
        with self.connection.transaction():
            claim_archive(self.connection, self.archive)
        # While a day is half detached nothing can be told of those after it, nor what is needed by it.
        finished = finish_detaching(self.connection, self.database, self.archive)
        self._retire_days(bounds)
        if self.kept:
            bounds = bounds.keeping(min(day.day for day in self.kept))
        self.deleted = clean_up(self.database, bounds)
        over = forget_outlived(self.connection, self.archive, bounds)
        orphans = sweep(self.connection, self.archive, bounds)
        compacted, waiting = compact_days(self.database, before=self.now.date())
        return Retained(
            run_id,
            bounds,
            finished,
            self.retired,
            self.kept,
            over,
            orphans,
            self.deleted,
            compacted,
            waiting,
            round(time.perf_counter() - began, 3),
        )

    def _retire_days(self, bounds: Bounds) -> None:
        # The state with which the first day kept begins, before what it comes from goes (I8).
        make_states(self.database, self.archive, bounds.first_kept, since=bounds.first_kept)
        with self.connection.transaction():
            due = due_days(self.connection, bounds)
        for partition in due:
            try:
                self.retired.append(self._retire(partition, bounds))
            except Exception as amiss:
                # Whatever is amiss with one day keeps that one; without a connection nothing can go on.
                if self.connection.closed:
                    raise
                self.kept.append(KeptDay(partition.first_day, _first_line(amiss)))

    def _retire(self, partition: Partition, bounds: Bounds) -> RetiredDay:
        for attempt in range(_STATES_MADE):
            try:
                return retire_day(
                    self.connection,
                    self.database,
                    self.archive,
                    partition,
                    first_kept=bounds.first_kept,
                    patience=self.patience,
                )
            except StateIsStale:
                if attempt + 1 == _STATES_MADE:
                    raise
                make_states(self.database, self.archive, bounds.first_kept, since=bounds.first_kept)
        raise AssertionError("a loop that returns or raises")


def _open(connection: psycopg.Connection, settings: Settings, now: datetime, trigger: CleanupTrigger) -> int:
    """Begin a row of ``cleanup_runs``; under the archive's lock no other can be under way, so open ones have died."""
    with connection.transaction():
        connection.execute(
            """
            UPDATE cleanup_runs SET status = 'failed', completed_at = %s,
                   error_message = 'its process died; the run after it goes on from there'
            WHERE status = 'running'
            """,
            [now],
        )
        row = connection.execute(
            """
            INSERT INTO cleanup_runs (started_at, trigger, odds_retention_days, match_retention_days)
            VALUES (%s, %s, %s, %s) RETURNING id
            """,
            [now, trigger, settings.retention_days, settings.match_retention_days],
        ).fetchone()
    assert row is not None
    return row[0]


def _close(
    connection: psycopg.Connection, run_id: int, retaining: _Retaining, amiss: str | None, seconds: float
) -> None:
    with connection.transaction():
        connection.execute(
            """
            UPDATE cleanup_runs SET
                status = %(status)s, error_message = %(amiss)s, completed_at = %(completed_at)s,
                duration_seconds = %(seconds)s, history_deleted = %(history)s, scrape_runs_deleted = %(scrape_runs)s,
                scrape_errors_deleted = %(scrape_errors)s, events_deleted = %(events)s,
                tournaments_deleted = %(tournaments)s, odds_deleted = %(odds_snapshots)s,
                competitor_odds_deleted = %(competitor_odds_snapshots)s,
                competitor_events_deleted = %(competitor_events)s,
                competitor_tournaments_deleted = %(competitor_tournaments)s,
                storage_samples_deleted = %(storage_samples)s, storage_alerts_deleted = %(storage_alerts)s,
                oldest_odds_date = (SELECT min(captured_at) FROM odds_history),
                oldest_match_date = (SELECT min(kickoff) FROM events)
            WHERE id = %(id)s
            """,
            {
                "id": run_id,
                "status": "completed" if amiss is None else "failed",
                "amiss": amiss,
                "completed_at": retaining.now + timedelta(seconds=seconds),
                "seconds": seconds,
                "history": sum(day.rows for day in retaining.retired),
                **(dict.fromkeys(DELETED, 0) | dict(retaining.deleted)),
            },
        )


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
