"""Diff and commit of one cycle, as a ratio to what no design can do without.

The floor: reading keys and fingerprints of the same markets, and a binary COPY of as many rows as changed into a plain
table. Floor and subject are measured in turn in one process and on one server with production settings.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.write import write_cycle
from odds_pipeline.settings import Settings

from .measure import Seconds, median, peak_memory_mb, reset_peak_memory, say, timed
from .offers import CHANGED_SHARE, SCALES, Scale, prepared, stage
from .scratch import running, scratch_database, scratch_directory, total_size, wal_position

CYCLES = {"S": 9, "M": 9, "L": 5, "XL": 5}
_SETTINGS = Settings()


def run(scale_name: str) -> None:
    """Measure at one scale and print."""
    scale = SCALES[scale_name]
    with scratch_directory() as directory, scratch_database(directory) as database:
        _Commit(scale, directory / "staging", database).run(CYCLES[scale_name])


class _Measured(NamedTuple):
    """One cycle."""

    prepare: Seconds
    write: Seconds
    record: WriteRecord
    wal_mb: float


class _Commit:
    def __init__(self, scale: Scale, staging_root: Path, database: Database) -> None:
        self._scale = scale
        self._root = staging_root
        self._ingesting = adbc.connect(database.libpq)
        self._database = database

    def run(self, cycles: int) -> None:
        say(f"commit at scale {self._scale.name}: {self._scale.total:,} markets a cycle, {CHANGED_SHARE:.0%} changed")
        self._first()
        last = self._changing(cycles)
        self._idle(last)
        say(f"  peak memory of this process {peak_memory_mb():,.0f} MB")

    def _first(self) -> None:
        first = self._cycle(0)
        say(
            f"  first cycle: prepare {first.prepare.wall:.2f} s, write {first.write.wall:.2f} s, "
            f"WAL {first.wal_mb:,.0f} MB, {first.record.new:,} new; peak memory {peak_memory_mb():,.0f} MB"
        )

    def _changing(self, cycles: int) -> int:
        with self._database.connect(autocommit=True) as connection:
            # As autovacuum leaves the tables soon after a first cycle.
            connection.execute("VACUUM ANALYZE")
            connection.execute("CREATE TABLE floor_rows (LIKE odds_history)")
            history_before = total_size(connection, "odds_history")
        floors: list[float] = []
        measured: list[_Measured] = []
        for number in range(1, cycles + 1):
            floors.append(self._floor())
            measured.append(self._cycle(number))
            floors.append(self._floor())
            self._say(number, measured[-1], floors[-2:])
        floor = median(floors)
        write = median([one.write.wall for one in measured])
        whole = median([one.prepare.wall + one.write.wall for one in measured])
        say(
            f"  write {write:.3f} s = {write / floor:.2f} x floor of {floor:.3f} s; "
            f"with prepare {whole:.3f} s = {whole / floor:.2f} x"
        )
        with self._database.connect() as connection:
            history = total_size(connection, "odds_history") - history_before
        rows = sum(one.record.inserted_history for one in measured)
        say(
            f"  WAL {median([one.wal_mb for one in measured]):.2f} MB a cycle; "
            f"history {history / rows:.0f} bytes a row, heap and indexes"
        )
        return cycles

    def _idle(self, last: int) -> None:
        measured = [self._cycle(number, moved_until=last) for number in range(last + 1, last + 4)]
        assert not any(one.record.inserted_history for one in measured)
        say(
            f"  idle cycle: write {median([one.write.wall for one in measured]):.3f} s, "
            f"WAL {median([one.wal_mb for one in measured]):.3f} MB"
        )

    def _say(self, number: int, one: _Measured, floors: Sequence[float]) -> None:
        say(
            f"    {number}: floor {floors[0]:.3f} and {floors[1]:.3f} s, prepare {one.prepare.wall:.3f} s, "
            f"write {one.write.wall:.3f} s (of which this process computing {one.write.cpu:.3f} s), "
            f"{one.record.changed:,} changed"
        )
        say(f"       {one.record.seconds}")

    def _cycle(self, number: int, *, moved_until: int | None = None) -> _Measured:
        staging = stage(self._scale, self._root, number, moved_until=moved_until)
        run_id = running(self._database, number, _SETTINGS)
        if number == 0:
            reset_peak_memory()
        with self._database.connect(autocommit=True) as connection:
            before = wal_position(connection)
            answers, prepare = timed(lambda: prepared(staging, number))
            record, write = timed(
                lambda: write_cycle(
                    self._database,
                    Archive(self._root / "archive"),
                    answers,
                    run_id=run_id,
                    settings=_SETTINGS,
                    now=answers.as_of,
                )
            )
            wal_mb = (wal_position(connection) - before) / 1e6
        staging.remove()
        return _Measured(prepare, write, record, wal_mb)

    def _floor(self) -> float:
        """Seconds of reading keys and fingerprints, and of copying as many rows as a cycle changes."""
        rows = self._rows_to_copy()
        started = time.perf_counter()
        self._database.read_frame(
            """
            SELECT market.event_bookmaker_id, market.market_type_id, (market.line * 1000)::int, current.market_id,
                   market.label_fingerprint, current.fingerprint, current.unavailable_at, current.last_seen_at
            FROM markets AS market JOIN current_odds AS current ON current.market_id = market.id
            """
        )
        with self._ingesting.cursor() as cursor:
            cursor.adbc_ingest("floor_rows", rows, mode="append")
        self._ingesting.commit()
        return time.perf_counter() - started

    def _rows_to_copy(self) -> pa.Table:
        frame = self._database.read_frame(
            "SELECT market_id, captured_at, run_id, state FROM odds_history LIMIT $1::bigint",
            [round(self._scale.total * CHANGED_SHARE)],
        )
        return frame.to_arrow()
