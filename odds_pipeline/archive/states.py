"""The state archive: every market's last state before a UTC day began, one file a day.

``state/day=2026-11-20/....parquet``, sorted by market. Where a rebuild begins, and how a market lives on whose last
change lies in a retired day.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date
from functools import reduce
from operator import or_

import polars as pl
import pyarrow.compute as pc

from odds_pipeline.archive.pending import ArchivedFile, Layout
from odds_pipeline.archive.store import Archive
from odds_pipeline.odds.replay import HISTORY_ROWS

FOLDER = "state"

_ROWS_AT_ONCE = 32_000
"""What a reader of few markets reads at least. Groups of 128,000 rows would make a file 4 % smaller."""

_LAYOUT = Layout(
    level=9,
    encodings={"market_id": "DELTA_BINARY_PACKED", "state": "PLAIN"},
    statistics=("market_id",),
    row_group_rows=_ROWS_AT_ONCE,
)


def write_state(archive: Archive, day: date, state: pl.DataFrame) -> ArchivedFile:
    """Write the state (``HISTORY_ROWS``) at the beginning of a day, under a name that no other file has.

    Raises ``ArchiveUnusable``.
    """
    name = f"{day:%Y%m%d}-{secrets.token_hex(4)}.parquet"
    return archive.write(f"{FOLDER}/day={day.isoformat()}", name, [state.sort("market_id")], HISTORY_ROWS, _LAYOUT)


def read_state(archive: Archive, path: str, market_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """The states of a file (``HISTORY_ROWS``), of these markets alone if any are named.

    Raises ``ArchiveDamaged`` and ``ArchiveUnusable``.
    """
    where = None if market_ids is None else _is_one_of(market_ids)
    return archive.read(path, where=where).select(pl.col(name).cast(kind) for name, kind in HISTORY_ROWS.items())


def _is_one_of(market_ids: Sequence[int]) -> pc.Expression:
    """Their condition, with the stretches that they lie in: by these alone whole groups of rows are left out."""
    market_id, ids = pc.field("market_id"), pl.Series(market_ids, dtype=pl.Int32).sort()
    is_far = ids.diff().fill_null(0) > _ROWS_AT_ONCE
    stretches = (
        ids.to_frame("id")
        .group_by(is_far.cum_sum(), maintain_order=True)
        .agg(pl.col("id").min().alias("first"), pl.col("id").max().alias("last"))
    )
    is_near = [
        (market_id >= first) & (market_id <= last) for first, last in stretches.select("first", "last").iter_rows()
    ]
    return reduce(or_, is_near, pc.scalar(False)) & market_id.isin(ids.to_list())
