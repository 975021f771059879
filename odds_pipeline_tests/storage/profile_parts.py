"""What storage profiles made by hand are made of: a table, an index, the ages of rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from odds_pipeline.storage.measured import Ages, Index, Table

NOW = datetime(2026, 2, 13, 12, tzinfo=UTC)
MB = 1_000_000
GB = 1_000_000_000


def ages(
    said_by: str, rows: int, *, days: float, within: Mapping[int, float] | None = None, now: datetime = NOW
) -> Ages:
    """Rows spread evenly over ``days``; ``within`` says otherwise what share falls within a window."""
    shares = {window: min(1.0, window / days) for window in (7, 14, 30)} | dict(within or {})
    today = now.date()
    day = int(rows * shares[7] / 7)
    return Ages(
        said_by=said_by,
        rows_from="sampled",
        oldest=now - timedelta(days=days),
        newest=now - timedelta(minutes=3),
        rows_within={window: int(rows * share) for window, share in shares.items()},
        rows_by_day={today - timedelta(days=back): day for back in range(1, 8) if back < days},
    )


def index(table: str, *columns: str, size: int, constraint: bool = False, scans: int | None = 1000) -> Index:
    """A b-tree."""
    name = f"{table}_pkey" if constraint else f"ix_{table}_{'_'.join(columns)}"
    return Index(
        name=name,
        bytes=size,
        definition=f"CREATE {'UNIQUE ' if constraint else ''}INDEX {name} ON public.{table} USING btree "
        f"({', '.join(columns)})",
        columns=columns,
        is_unique=constraint,
        is_constraint=constraint,
        scans=scans,
    )


def table(
    name: str, rows: int, heap: int, indexes: tuple[Index, ...] = (), *, toast: int = 0, aged: Ages | None = None
) -> Table:
    """An ordinary table of the schema ``public`` without dead rows."""
    return Table(
        schema="public",
        name=name,
        kind="table",
        rows=rows,
        rows_from="statistics",
        heap_bytes=heap,
        toast_bytes=toast,
        index_bytes=sum(each.bytes for each in indexes),
        dead_rows=0,
        bloat_bytes=0,
        indexes=indexes,
        ages=aged,
    )
