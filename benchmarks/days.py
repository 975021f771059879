"""Whole days: what a change costs in each tier, and how long a day takes to be rebuilt and to be retired.

Two days. A *simulated* one, cycles of the simulator's world five minutes apart: real market mixes and prices that move
a little, so its bytes are the ones to believe. A *full* one of a million rows of made-up prices at scale M, for seconds
and memory: rebuilt from the observation archive after all of its rows were deleted, then retired while a reader asks
without a pause.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import psycopg

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import NamedFile, named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.database.write import write_cycle
from odds_pipeline.days.compact import compact_days
from odds_pipeline.days.opening import ensure_states
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.days.retire import retire_day
from odds_pipeline.settings import Settings

from .measure import peak_memory_mb, reset_peak_memory, say, timed
from .offers import SCALES, cycle_at, prepared, stage
from .scratch import running, scratch_database, scratch_directory, total_size
from .simulated import MORNING, run_simulated_cycles

SIMULATED_EVENTS = 60
SIMULATED_CYCLES = 48
FULL_DAY_ROWS = 1_000_000
_SETTINGS = Settings()


def run() -> None:
    """Measure both days and print."""
    for measure in (_simulated_day, _full_day):
        with scratch_directory() as directory, scratch_database(directory) as database:
            measure(directory, database)


def _simulated_day(directory: Path, database: Database) -> None:
    archive = Archive(directory / "archive")
    run_simulated_cycles(directory, database, archive, SIMULATED_EVENTS, (0, *[1] * (SIMULATED_CYCLES - 1)))
    day = MORNING.date()
    with database.connect() as connection:
        observed, covered = named_files(connection, "observations"), named_files(connection, "coverage")
    first, changes = observed[:1], observed[1:]
    say(f"a simulated day of {SIMULATED_CYCLES} cycles of {SIMULATED_EVENTS} matches")
    say(
        f"  observation archive: {_rows(first):,} first sightings, {_bytes_a_row(first):.1f} bytes each; then "
        f"{_rows(changes):,} changes, {_bytes_a_row(changes):.1f} bytes each; {_rows(covered):,} answers' coverage, "
        f"{_bytes_a_row(covered):.1f} bytes each"
    )
    _say_tiers(database, archive, day)


def _full_day(directory: Path, database: Database) -> None:
    archive, scale, rows, number = Archive(directory / "archive"), SCALES["M"], 0, 0
    while rows < FULL_DAY_ROWS:
        staging = stage(scale, directory / "staging", number, changed_share=1)
        answers = prepared(staging, number)
        record = write_cycle(
            database,
            archive,
            answers,
            run_id=running(database, number, _SETTINGS),
            settings=_SETTINGS,
            now=answers.as_of,
        )
        staging.remove()
        rows, number = rows + record.inserted_history, number + 1
    day = cycle_at(0).date()
    say(f"a full day of {rows:,} rows of {scale.total:,} markets (scale M, made-up prices)")
    with database.connect(autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    _rebuild(database, archive, day, "as it is")
    with database.connect() as connection:
        connection.execute("DELETE FROM odds_history")
    with database.connect(autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE odds_history")
    _rebuild(database, archive, day, "after all of its rows were deleted")
    states, seconds = timed(lambda: ensure_states(database, archive, up_to=day + timedelta(days=1)))
    say(
        f"  state archive: {states[-1].markets:,} markets in {seconds.wall:.1f} s, "
        f"{states[-1].bytes / states[-1].markets:.1f} bytes each"
    )
    _say_tiers(database, archive, day)


def _rebuild(database: Database, archive: Archive, day: date, how: str) -> None:
    reset_peak_memory()
    rebuilt, seconds = timed(lambda: rebuild_days(database, archive, day, day, now=cycle_at(0) + timedelta(days=1)))
    say(
        f"  rebuild {how}: {seconds.wall:.1f} s ({seconds.cpu:.1f} s computing here), "
        f"{rebuilt[0].rows / seconds.wall:,.0f} rows a second, {rebuilt[0].added:,} added; "
        f"peak memory {peak_memory_mb():,.0f} MB"
    )


def _say_tiers(database: Database, archive: Archive, day: date) -> None:
    """Bytes of a row in PostgreSQL, before and after the day was put in order, and in the history archive."""
    ensure_states(database, archive, up_to=day + timedelta(days=1))
    with database.connect(autocommit=True) as connection:
        partition = next(each for each in list_partitions(connection) if each.first_day == day)
        connection.execute("VACUUM ANALYZE odds_history")
        loose = total_size(connection, partition.name)
        compact_days(database, before=day + timedelta(days=1))
        packed = total_size(connection, partition.name)
    with database.connect() as connection, archive_lock(connection), _asking(database, day) as waits:
        retired, seconds = timed(lambda: retire_day(connection, database, archive, partition))
    assert retired.file is not None
    rows = retired.rows
    say(
        f"  a history row: {loose / rows:.1f} bytes in PostgreSQL as it was written, {packed / rows:.1f} once the day "
        f"is over, {retired.file.bytes / rows:.1f} in the archive"
    )
    say(
        f"  retired {rows:,} rows in {seconds.wall:.1f} s; a reader who asked {len(waits):,} times meanwhile waited "
        f"{max(waits) * 1000:.0f} ms at most, {sorted(waits)[len(waits) // 2] * 1000:.1f} ms as a rule"
    )


def _rows(files: list[NamedFile]) -> int:
    return sum(file.rows for file in files)


def _bytes_a_row(files: list[NamedFile]) -> float:
    return sum(file.bytes for file in files) / _rows(files)


@contextmanager
def _asking(database: Database, day: date) -> Iterator[list[float]]:
    """A reader who asks for one market's history again and again; how long each answer took, in seconds."""
    waits: list[float] = []
    is_over = threading.Event()

    def ask() -> None:
        with psycopg.connect(database.libpq, autocommit=True) as connection:
            while not is_over.is_set():
                began = time.perf_counter()
                connection.execute("SELECT count(*) FROM market_odds_history WHERE market_id = 1").fetchone()
                waits.append(time.perf_counter() - began)
                time.sleep(0.002)

    reader = threading.Thread(target=ask)
    reader.start()
    try:
        yield waits
    finally:
        is_over.set()
        reader.join()
