"""Replaying observation files: cycle by cycle in time order, through the same diff and write as a live cycle.

A file holds observations (``OBSERVATION_SCHEMA``); ``<name>.coverage.parquet`` beside it, if there is one, the coverage
of every answer. The files are a public contract (docs/observation-files.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from odds_pipeline.archive.store import Archive
from odds_pipeline.clock import Clock, SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.listings import register_bookmakers
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.runs import failing_run, open_run, start_run
from odds_pipeline.database.write import write_cycle
from odds_pipeline.odds.answers import (
    LONGEST_IDENTITY,
    OPTIONAL_COVERAGE,
    is_identity,
    prepare,
    with_comparison_columns,
)
from odds_pipeline.odds.frames import SchemaMismatch, conformed, coverage_frame, discovery_row, require_schema
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA, AnswerStatus
from odds_pipeline.settings import Settings

_COVERAGE_SUFFIX = ".coverage.parquet"

_FIRST_YEAR, _END_YEAR = 1970, 2200
"""Times outside these are a mistake of the file: a wrong unit, or a placeholder."""


class NothingToReplay(ValueError):
    """The path holds no observation file."""


@dataclass(slots=True)
class ReplaySummary:
    """What a replay did, summed over its cycles."""

    cycles: int = 0
    observations: int = 0
    new: int = 0
    changed: int = 0
    returned: int = 0
    unavailable: int = 0
    history_rows: int = 0
    refused: int = 0
    late: int = 0
    first_cycle: datetime | None = None
    last_cycle: datetime | None = None
    days: set[str] = field(default_factory=set[str])

    def add(self, cycle_at: datetime, record: WriteRecord) -> None:
        self.cycles += 1
        self.observations += record.observations
        self.new += record.new
        self.changed += record.changed
        self.returned += record.returned
        self.unavailable += record.unavailable
        self.history_rows += record.inserted_history
        self.refused += record.refused
        self.late += record.late
        self.first_cycle = self.first_cycle or cycle_at
        self.last_cycle = cycle_at
        self.days.update(day.isoformat() for day in record.days)


def replay(
    database: Database,
    archive: Archive,
    path: Path,
    *,
    settings: Settings,
    complete: bool = False,
    new_bookmakers: bool = False,
    progress: Callable[[datetime, WriteRecord], None] | None = None,
    clock: Clock | None = None,
) -> ReplaySummary:
    """Apply every cycle of the files at ``path`` (a file, or a folder of them) in time order.

    Without a coverage file each (bookmaker, event) of a cycle counts as completely answered and nothing is concluded
    about absent events; ``complete`` says that each bookmaker present in a cycle was covered wholly (and switches the
    guard against mass disappearance off). ``new_bookmakers`` creates bookmakers that are not registered. ``clock``
    (real time by default) dates the runs; the odds carry the times of the files.

    Raises ``NothingToReplay`` and ``SchemaMismatch`` before anything of the file in question is written, and
    ``UnknownBookmaker`` before anything of the cycle is. A cycle that fails closes its run as failed.
    """
    summary = ReplaySummary()
    clock = clock or SystemClock()
    for observations, coverage in _files(path):
        if complete and coverage is not None:
            raise SchemaMismatch(
                f"{path} has coverage files, which say what was covered, and holds only what changed; "
                "--complete is for files without"
            )
        if new_bookmakers:
            register_bookmakers(
                database, {slug: slug for slug in observations["bookmaker"].unique().sort()}, are_scraped=False
            )
        for cycle_at, rows, answers in _cycles(observations, coverage, complete=complete):
            run_id = open_run(database, trigger="backfill", now=clock.now())
            with failing_run(database, run_id, clock=clock):
                start_run(database, run_id, now=clock.now(), settings=settings)
                prepared = prepare(rows.lazy(), answers, cycle_at=cycle_at, is_delta=coverage is not None)
                record = write_cycle(
                    database, archive, prepared, run_id=run_id, settings=settings, now=clock.now(), guarded=not complete
                )
            summary.add(cycle_at, record)
            if progress is not None:
                progress(cycle_at, record)
    return summary


@dataclass(frozen=True, slots=True)
class _File:
    """An observation file and the cycles that it spans."""

    path: Path
    first: datetime
    last: datetime

    @property
    def coverage(self) -> Path:
        return _coverage_of(self.path)


def _files(path: Path) -> Iterator[tuple[pl.DataFrame, pl.DataFrame | None]]:
    """Checked rows in time order: file by file, those whose cycles overlap together."""
    if not path.exists():
        raise NothingToReplay(f"{path} does not exist")
    candidates = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    files = [_spanned(file) for file in candidates if not file.name.endswith(_COVERAGE_SUFFIX)]
    if not files:
        raise NothingToReplay(f"{path} holds no observation file (*.parquet)")
    together: list[_File] = []
    for file in sorted(files, key=lambda file: (file.first, file.path)):
        if together and file.first > max(each.last for each in together):
            yield _read(together)
            together = []
        together.append(file)
    yield _read(together)


def _spanned(file: Path) -> _File:
    coverage = _coverage_of(file)
    # An idle cycle has coverage and no observations.
    cycles = [cycle for path in (file, coverage) if path.exists() for cycle in _span(path) if cycle is not None]
    if not cycles:
        raise NothingToReplay(f"{file} holds no rows")
    return _File(file, min(cycles), max(cycles))


def _span(file: Path) -> tuple[datetime | None, datetime | None]:
    try:
        span = pl.scan_parquet(file).select(first=pl.col("cycle_at").min(), last=pl.col("cycle_at").max()).collect()
    except pl.exceptions.PolarsError as error:
        raise SchemaMismatch(f"{file} is not an observation file: {str(error).splitlines()[0]}") from error
    return span.row(0)


def _coverage_of(file: Path) -> Path:
    return file.with_name(file.name.removesuffix(".parquet") + _COVERAGE_SUFFIX)


def _read(files: list[_File]) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    observations: list[pl.DataFrame] = []
    coverage: list[pl.DataFrame] = []
    for file in files:
        rows = conformed(pl.read_parquet(file.path), OBSERVATION_SCHEMA, source=str(file.path))
        require_schema(rows, OBSERVATION_SCHEMA, source=str(file.path))
        _require_values(rows, source=file.path, identity=("bookmaker", "external_event_id"))
        observations.append(rows.select(*OBSERVATION_SCHEMA))
        if file.coverage.exists():
            answers = conformed(pl.read_parquet(file.coverage), COVERAGE_SCHEMA, source=str(file.coverage))
            require_schema(answers, COVERAGE_SCHEMA, source=str(file.coverage), optional=OPTIONAL_COVERAGE)
            _require_values(answers, source=file.coverage, identity=("bookmaker",))
            coverage.append(answers)
    if coverage and len(coverage) < len(files):
        alone = next(file.path for file in files if not file.coverage.exists())
        raise SchemaMismatch(f"{alone} has no coverage file, but others of the same cycles have one")
    return (
        with_comparison_columns(pl.concat(observations)),
        pl.concat(coverage, how="diagonal") if coverage else None,
    )


def _require_values(rows: pl.DataFrame, *, source: Path, identity: Sequence[str]) -> None:
    """Raise ``SchemaMismatch`` naming each column with values that belong to no cycle."""
    words = ("external_event_id", "sportradar_id", "sport", "country", "tournament", "home_team", "away_team")
    no_key = f"is missing, empty, longer than {LONGEST_IDENTITY:,} bytes, or has a NUL"
    years = f"lies outside the years {_FIRST_YEAR} to {_END_YEAR - 1}"
    problems = [
        ("cycle_at", "is missing", pl.col("cycle_at").is_null()),
        *((name, no_key, ~is_identity(name)) for name in identity),
        *((name, no_key, ~is_identity(name) & (pl.col(name) != "")) for name in words if name not in identity),
        *(
            (name, years, ~pl.col(name).dt.year().is_between(_FIRST_YEAR, _END_YEAR - 1))
            for name in ("cycle_at", "captured_at", "kickoff")
        ),
        (
            "status",
            f"is none of {', '.join(AnswerStatus)}",
            ~pl.col("status").is_in(list(AnswerStatus), nulls_equal=True),
        ),
    ]
    found = [
        f"{name}: {count:,} rows in which it {problem}"
        for name, problem, is_bad in problems
        if name in rows.columns and (count := rows.select(is_bad.sum()).item())
    ]
    if found:
        raise SchemaMismatch(f"{source} does not match its contract: " + "; ".join(found))


def _cycles(
    observations: pl.DataFrame, coverage: pl.DataFrame | None, *, complete: bool
) -> Iterator[tuple[datetime, pl.DataFrame, pl.DataFrame]]:
    """(cycle_at, observations, coverage) of each cycle in time order."""
    arrival = pl.coalesce("captured_at", "cycle_at").alias("captured_at")
    observations = observations.with_columns(arrival)
    coverage = None if coverage is None else coverage.with_columns(arrival)
    by_cycle = observations.partition_by("cycle_at", as_dict=True)
    covered = {} if coverage is None else coverage.partition_by("cycle_at", as_dict=True)
    for key in sorted(by_cycle.keys() | covered.keys()):
        (cycle_at,) = key
        rows = by_cycle.get(key, observations.clear())
        answers = _whole_offers(rows, cycle_at) if complete else covered.get(key, coverage_frame([]))
        yield cycle_at, rows, answers


def _whole_offers(rows: pl.DataFrame, cycle_at: datetime) -> pl.DataFrame:
    arrivals = rows.group_by("bookmaker").agg(pl.col("captured_at").max()).sort("bookmaker")
    return coverage_frame(
        [
            discovery_row(
                bookmaker, cycle_at=cycle_at, captured_at=captured_at, run_id=None, status=AnswerStatus.COMPLETE
            )
            for bookmaker, captured_at in arrivals.iter_rows()
        ]
    )
