"""Where a cycle's answers wait between the scrape and the writer: two Parquet files per bookmaker and run.

A file appears under its final name only when it is whole. Nothing here is kept: the writer's commit, or the sweep at
the next start, ends its life.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
import pyarrow.parquet as pq

from odds_pipeline.odds.observation import COVERAGE_SCHEMA

_OBSERVATIONS = ".observations.parquet"
_COVERAGE = ".coverage.parquet"
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")


class StagingUnusable(Exception):
    """A staging file cannot be written; the message says which, why and what to do."""


class Staging:
    """The staging files of one run, in ``<root>/<run_id>``."""

    def __init__(self, root: Path, run_id: int) -> None:
        self.folder = root / str(run_id)

    def write(self, bookmaker: str) -> StagedBookmaker:
        """Begin the files of ``bookmaker``, as a context manager; files of an earlier attempt are replaced.

        Raises ``StagingUnusable``, here and while they are written.
        """
        with _telling(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        return StagedBookmaker(self._path(bookmaker, _OBSERVATIONS), self._path(bookmaker, _COVERAGE))

    def bookmakers(self) -> list[str]:
        """The bookmakers whose files are whole, in alphabetical order."""
        return sorted(path.name.removesuffix(_COVERAGE) for path in self.folder.glob(f"*{_COVERAGE}"))

    def scan_observations(self, *bookmakers: str) -> pl.LazyFrame:
        """The observations of the bookmakers, one after the other, in ``OBSERVATION_SCHEMA``.

        A slice of them decodes no more than its own rows. Raises ``FileNotFoundError``.
        """
        return pl.scan_parquet([self._existing(bookmaker, _OBSERVATIONS) for bookmaker in bookmakers])

    def read_coverage(self, bookmaker: str) -> pl.DataFrame:
        """The coverage of ``bookmaker``, in ``COVERAGE_SCHEMA``. Raises ``FileNotFoundError``."""
        return pl.read_parquet(self._existing(bookmaker, _COVERAGE))

    def remove(self) -> None:
        """Delete the files of this run; there may be none."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, bookmaker: str, suffix: str) -> Path:
        if not _SLUG.fullmatch(bookmaker):
            raise ValueError(f"not a bookmaker's slug: {bookmaker!r}")
        return self.folder / f"{bookmaker}{suffix}"

    def _existing(self, bookmaker: str, suffix: str) -> Path:
        path = self._path(bookmaker, suffix)
        if not path.exists():
            raise FileNotFoundError(f"run {self.folder.name} staged nothing of {bookmaker}: {path} is missing")
        return path


class StagedBookmaker:
    """Writes one bookmaker's two files batch by batch, in little memory. Left by an exception, it leaves no file."""

    def __init__(self, observations: Path, coverage: Path) -> None:
        self._observations = _PartialFile(observations)
        self._coverage = _PartialFile(coverage)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Coverage last: a bookmaker is staged when its coverage is there.
        files = (self._observations, self._coverage)
        try:
            if kind is None:
                for file in files:
                    file.finish()
        finally:
            for file in files:
                file.discard()

    def add_observations(self, frame: pl.DataFrame) -> None:
        """Append rows; every frame, an empty first one included, has the same columns."""
        self._observations.append(frame)

    def add_coverage(self, frame: pl.DataFrame) -> None:
        """Append rows in ``COVERAGE_SCHEMA``."""
        self._coverage.append(frame.select(*COVERAGE_SCHEMA))


class _PartialFile:
    """A Parquet file that gets its name when it is finished."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_suffix(".partial")
        self._path.unlink(missing_ok=True)
        self._writer: pq.ParquetWriter | None = None

    def append(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        with _telling(self._path):
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._partial, table.schema, compression="zstd")
            if table.num_rows:
                self._writer.write_table(table)

    def finish(self) -> None:
        if self._writer is not None:
            with _telling(self._path):
                self._writer.close()
                self._partial.replace(self._path)

    def discard(self) -> None:
        """Leave nothing of a file that is not finished."""
        if self._writer is not None:
            # It writes its end, for which a full disk has no room either.
            with suppress(OSError):
                self._writer.close()
        self._partial.unlink(missing_ok=True)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StagingUnusable(
            f"the staging file {path} cannot be written: {str(error).splitlines()[0]}; has the disk of ODDS_DATA_DIR "
            "room, and may this account write to it?"
        ) from error


def sweep(root: Path, keep: Collection[int] = ()) -> list[int]:
    """Delete the staging files of every run but ``keep``; return the runs deleted, ascending."""
    if not root.exists():
        return []
    runs = sorted(int(folder.name) for folder in root.iterdir() if folder.is_dir() and folder.name.isdecimal())
    swept = [run_id for run_id in runs if run_id not in keep]
    for run_id in swept:
        Staging(root, run_id).remove()
    return swept
