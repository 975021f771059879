"""The history archive: the changes of retired days in plain columns, hive-partitioned by UTC day.

``history/day=2026-11-20/20261120-<random>.parquet``, sorted by market and time. A day may have several parts, which
share no row. Anybody can read them: every word that a row needs stands in it (docs/archive.md).
"""

from __future__ import annotations

import hashlib
import io
import secrets
from array import array
from collections.abc import Iterator, Mapping
from datetime import date

import polars as pl
import pyarrow.parquet as pq

from odds_pipeline.archive.pending import Layout, PendingFile
from odds_pipeline.archive.store import Archive
from odds_pipeline.odds.observation import LINE, OBSERVATION_SCHEMA, UTC_MICROSECONDS

FOLDER = "history"

#: One row per change: the state it left the market in, and the words of the market as they were when it was archived.
HISTORY_SCHEMA: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_id": pl.Int32,
    "event_id": pl.Int32,
    "bookmaker_slug": pl.String,
    "external_event_id": pl.String,
    "sportradar_id": pl.String,
    "home_team": pl.String,
    "away_team": pl.String,
    "kickoff": UTC_MICROSECONDS,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "source_market_id": pl.String,
    "source_specifier": pl.String,
    "outcomes": OBSERVATION_SCHEMA["outcomes"],
    "is_unavailable": pl.Boolean,
    "captured_at": UTC_MICROSECONDS,
    "run_id": pl.Int32,
    "is_trusted": pl.Boolean,
}

_LAYOUT = Layout(
    level=9,
    levels={"outcomes.list.element.odds": 19, "run_id": 15},
    row_group_rows=64_000,
    encodings={
        "market_id": "DELTA_BINARY_PACKED",
        "run_id": "BYTE_STREAM_SPLIT",
        "outcomes.list.element.key": "PLAIN",
        "outcomes.list.element.odds": "BYTE_STREAM_SPLIT",
    },
)
"""A file is written once and read for years: the prices, which are half of it, are worth a second of computing for each
million rows. What differs from row to row has no dictionary. A row group is what a question about one market reads."""


def begin_part(archive: Archive, day: date) -> PendingFile:
    """Begin one more part of a day, under a name that no other has; rows sorted by market and time."""
    name = f"{day:%Y%m%d}-{secrets.token_hex(4)}.parquet"
    return archive.begin(f"{FOLDER}/day={day.isoformat()}", name, HISTORY_SCHEMA, _LAYOUT)


def read_part(content: bytes) -> Iterator[pl.DataFrame]:
    """The rows of a part, given as its bytes, in ``HISTORY_SCHEMA`` and the file's order, some thousands at a time."""
    file = pq.ParquetFile(io.BytesIO(content))
    columns = [pl.col(name).cast(kind) for name, kind in HISTORY_SCHEMA.items()]
    for number in range(file.num_row_groups):
        rows = pl.from_arrow(file.read_row_group(number))
        assert isinstance(rows, pl.DataFrame)
        yield rows.select(columns)


class ContentHash:
    """The number of rows, and a hash of what they say, in their order: equal for equal rows within one process."""

    def __init__(self) -> None:
        self.rows = 0
        self._digest = hashlib.sha256()

    def update(self, rows: pl.DataFrame) -> None:
        """Take in rows of plain columns (no lists)."""
        self.rows += rows.height
        self._digest.update(array("Q", rows.hash_rows().to_list()).tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContentHash) and (self.rows, self.hexdigest) == (other.rows, other.hexdigest)

    __hash__ = None  # type: ignore[assignment]

    @property
    def hexdigest(self) -> str:
        """The hash in hexadecimal."""
        return self._digest.hexdigest()
