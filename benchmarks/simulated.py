"""What cycles of the simulator's world leave in the archive of observations: its words and prices are like real ones.

A small world, whose files are small. Moments that lie further apart move more of its markets, so that one file has as
many changes as a cycle of a larger world; a file's bytes are then a line over its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from odds_pipeline.archive.observations import CycleFiles
from odds_pipeline.archive.store import Archive
from odds_pipeline.clock import ManualClock
from odds_pipeline.database.archived_files import Kind, NamedFile, named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.scrape.cycle import scrape_cycle, write_scraped
from odds_pipeline.settings import BookmakerSettings, Settings
from odds_pipeline.simulator.simulator import Simulator

EVENTS = 60
MORNING = datetime(2026, 9, 12, 6, 0, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
_PERIODS = (1, 1, 10, 864)
"""Between a cycle and the one before it. After three days there are other matches."""


@dataclass(frozen=True, slots=True)
class FileBytes:
    """Bytes of the archive's files of a cycle, by what is in them."""

    changes_fixed: float
    change: float
    answers_fixed: float
    answer: float

    def observations(self, changes: float) -> float:
        """The file of so many changes."""
        return self.changes_fixed + changes * self.change

    def coverage(self, answers: float) -> float:
        """The coverage of so many answers."""
        return self.answers_fixed + answers * self.answer


def run_simulated_cycles(
    directory: Path, database: Database, archive: Archive, events: int, periods: Iterable[int]
) -> None:
    """Run cycles of so many matches from ``MORNING`` on, each so many periods of ``INTERVAL`` after the one before."""
    clock = ManualClock(MORNING)
    with Simulator(events=events, clock=clock, period=INTERVAL) as simulator:
        sections = {slug: BookmakerSettings(url=url) for slug, url in simulator.urls.items()}
        settings = Settings().model_copy(update=sections)
        for passed in periods:
            clock.advance(passed * INTERVAL)
            cycle, _ = scrape_cycle(
                database,
                settings.bookmakers,
                trigger="manual",
                settings=settings,
                clock=clock,
                staging_root=directory / "staging",
            )
            write_scraped(database, archive, cycle, settings=settings, clock=clock)


def file_bytes(directory: Path, database: Database) -> FileBytes:
    """Run a few cycles in an empty database, and measure their files."""
    archive = Archive(directory / "archive")
    run_simulated_cycles(directory, database, archive, EVENTS, (0, *_PERIODS))
    _, usual, _, large, _ = _files(database, "observations")
    change = (large.bytes - usual.bytes) / (large.rows - usual.rows)
    _, covered, *_, others = _files(database, "coverage")
    answers = pl.concat([archive.read(file.path) for file in (covered, others)])
    scratch = CycleFiles(Archive(directory / "scratch"), cycle_at=MORNING, run_id=1)
    together = scratch.write_coverage(answers)
    answer = (together.bytes - covered.bytes) / others.rows
    return FileBytes(usual.bytes - change * usual.rows, change, covered.bytes - answer * covered.rows, answer)


def _files(database: Database, kind: Kind) -> list[NamedFile]:
    with database.connect() as connection:
        return named_files(connection, kind)
