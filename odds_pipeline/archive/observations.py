"""The observation archive: per cycle one file of what the writer applied, and one of the coverage of every answer.

The files are those that ``replay`` reads (docs/observation-files.md), in its form beside coverage: only what changed,
and a market that vanished is a row without outcomes.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from odds_pipeline.archive.pending import ArchivedFile, Layout, PendingFile
from odds_pipeline.archive.store import Archive
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA

FOLDER = "observations"
_SUFFIX = ".parquet"
_COVERAGE_SUFFIX = ".coverage.parquet"

_OBSERVATIONS = Layout(
    level=7,
    row_group_rows=32_000,
    # Markets that vanished stay last: of the words of a listing the last ones count.
    sorted_by=(pl.col("outcomes").list.len() == 0, "bookmaker", "betpawa_market_id", "line", "external_event_id"),
    encodings={"outcomes.list.element.odds": "BYTE_STREAM_SPLIT", "outcomes.list.element.key": "PLAIN"},
    statistics=(),
)
"""Half the bytes of rows as they come, in less time: alike markets stand together. Nobody reads less than a file, so a
row group is what fits in memory beside a cycle, and none has bounds to be skipped by."""

_COVERAGE = Layout(level=9, has_dictionaries=False, statistics=())
"""Nearly every word of an answer is its own. The rows stay in their order: of two about one listing the last counts."""


class CycleFiles:
    """The two files of one run."""

    def __init__(self, archive: Archive, *, cycle_at: datetime, run_id: int) -> None:
        self._archive = archive
        self._folder = f"{FOLDER}/day={cycle_at:%Y-%m-%d}"
        self._name = f"{cycle_at:%Y%m%dT%H%M%S.%fZ}-{run_id}"

    def observations(self) -> PendingFile:
        """Begin the file of what changed, rows in ``OBSERVATION_SCHEMA``."""
        return self._archive.begin(self._folder, self._name + _SUFFIX, OBSERVATION_SCHEMA, _OBSERVATIONS)

    def write_coverage(self, coverage: pl.DataFrame) -> ArchivedFile:
        """Write the coverage of every answer, in ``COVERAGE_SCHEMA``."""
        return self._archive.write(self._folder, self._name + _COVERAGE_SUFFIX, [coverage], COVERAGE_SCHEMA, _COVERAGE)
