"""The observation archive: per cycle one file of what the writer applied, and one of the coverage of every answer.

The files are those that ``replay`` reads (docs/observation-files.md), in its form beside coverage: only what changed,
and a market that vanished is a row without outcomes.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from odds_pipeline.archive.store import Archive, ArchivedFile, PendingFile
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA

FOLDER = "observations"
_SUFFIX = ".parquet"
_COVERAGE_SUFFIX = ".coverage.parquet"


class CycleFiles:
    """The two files of one run."""

    def __init__(self, archive: Archive, *, cycle_at: datetime, run_id: int) -> None:
        self._archive = archive
        self._folder = f"{FOLDER}/day={cycle_at:%Y-%m-%d}"
        self._name = f"{cycle_at:%Y%m%dT%H%M%S.%fZ}-{run_id}"

    def observations(self) -> PendingFile:
        """Begin the file of what changed, rows in ``OBSERVATION_SCHEMA``."""
        return self._archive.begin(self._folder, self._name + _SUFFIX, OBSERVATION_SCHEMA)

    def write_coverage(self, coverage: pl.DataFrame) -> ArchivedFile:
        """Write the coverage of every answer, in ``COVERAGE_SCHEMA``."""
        return self._archive.write(self._folder, self._name + _COVERAGE_SUFFIX, [coverage], COVERAGE_SCHEMA)
