"""The state archive: every market's last state before a UTC day began, one file a day.

``state/day=2026-11-20/....parquet``, sorted by market. Where a rebuild begins, and how a market lives on whose last
change lies in a retired day.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date

import polars as pl
import pyarrow.dataset as ds

from odds_pipeline.archive.pending import ArchivedFile, Layout
from odds_pipeline.archive.store import Archive
from odds_pipeline.odds.replay import HISTORY_ROWS

FOLDER = "state"

_LAYOUT = Layout(level=9, encodings={"market_id": "DELTA_BINARY_PACKED", "state": "PLAIN"}, statistics=("market_id",))


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
    where = None if market_ids is None else ds.field("market_id").isin(list(market_ids))
    return archive.read(path, where=where).select(pl.col(name).cast(kind) for name, kind in HISTORY_ROWS.items())
