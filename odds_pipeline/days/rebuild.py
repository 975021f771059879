"""Rebuilding days of history from their sources: the archived observations, and the rows that imports put there.

A day is folded anew from the state at its beginning, and only what differs from the stored rows is written, all days of
a range in one transaction. The heavy work is done while cycles go on; what they commit meanwhile is taken in under the
writer's lock.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path

import polars as pl
import psycopg

from odds_pipeline.archive.states import read_state
from odds_pipeline.archive.store import Archive, ArchiveDamaged
from odds_pipeline.database.archived_files import NamedFile, named_files
from odds_pipeline.database.corrections import apply_sent, difference, send
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import between, midnight, outcome_sets, read_history
from odds_pipeline.database.locks import archive_lock, take_writer_lock
from odds_pipeline.days.opening import history_snapshot, opening_state
from odds_pipeline.days.placing import COLUMNS, MarketUnknown, Placing
from odds_pipeline.days.sources import DaySource, day_sources, known_days, not_rebuildable, require_rebuildable
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.fold import STEPS, UnknownOutcome, fold, steps_of
from odds_pipeline.odds.replay import HISTORY_ROWS

_A_DAY = timedelta(days=1)
_FOLDED_AT_ONCE = 1_000_000
"""Steps folded at once, roughly: a larger day is cut into parts of its markets, through files of its own."""
_PLACED_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class RebuiltDay:
    """A UTC day that was rebuilt: its rows now, what that changed, from how many files, and the seconds it took."""

    day: date
    rows: int
    added: int
    removed: int
    replaced: int
    files: int
    seconds: float


class _CatalogueChanged(Exception):
    """Markets were moved while days were folded."""


def rebuild_days(
    database: Database, archive: Archive, first: date, last: date, *, now: datetime, mapper: Mapper | None = None
) -> list[RebuiltDay]:
    """Make history of the UTC days ``first`` to ``last`` what their sources say, all in one transaction.

    Rows that agree are not touched; rows of markets that were deleted stay. Today may be among the days, and cycles go
    on; whoever retires, imports or archives states is waited for. ``now``: the pipeline clock's time. ``mapper``:
    instead of the project's own catalogue, which is asked when it has changed since a file was written.

    Raises ``DayNotRebuildable``, ``ArchiveUnusable``, and ``PartitionInTheWay``; then every day is as it was.
    """
    with database.connect() as holder, archive_lock(holder):
        while True:
            try:
                return _Rebuild(database, archive, first, last, today=now.date(), mapper=mapper).run()
            except _CatalogueChanged:
                continue


class _Rebuild:
    """One attempt; the archive's lock is held."""

    def __init__(
        self, database: Database, archive: Archive, first: date, last: date, *, today: date, mapper: Mapper | None
    ) -> None:
        self._database, self._archive, self._mapper = database, archive, mapper
        self._first, self._last, self._today = first, last, today

    def run(self) -> list[RebuiltDay]:
        with self._database.connect() as writing, writing.transaction():
            with history_snapshot(self._database) as reading:
                sources = day_sources(reading, self._archive, self._first, self._last, today=self._today)
                require_rebuildable(reading, self._archive, sources, today=self._today)
                seen = _newest_file(reading)
                reader = _SourceReader(reading, self._archive, self._mapper)
                state = self._opening(reading, reader)
                folded: list[tuple[DaySource, int, float]] = []
                for source in sources:
                    began = time.perf_counter()
                    rows = 0
                    with self._explaining(reading, source.day):
                        state, rows = self._fold_day(writing, reading, reader, source, state)
                    folded.append((source, rows, time.perf_counter() - began))
            take_writer_lock(writing)
            newest = self._take_in_newest(writing, reader.version, seen, state)
            changed = {day.day: day for day in apply_sent(writing)}
        return [
            RebuiltDay(
                source.day,
                rows + newest.get(source.day, 0),
                *(changed[source.day][1:] if source.day in changed else (0, 0, 0)),
                files=len(source.files),
                seconds=round(seconds, 3),
            )
            for source, rows, seconds in folded
        ]

    def _opening(self, reading: psycopg.Connection, reader: _SourceReader) -> pl.DataFrame:
        """The state at the beginning of the first day: from the sources of the days before, where they are there.

        Their rows in PostgreSQL may have been lost with the ones that are to be rebuilt.
        """
        base, state = self._archived_state(reading)
        known, _ = known_days(reading, today=self._today)
        since = base or min(known, self._first)
        before = day_sources(reading, self._archive, since, self._first - _A_DAY, today=self._today)
        if any(source.why_not is not None and not source.is_empty for source in before):
            return opening_state(self._database, self._archive, self._first, connection=reading)
        try:
            for source in before:
                for rows, _ in _folds(reading, reader, source, state):
                    state = _after(state, rows)
        except (ArchiveDamaged, MarketUnknown, UnknownOutcome):
            return opening_state(self._database, self._archive, self._first, connection=reading)
        return state

    def _archived_state(self, reading: psycopg.Connection) -> tuple[date | None, pl.DataFrame]:
        """The newest archived state that is fresh and whole, and its day."""
        for file in reversed(named_files(reading, "state", last_day=self._first)):
            if file.stale_from is None:
                try:
                    self._archive.require(file.written)
                except ArchiveDamaged:
                    continue
                return file.first_day, read_state(self._archive, file.path)
        return None, pl.DataFrame(schema=dict(HISTORY_ROWS))

    def _fold_day(
        self,
        writing: psycopg.Connection,
        reading: psycopg.Connection,
        reader: _SourceReader,
        source: DaySource,
        state: pl.DataFrame,
    ) -> tuple[pl.DataFrame, int]:
        """Send what differs in one day; return the state after it, and how many rows it should have."""
        number = 0
        for rows, stored in _folds(reading, reader, source, state):
            send(writing, difference(stored, rows))
            state = _after(state, rows)
            number += rows.height
        return state, number

    def _take_in_newest(
        self, writing: psycopg.Connection, version: str | None, seen: int, state: pl.DataFrame
    ) -> dict[date, int]:
        """Send what differs in the rows of cycles that were committed since; return their rows by day."""
        reader = _SourceReader(writing, self._archive, self._mapper)
        if reader.version != version:
            raise _CatalogueChanged
        files = [file for file in named_files(writing, "observations", self._first, self._last) if file.id > seen]
        steps = pl.concat([pl.DataFrame(schema=dict(STEPS)), *reader.steps(files, self._first, self._last)])
        sets = outcome_sets(writing, steps["market_id"].unique().to_list())
        rows = fold(state, steps, sets)
        runs = [file.run_id for file in files if file.run_id is not None]
        stored = read_history(writing, between(self._first, self._last + _A_DAY), run_ids=runs)
        send(writing, difference(stored, rows))
        return dict(rows.group_by(pl.col("captured_at").dt.date()).len().iter_rows())

    @contextmanager
    def _explaining(self, reading: psycopg.Connection, day: date) -> Iterator[None]:
        try:
            yield
        except (ArchiveDamaged, MarketUnknown, UnknownOutcome) as error:
            raise not_rebuildable(reading, self._archive, day, str(error), today=self._today) from error


class _SourceReader:
    """Reads steps from observation files, as ``connection`` sees the markets."""

    def __init__(self, connection: psycopg.Connection, archive: Archive, mapper: Mapper | None) -> None:
        self._connection, self._archive = connection, archive
        self._placing = Placing(connection, mapper)
        self.version = self._placing.version

    def steps(self, files: Sequence[NamedFile], first: date, last: date) -> Iterator[pl.DataFrame]:
        """The steps (STEPS) of the days in the order of their commits, in frames of some 100,000.

        Raises ``ArchiveDamaged`` and ``MarketUnknown``.
        """
        is_within = (pl.col("captured_at") >= midnight(first)) & (pl.col("captured_at") < midnight(last + _A_DAY))
        as_stored = self._runs_as_stored([file.run_id for file in files])
        waiting: list[pl.DataFrame] = []
        for file in sorted(files, key=lambda file: file.id):
            rows = self._read(file).filter(is_within)
            waiting.append(
                rows.with_columns(
                    run_id=pl.lit(file.run_id, dtype=pl.Int32), is_as_stored=pl.lit(file.run_id in as_stored)
                )
            )
            if sum(frame.height for frame in waiting) >= _PLACED_AT_ONCE:
                yield self._placing.steps(pl.concat(waiting))
                waiting = []
        if waiting:
            yield self._placing.steps(pl.concat(waiting))

    def _read(self, file: NamedFile) -> pl.DataFrame:
        content = self._archive.require(file.written)
        return pl.read_parquet(BytesIO(content), columns=list(COLUMNS))

    def _runs_as_stored(self, run_ids: Sequence[int | None]) -> set[int]:
        """Runs that named markets by the catalogue that the stored markets are named by."""
        rows = self._connection.execute(
            "SELECT id FROM scrape_runs WHERE id = ANY(%s) AND catalogue_version IS NOT DISTINCT FROM %s",
            [list(run_ids), self.version],
        )
        return {run_id for (run_id,) in rows}


def _folds(
    reading: psycopg.Connection, reader: _SourceReader, source: DaySource, state: pl.DataFrame
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """A day's rows as its sources make them, and its stored rows, for one part of its markets after another."""
    parts = 1 + sum(file.rows for file in source.files) // _FOLDED_AT_ONCE
    is_of_day = between(source.day, source.day + _A_DAY)
    with tempfile.TemporaryDirectory() as spool:
        for number, steps in enumerate(reader.steps(source.files, source.day, source.day)):
            for part in range(parts):
                mine = steps.filter(pl.col("market_id") % parts == part)
                mine.write_ipc(Path(spool) / f"{part}-{number:06}.arrow")
        for part in range(parts):
            stored = read_history(reading, is_of_day).filter(pl.col("market_id") % parts == part)
            files = sorted(Path(spool).glob(f"{part}-*.arrow"))
            steps = pl.concat([pl.DataFrame(schema=dict(STEPS)), *(pl.read_ipc(file) for file in files)])
            ids = pl.concat([steps["market_id"], stored["market_id"]]).unique()
            sets = outcome_sets(reading, ids.to_list())
            # Rows of deleted markets have no source any more, and nobody to tell what they mean.
            stored = stored.join(sets, on="market_id", how="semi")
            imported = stored.filter(pl.col("run_id").is_in(source.import_runs)).sort("market_id", "captured_at")
            steps = pl.concat([steps_of(imported, sets), steps]).join(sets, on="market_id", how="semi")
            yield fold(state, steps, sets), stored


def _after(state: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The state after rows that follow it."""
    last = rows.unique("market_id", keep="last", maintain_order=True)
    return pl.concat([state.join(last, on="market_id", how="anti"), last])


def _newest_file(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT coalesce(max(id), 0) FROM archive_files WHERE kind = 'observations'").fetchone()
    assert row is not None
    return row[0]
