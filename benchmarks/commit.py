"""Diff and commit of one cycle, as a ratio to what no design can do without.

The floor: reading keys and fingerprints of the same markets, and a binary COPY of as many rows as changed into a plain
table. Floor and subject are measured in turn in one process and on one server with production settings.
"""

from __future__ import annotations

import time
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.write import write_cycle
from odds_pipeline.scrape.staging import Staging
from odds_pipeline.settings import Settings

from .measure import Seconds, median, peak_memory_mb, reset_peak_memory, say, timed
from .offers import SCALES, Scale, prepared, stage
from .scratch import running, scratch_database, scratch_directory, total_size, wal_position

CYCLES = {"S": 9, "M": 9, "L": 5, "XL": 5}
_SETTINGS = Settings()


def run(scale_name: str) -> None:
    """Measure at one scale and print."""
    scale = SCALES[scale_name]
    with scratch_directory() as directory, scratch_database(directory) as database:
        _Commit(scale, directory / "staging", database).run(CYCLES[scale_name])


class _Commit:
    def __init__(self, scale: Scale, staging_root: Path, database: Database) -> None:
        self._scale = scale
        self._root = staging_root
        self._database = database
        self._wal = 0

    def run(self, cycles: int) -> None:
        say(f"commit at scale {self._scale.name}: {self._scale.total:,} markets a cycle, 5 % changed")
        prepare, write, record = self._cycle(0, moved_until=0)
        say(f"  first cycle: prepare {prepare.wall:.2f} s, write {write.wall:.2f} s, "
            f"{record.new:,} markets, {record.outcomes_stored:,} outcomes")  # fmt: skip
        say(f"  first cycle: peak memory of this process {peak_memory_mb():,.0f} MB, WAL {self._wal / 1e6:,.1f} MB")
        with self._database.connect(autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CREATE TABLE floor_rows (market_id int, captured_at timestamptz, run_id int, "
                               "state bytea)")  # fmt: skip
            history_before = total_size(connection, "odds_history")
        floors: list[float] = []
        prepares: list[Seconds] = []
        writes: list[Seconds] = []
        wal: list[float] = []
        changed = 0
        for number in range(1, cycles + 1):
            floors.append(self._floor())
            prepare, write, record = self._cycle(number)
            floors.append(self._floor())
            prepares.append(prepare)
            writes.append(write)
            wal.append(self._wal)
            changed += record.changed
            say(f"  cycle {number}: floor {floors[-2]:.3f} and {floors[-1]:.3f} s, prepare {prepare.wall:.3f} s, "
                f"write {write.wall:.3f} s (cpu {write.cpu:.3f} s), {record.changed:,} changed, {record.seconds}")  # fmt: skip
        floor = median(floors)
        subject = median([write.wall for write in writes])
        whole = median([p.wall + w.wall for p, w in zip(prepares, writes, strict=True)])
        say(f"  floor {floor:.3f} s; write {subject:.3f} s = {subject / floor:.2f} x floor; "
            f"with prepare {whole:.3f} s = {whole / floor:.2f} x floor")  # fmt: skip
        with self._database.connect() as connection:
            history = (total_size(connection, "odds_history") - history_before) / changed
        say(f"  history {history:.0f} bytes a row (heap and indexes); WAL {median(wal) / 1e6:.2f} MB a cycle")
        idle_wal: list[float] = []
        idle: list[float] = []
        for number in range(cycles + 1, cycles + 4):
            _, write, record = self._cycle(number, moved_until=cycles)
            assert record.inserted_history == 0
            idle.append(write.wall)
            idle_wal.append(self._wal)
        say(f"  idle cycle: write {median(idle):.3f} s, WAL {median(idle_wal) / 1e6:.3f} MB")
        say(f"  peak memory of this process {peak_memory_mb():,.0f} MB")

    def _cycle(self, number: int, *, moved_until: int | None = None) -> tuple[Seconds, Seconds, WriteRecord]:
        staging = stage(self._scale, self._root, number, moved_until=moved_until)
        run_id = running(self._database, number, _SETTINGS)
        if number == 0:
            reset_peak_memory()
        with self._database.connect(autocommit=True) as connection:
            before = wal_position(connection)
            prepare, write, record = self._write(staging, number, run_id)
            self._wal = wal_position(connection) - before
        staging.remove()
        return prepare, write, record

    def _write(self, staging: Staging, number: int, run_id: int) -> tuple[Seconds, Seconds, WriteRecord]:
        answers, prepare = timed(lambda: prepared(staging, number))
        record, write = timed(
            lambda: write_cycle(self._database, answers, run_id=run_id, settings=_SETTINGS, now=answers.as_of)
        )
        return prepare, write, record

    def _floor(self) -> float:
        """Seconds of reading keys and fingerprints, and of copying as many rows as a cycle changes."""
        rows = self._rows_to_copy()
        started = time.perf_counter()
        self._database.read_frame(
            """
            SELECT market.event_bookmaker_id, market.market_type_id, (market.line * 1000)::int, market.label_fingerprint,
                   current.market_id, current.fingerprint, current.unavailable_at, current.last_seen_at
            FROM markets AS market JOIN current_odds AS current ON current.market_id = market.id
            """
        )
        with adbc.connect(self._database.libpq) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest("floor_rows", rows, mode="append")
            connection.commit()
        return time.perf_counter() - started

    def _rows_to_copy(self) -> pa.Table:
        frame = self._database.read_frame(
            "SELECT market_id, captured_at, run_id, state FROM odds_history LIMIT $1::bigint",
            [round(self._scale.total * 0.05)],
        )
        return frame.to_arrow()
