"""Cycles of any size through the writer, each set of them in a process of its own, whose memory is theirs alone."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from odds_pipeline.database.engine import Database

from .measure import median, peak_memory_mb, reset_peak_memory
from .offers import Scale, stage
from .writing import archive_beside, write_staged


class Cycles(NamedTuple):
    """Medians of some cycles: seconds of preparing and writing, those that the process computed, WAL; peak memory."""

    seconds: float
    computing: float
    wal_mb: float
    peak_mb: float


def first_cycle(url: str, directory: Path, scale: Scale) -> Cycles:
    """Fill the empty database at ``url``: everything is new."""
    return _in_a_process(url, directory, scale, range(1))


def measured_cycles(url: str, directory: Path, scale: Scale, numbers: range) -> Cycles:
    """Write the cycles of these numbers, which follow those written before."""
    return _in_a_process(url, directory, scale, numbers)


def _in_a_process(url: str, directory: Path, scale: Scale, numbers: range) -> Cycles:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_written, url, directory, scale, numbers).result()


def _written(url: str, directory: Path, scale: Scale, numbers: range) -> Cycles:
    reset_peak_memory()
    with Database(url, application_name="benchmark") as database:
        written = [
            write_staged(database, archive_beside(directory), stage(scale, directory / "staging", number), number)
            for number in numbers
        ]
    return Cycles(
        median([one.prepare.wall + one.write.wall for one in written]),
        median([one.prepare.cpu + one.write.cpu for one in written]),
        median([one.wal_mb for one in written]),
        peak_memory_mb(),
    )
