"""Pruning Dagster's database once: everything that is due, in small steps, until all is looked at or time is up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg
from dagster import DagsterInstance
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.pruning.check_rows import prune_check_rows
from odds_pipeline.pruning.compute_logs import ComputeLogs
from odds_pipeline.pruning.events import prune_events
from odds_pipeline.pruning.logs import prune_echoes, prune_logs
from odds_pipeline.pruning.policy import Policy
from odds_pipeline.pruning.runs import prune_backfills, prune_runs
from odds_pipeline.pruning.sizes import TableSize, table_sizes
from odds_pipeline.pruning.snapshots import prune_snapshots
from odds_pipeline.pruning.sweep import HELD, Sweep, wait_for_nobody
from odds_pipeline.pruning.tables import require_known_tables
from odds_pipeline.pruning.ticks import prune_ticks

TIME_BUDGET = timedelta(minutes=2)
"""How long one pruning may delete. What is left over is done by the next."""

_LOCK = 0x6F64_6473_0010
"""Held in Dagster's database by whoever prunes it."""

_VACUUMED_FROM = 100
"""Deleted rows of a table from which on it is vacuumed at once. Autovacuum waits for a fifth of the rows; until then
new ones would make the table longer."""

_OLDEST_RUN = "SELECT to_timestamp(coalesce(end_time, start_time)) FROM runs ORDER BY id LIMIT 1"
_OLDEST_EVENT = """
    SELECT timestamp AT TIME ZONE 'UTC' FROM event_logs WHERE dagster_event_type = %s ORDER BY id LIMIT 1
"""


class NothingToPrune(Exception):
    """The database is not the one in which this instance keeps its runs; the message says what to set."""


class PruningUnderWay(Exception):
    """Another pruning of the same database has not ended."""


class TableHeld(Exception):
    """Somebody holds the table of runs, so that it cannot be told whether the database is the instance's."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one pruning found and did."""

    before: tuple[TableSize, ...]
    after: tuple[TableSize, ...]
    rows: Mapping[tuple[str, str], int]
    """Deleted rows by table and kind."""
    bytes: Mapping[str, int]
    """Bytes of the texts that they held, by table."""
    runs_with_files: int
    file_bytes: int
    oldest_run: datetime | None
    oldest_log: datetime | None
    oldest_materialization: datetime | None
    vacuumed: tuple[str, ...]
    is_complete: bool
    """False when time was up first: the next pruning goes on. What was postponed does not count, as it may last."""
    postponed: tuple[str, ...]
    """What somebody else held, and files that may not be deleted, in words."""
    seconds: float

    def rows_of(self, table: str) -> int:
        """Rows deleted from ``table``."""
        return sum(rows for (name, _), rows in self.rows.items() if name == table)


def prune(
    database: Database, instance: DagsterInstance, policy: Policy, *, run_id: str, budget: timedelta = TIME_BUDGET
) -> Pruned:
    """Prune the database in which ``instance`` keeps its runs, ``run_id`` among them.

    Raises ``NothingToPrune`` when that run is not in it, ``UnknownDagsterStorage`` when its tables are not those that
    are known, ``PruningUnderWay``, and ``TableHeld``.
    """
    began = time.monotonic()
    with database.connect(autocommit=True) as connection:
        wait_for_nobody(connection)
        require_known_tables(connection)
        _require_run(connection, run_id)
        # The session's: whoever is killed has let go of it.
        (is_ours,) = _row(connection, "SELECT pg_try_advisory_lock(%s)", _LOCK)
        if not is_ours:
            raise PruningUnderWay(
                f"the database {connection.info.dbname} is being pruned already; wait for that to end"
            )
        sweep = Sweep(connection, policy, deadline=began + budget.total_seconds())
        files = ComputeLogs(instance.compute_log_manager)
        before = table_sizes(sweep)
        prune_logs(sweep, files)
        prune_echoes(sweep)
        prune_events(sweep)
        prune_check_rows(sweep)
        prune_ticks(sweep)
        prune_backfills(sweep)
        prune_runs(sweep, files)
        prune_snapshots(sweep)
        vacuumed = _vacuum(connection, sweep)
        return Pruned(
            before=before,
            oldest_run=_oldest(sweep, "the oldest run", _OLDEST_RUN),
            oldest_log=_oldest(sweep, "the oldest log", _OLDEST_EVENT, "LOGS_CAPTURED"),
            oldest_materialization=_oldest(sweep, "the oldest materialization", _OLDEST_EVENT, "ASSET_MATERIALIZATION"),
            after=table_sizes(sweep),
            rows=dict(sweep.rows),
            bytes=dict(sweep.bytes),
            runs_with_files=files.runs,
            file_bytes=files.bytes,
            vacuumed=vacuumed,
            is_complete=not sweep.is_interrupted,
            postponed=(*sweep.postponed, *_in_words(files.left)),
            seconds=round(time.monotonic() - began, 3),
        )


def _require_run(connection: psycopg.Connection, run_id: str) -> None:
    try:
        is_stored = connection.execute("SELECT FROM runs WHERE run_id = %s", [run_id]).fetchone() is not None
    except HELD as held:
        raise TableHeld(
            f"somebody holds the table runs in the database {connection.info.dbname} and nothing was pruned; "
            "pg_locks says who"
        ) from held
    if not is_stored:
        raise NothingToPrune(
            f"the run {run_id} is not in the database {connection.info.dbname}: this Dagster instance keeps its "
            "runs elsewhere, and nothing was pruned. Name its database in ODDS_DAGSTER_DATABASE_URL"
        )


def _in_words(left: Sequence[str]) -> Iterator[str]:
    """The first of what is left, and how much more there is: all may have one cause."""
    if left:
        yield left[0] + (f"; and those of {len(left) - 1} more runs" if len(left) > 1 else "")


def _vacuum(connection: psycopg.Connection, sweep: Sweep) -> tuple[str, ...]:
    """Make the room of deleted rows usable for new ones. Never takes a lock that a writer would wait for."""
    deleted: dict[str, int] = {}
    for (table, _), rows in sweep.rows.items():
        deleted[table] = deleted.get(table, 0) + rows
    vacuumed: list[str] = []
    for table in sorted(table for table, rows in deleted.items() if rows >= _VACUUMED_FROM):
        with sweep.part(f"vacuum of {table}"):
            # Giving free pages at the end back would lock the table, and new rows need them soon.
            connection.execute(
                sql.SQL("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) {}").format(sql.Identifier(table))
            )
            vacuumed.append(table)
    return tuple(vacuumed)


def _oldest(sweep: Sweep, what: str, query: LiteralString, *parameters: object) -> datetime | None:
    with sweep.part(what):
        row = sweep.connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]
    return None


def _row(connection: psycopg.Connection, query: LiteralString, *parameters: object) -> tuple[Any, ...]:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row
