"""Whether archived rows are their markets' last by a moment: an event's may be followed by rows under another event.

A listing that learns which match it is moves to that match's event; days of it that were archived before stay as they
are. Once all is cleaned up, a question about the former event finds the rows until then.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl
import psycopg
import pyarrow.compute as pc

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import named_files


def markets_changed_since(
    connection: psycopg.Connection, archive: Archive, rows: pl.DataFrame, moment: datetime
) -> list[int]:
    """The markets of the ``rows`` (market_id, captured_at; at least one) that have a later one up to ``moment``.

    In the archive, under whichever event. Raises ``ArchiveDamaged``, ``ArchiveUnusable``.
    """
    oldest = rows["captured_at"].min()
    assert isinstance(oldest, datetime)
    captured_at = pc.field("captured_at")
    is_later = (captured_at > pc.scalar(oldest)) & (captured_at <= pc.scalar(moment))
    where = pc.field("market_id").isin(rows["market_id"].to_list()) & is_later
    told = dict(rows.select("market_id", "captured_at").rows())
    changed: set[int] = set()
    for file in named_files(connection, "history", oldest.date(), moment.date()):
        found = archive.read(file.path, columns=["market_id", "captured_at"], where=where)
        changed.update(market_id for market_id, at in found.rows() if at > told[market_id])
    return sorted(changed)
