"""A database as it would be once something is done: pure functions from a table, or a profile, to what is left of it.

Every saving is the difference between a profile and one of these, so that what was saved once is not saved again by
the next step. Nothing becomes negative, and nothing grows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from odds_pipeline.storage.measured import Ages, Column, DatabaseProfile, Index, Repeats, Table

TOAST_POINTER = 18
"""Bytes that a row keeps of a value that lies in TOAST."""


def with_table(profile: DatabaseProfile, table: Table, change: Callable[[Table], Table]) -> DatabaseProfile:
    """The profile with ``change`` made to the table and to each of its partitions; the total shrinks by as much."""

    def is_meant(each: Table) -> bool:
        return (each.schema, each.name) == (table.schema, table.name) or each.is_part_of(table)

    tables = tuple(change(each) if is_meant(each) else each for each in profile.tables)
    gone = _bytes(profile.tables) - _bytes(tables)
    return replace(profile, tables=tables, total_bytes=profile.total_bytes - gone)


def compact(table: Table) -> Table:
    """Rewritten, as VACUUM FULL does: without what dead rows and gaps take."""
    bloat = min(table.bloat_bytes or 0, table.heap_bytes + table.toast_bytes)
    from_heap = min(bloat, table.heap_bytes)
    return replace(
        table,
        heap_bytes=table.heap_bytes - from_heap,
        toast_bytes=table.toast_bytes - (bloat - from_heap),
        bloat_bytes=None if table.bloat_bytes is None else 0,
        dead_rows=None if table.dead_rows is None else 0,
    )


def without_column(table: Table, name: str) -> Table:
    """Rewritten without the column: minus its share of TOAST, and from the heap what of it does not lie there.

    The share is by the bytes that lie there. Each value that did leaves its pointer, too.
    """
    column = table.column(name)
    if column is None:
        return table
    left = _with_column_bytes(compact(table), column, 0)
    return replace(left, columns=tuple(each for each in left.columns if each.name != name))


def with_narrower_column(table: Table, name: str, size: int) -> Table:
    """Rewritten with the column's values taking ``size`` bytes in all, if that is less."""
    column = table.column(name)
    if column is None or size >= column.bytes:
        return table
    return _with_column_bytes(compact(table), column, size)


def with_share(table: Table, share: float) -> Table:
    """Rewritten with that share of the rows, evenly over all ages: everything but bloat shrinks in proportion."""
    share = min(max(share, 0.0), 1.0)
    table = compact(table)

    def part(number: int) -> int:
        return int(number * share)

    ages = table.ages and replace(
        table.ages,
        rows_within={window: part(rows) for window, rows in table.ages.rows_within.items()},
        rows_by_day={day: part(rows) for day, rows in table.ages.rows_by_day.items()},
        rows_ahead=part(table.ages.rows_ahead),
    )
    return replace(
        table,
        rows=part(table.rows),
        changes=None if table.changes is None else part(table.changes),
        heap_bytes=part(table.heap_bytes),
        toast_bytes=part(table.toast_bytes),
        index_bytes=part(table.index_bytes),
        columns=tuple(
            replace(
                each,
                bytes=part(each.bytes),
                raw_bytes=None if each.raw_bytes is None else part(each.raw_bytes),
                out_of_line_bytes=part(each.out_of_line_bytes),
                distinct_share=None
                if each.distinct_share is None
                else min(1.0, each.distinct_share / share if share else 1.0),
            )
            for each in table.columns
        ),
        indexes=tuple(replace(each, bytes=part(each.bytes)) for each in table.indexes),
        ages=ages,
    )


def younger(table: Table, share: float, days: int, now: datetime) -> Table:
    """Rewritten with that share of the rows: those of the last ``days``."""
    left = with_share(table, share)
    return replace(left, ages=table.ages and _aged(table.ages, left.rows, days, now))


def bytes_of_column(table: Table, name: str) -> int:
    """What the column takes of the table: its values, and what its part of TOAST takes beside them."""
    left = compact(table)
    return left.total_bytes - without_column(left, name).total_bytes


def without_index(table: Table, name: str, *, instead: Index | None = None) -> Table:
    """Without that index. ``instead``: the one that does its work from then on, of which nothing is counted yet."""
    gone = sum(each.bytes for each in table.indexes if each.name == name)
    return replace(
        table,
        index_bytes=max(0, table.index_bytes - gone),
        indexes=tuple(
            replace(each, scans=None) if instead is not None and each.name == instead.name else each
            for each in table.indexes
            if each.name != name
        ),
    )


def without_repeats(profile: DatabaseProfile, repeats: Repeats) -> DatabaseProfile:
    """The profile with no repeating row left, by what the sample knows."""
    left = replace(repeats, pairs=max(repeats.pairs - repeats.equal, 0), equal=0)
    return replace(profile, repeats=tuple(left if each == repeats else each for each in profile.repeats))


def _with_column_bytes(table: Table, column: Column, size: int) -> Table:
    gone = max(column.bytes - size, 0)
    in_toast = min(_in_toast(table, column) * gone // max(column.bytes, 1), table.toast_bytes)
    # Of each value that lies in TOAST, as if all were equally long.
    values = int(table.rows * (1 - column.null_share))
    pointers = min(TOAST_POINTER * values * in_toast // max(column.bytes, 1), TOAST_POINTER * values)
    in_heap = min(max(gone - in_toast, 0) + pointers, table.heap_bytes)
    return replace(
        table,
        heap_bytes=table.heap_bytes - in_heap,
        toast_bytes=table.toast_bytes - in_toast,
        columns=tuple(
            replace(each, bytes=min(size, each.bytes), raw_bytes=None, out_of_line_bytes=0)
            if each.name == column.name
            else each
            for each in table.columns
        ),
    )


def _in_toast(table: Table, column: Column) -> int:
    """TOAST of which the column is the reason, the overhead of its chunks and of their index included."""
    there = {each.name: each.out_of_line_bytes for each in table.columns}
    if not any(there.values()):
        # No value is so long that it must lie there: those lie there for which rows were too long.
        there = {each.name: each.bytes for each in table.columns if each.raw_bytes is not None}
    whole = sum(there.values())
    return table.toast_bytes * there.get(column.name, 0) // whole if whole else 0


def _aged(ages: Ages, rows: int, days: int, now: datetime) -> Ages:
    boundary = now - timedelta(days=days)
    rows -= min(ages.rows_ahead, rows)
    return replace(
        ages,
        oldest=max(ages.oldest, boundary),
        rows_within={
            window: rows if window >= days else min(within, rows) for window, within in ages.rows_within.items()
        },
        rows_by_day={day: number for day, number in ages.rows_by_day.items() if day >= boundary.date()},
    )


def _bytes(tables: tuple[Table, ...]) -> int:
    return sum(each.total_bytes for each in tables if each.kind != "partition")
