"""Diff and commit of one cycle, as a ratio to what no design can do without.

The floor: reading keys and fingerprints of the same markets, and a binary COPY of as many rows as changed into a plain
table. It is read by ADBC; the *lower floor* is read as the writer reads, which found a faster way. Floors and subject
are measured in turn in one process and on one server with production settings. Each scale has a process and a database
of its own, and cycles in which 5 % of its markets changed, then none, then all.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import pyarrow as pa

from odds_pipeline.database.current_keys import read_current_keys
from odds_pipeline.database.engine import Database

from .measure import median, peak_memory_mb, reset_peak_memory, say, timed
from .offers import SCALES, Scale, stage
from .scratch import scratch_database, scratch_directory, total_size
from .writing import Written, archive_beside, settle, write_staged


class _Kind(NamedTuple):
    """Cycles of one kind: ``share`` of the markets changed, ``cycles`` of them by scale."""

    share: float
    cycles: dict[str, int]


class _Floor(NamedTuple):
    """Seconds of one cycle's floor, read by ADBC and read in the faster of two ways."""

    by_adbc: float
    lower: float


_KINDS = (
    _Kind(0.05, {"S": 9, "M": 9, "L": 5, "XL": 5, "1M": 3}),
    _Kind(0.0, {"S": 5, "M": 5, "L": 3, "XL": 3, "1M": 3}),
    _Kind(1.0, {"S": 3, "M": 3, "L": 2, "XL": 2, "1M": 2}),
)
_HEADER = (
    "| markets | changed | floor | write | write / floor | with prepare | lower floor | write / lower floor | WAL |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def run(scale_names: Sequence[str]) -> None:
    """Measure at each scale in a process of its own, and print one table."""
    rows: list[str] = []
    for name in scale_names:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            rows += process.submit(_measure, name).result()
    say("\n".join(["", _HEADER, *rows]))


def _measure(scale_name: str) -> list[str]:
    with scratch_directory() as directory, scratch_database(directory) as database:
        return _Commit(SCALES[scale_name], directory, database).run()


class _Commit:
    def __init__(self, scale: Scale, directory: Path, database: Database) -> None:
        self._scale = scale
        self._root = directory / "staging"
        self._archive = archive_beside(directory)
        self._ingesting = adbc.connect(database.libpq)
        self._database = database
        self._listings = pl.Series(dtype=pl.Int32)

    def run(self) -> list[str]:
        say(f"commit at scale {self._scale.name}: {self._scale.total:,} markets a cycle")
        self._first()
        rows: list[str] = []
        number = moved_until = 0
        for kind in _KINDS:
            numbers = range(number + 1, number + 1 + kind.cycles[self._scale.name])
            if kind.share:
                moved_until = numbers[-1]
            rows.append(self._row(kind.share, numbers, moved_until))
            number = numbers[-1]
        return rows

    def _first(self) -> None:
        staging = stage(self._scale, self._root, 0)
        reset_peak_memory()
        first = write_staged(self._database, self._archive, staging, 0)
        say(
            f"  first cycle: prepare {first.prepare.wall:.2f} s, write {first.write.wall:.2f} s, "
            f"WAL {first.wal_mb:,.0f} MB, {first.record.new:,} new; peak memory {peak_memory_mb():,.0f} MB"
        )
        settle(self._database)
        with self._database.connect(autocommit=True) as connection:
            listings = connection.execute("SELECT id FROM event_bookmakers")
            self._listings = pl.Series([listing_id for (listing_id,) in listings], dtype=pl.Int32)
            connection.execute(
                "CREATE TABLE floor_rows (market_id int, captured_at timestamptz, run_id int, state bytea)"
            )

    def _row(self, share: float, numbers: range, moved_until: int) -> str:
        """Measure cycles of one kind, and return their row of the table."""
        history_before = self._history_bytes()
        reset_peak_memory()
        floors: list[_Floor] = []
        measured: list[Written] = []
        for number in numbers:
            # A cycle's files hold the movements of all cycles until then, each of its own kind's share.
            staging = stage(
                self._scale,
                self._root,
                number,
                moved_until=min(number, moved_until),
                changed_share=share or _KINDS[0].share,
            )
            floors.append(self._floor(share))
            measured.append(write_staged(self._database, self._archive, staging, number))
            floors.append(self._floor(share))
            self._say(number, measured[-1], floors[-2:])
        _require(measured, round(share * self._scale.total))
        changed = sum(one.record.inserted_history for one in measured)
        bytes_each = (
            f", history {(self._history_bytes() - history_before) / changed:.0f} bytes a change" if changed else ""
        )
        say(f"  {share:.0%} changed: peak memory {peak_memory_mb():,.0f} MB{bytes_each}")
        floor, lower = (median(of_all) for of_all in zip(*floors, strict=True))
        prepare = median([one.prepare.wall for one in measured])
        write = median([one.write.wall for one in measured])
        return (
            f"| {self._scale.total:,} | {share:.0%} | {floor:.3f} s | {write:.3f} s | **{write / floor:.2f}** "
            f"| {(prepare + write) / floor:.2f} | {lower:.3f} s | {write / lower:.2f} "
            f"| {median([one.wal_mb for one in measured]):.2f} MB |"
        )

    def _say(self, number: int, one: Written, floors: Sequence[_Floor]) -> None:
        both = " and ".join(f"{floor.by_adbc:.3f} ({floor.lower:.3f})" for floor in floors)
        say(
            f"    {number}: floor {both} s, prepare {one.prepare.wall:.3f} s, write {one.write.wall:.3f} s "
            f"(of which this process computing {one.write.cpu:.3f} s), {one.record.inserted_history:,} changed"
        )
        say(f"       {one.record.seconds}")

    def _history_bytes(self) -> int:
        with self._database.connect() as connection:
            return total_size(connection, "odds_history")

    def _floor(self, share: float) -> _Floor:
        """Seconds of reading keys and fingerprints, in both ways, and of copying as many rows as a cycle changes."""
        rows = self._rows_to_copy(round(self._scale.total * share))
        _, by_adbc = timed(self._read_by_adbc)
        _, as_written = timed(lambda: read_current_keys(self._database, self._listings, markets=self._scale.total))
        _, copied = timed(lambda: self._copy(rows))
        return _Floor(by_adbc.wall + copied.wall, min(by_adbc.wall, as_written.wall) + copied.wall)

    def _read_by_adbc(self) -> None:
        self._database.read_frame(
            """
            SELECT market.event_bookmaker_id, market.market_type_id, (market.line * 1000)::int, current.market_id,
                   market.label_fingerprint, current.fingerprint, current.unavailable_at, current.last_seen_at
            FROM markets AS market JOIN current_odds AS current ON current.market_id = market.id
            """
        )

    def _copy(self, rows: pa.Table) -> None:
        if rows.num_rows:
            with self._ingesting.cursor() as cursor:
                cursor.adbc_ingest("floor_rows", rows, mode="append")
            self._ingesting.commit()

    def _rows_to_copy(self, count: int) -> pa.Table:
        frame = self._database.read_frame(
            "SELECT market_id, captured_at, run_id, state FROM current_odds LIMIT $1::bigint", [count]
        )
        return frame.to_arrow()


def _require(measured: Sequence[Written], changes: int) -> None:
    """Every cycle must have written about as many changes as its kind says."""
    for one in measured:
        if abs(one.record.inserted_history - changes) > 0.01 * changes:
            raise SystemExit(f"{one.record.inserted_history:,} changes were written where {changes:,} were made")
