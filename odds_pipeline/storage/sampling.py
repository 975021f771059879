"""Looking at some of a table's rows: how large their values are as stored, and how old the rows.

Pages are read by their numbers (TID range scans), a lot at a time, and summed up page by page. ``pg_column_size`` tells
the size of a value that lies out of line without reading it, so that TOAST is not touched.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from odds_pipeline.storage.measured import WINDOWS
from odds_pipeline.storage.pages import lots_of_pages
from odds_pipeline.storage.relations import Attribute, Relation

Connection = psycopg.Connection[tuple[Any, ...]]

PAGES = 1024
"""The most that are read of one table, and of all partitions of one table together."""
ROWS = 40_000
"""After so many, no further lot is read."""
SECONDS = 1.5
"""After so long neither."""

OUT_OF_LINE = 2000
"""A value that is stored larger than this does not fit beside others: it lies in the TOAST table."""
POINTER = 18
"""Bytes that stay in the row of such a value."""

ON_PAGE = sql.SQL("ctid >= ('(' || page.number || ',0)')::tid AND ctid < ('(' || page.number + 1 || ',0)')::tid")
"""The condition that a row lies on the page ``page.number``."""


@dataclass(slots=True)
class Values:
    """Of one column, the values seen."""

    count: int = 0
    """Not null."""
    bytes: int = 0
    out_of_line: int = 0
    """How many of them lie in TOAST."""
    out_of_line_of_page: dict[int, int] = field(default_factory=dict[int, int])
    """Page number to the bytes of those that its rows have there."""

    @property
    def out_of_line_bytes(self) -> int:
        """Of the bytes, those in TOAST."""
        return sum(self.out_of_line_of_page.values())


@dataclass(slots=True)
class Times:
    """Of the time by which rows age, what was seen."""

    rows: int = 0
    """How many were looked at for it."""
    oldest: datetime | None = None
    newest: datetime | None = None
    within: dict[int, int] = field(default_factory=lambda: dict.fromkeys(WINDOWS, 0))
    by_day: dict[date, int] = field(default_factory=dict[date, int])
    ahead: int = 0

    def add(self, rows: int, counts: Sequence[Any], now: datetime) -> None:
        """Add one row of ``time_columns``, which says it of so many rows."""
        self.rows += rows
        oldest, newest, *others = counts
        *others, ahead = others or (0,)
        if oldest is None:
            return
        self.oldest = oldest if self.oldest is None else min(self.oldest, oldest)
        self.newest = newest if self.newest is None else max(self.newest, newest)
        self.ahead += int(ahead or 0)
        for window, count in zip(WINDOWS, others, strict=False):
            self.within[window] += int(count or 0)
        for day, count in zip(days_before(now), others[len(WINDOWS) :], strict=True):
            self.by_day[day] = self.by_day.get(day, 0) + int(count or 0)


@dataclass(slots=True)
class RowSample:
    """What was seen of one table, page by page where its spread matters."""

    rows: int = 0
    rows_of_page: dict[int, int] = field(default_factory=dict[int, int])
    """Page number to rows, of all pages that were looked at."""
    toasted_of_page: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """Page number to the bytes of each of its rows' values in TOAST, as far as sizes tell which lie there: those too
    long for a row, and of a row that is too long without them the longest of the others."""
    squares: float = 0.0
    """Of the bytes that each row has in the heap, summed up."""
    values: dict[str, Values] = field(default_factory=dict[str, Values])
    times: Times = field(default_factory=Times)

    @property
    def pages(self) -> int:
        """How many were looked at."""
        return len(self.rows_of_page)


def share_of_pages(pages: int, whole: int) -> int:
    """How many pages may be read of a table with ``pages``, a partition among others with ``whole`` pages together.

    At least three, so that each partition has a say, and not only by its ends.
    """
    return pages if whole <= PAGES else max(3, PAGES * pages // whole)


def sample_rows(
    connection: Connection,
    relation: Relation,
    *,
    time_of_row: sql.Composable | None,
    now: datetime,
    most_pages: int,
    seconds: float = SECONDS,
) -> RowSample:
    """Read at most ``most_pages`` pages of a table, and stop after ``ROWS`` rows or ``seconds``.

    ``time_of_row``: an expression of type timestamptz over the columns. Raises ``psycopg.Error``, also when the table
    is gone.
    """
    stored = [each for each in relation.attributes if not each.is_virtual]
    sample = RowSample(values={each.name: Values() for each in relation.attributes})
    until = time.monotonic() + seconds
    for lot in lots_of_pages(relation.pages, most_pages):
        try:
            looked_at = connection.execute(_query(relation, stored, time_of_row, now, lot)).fetchall()
        except errors.QueryCanceled:
            # A slow disk: a few pages are better than none.
            if sample.pages:
                break
            looked_at = connection.execute(_query(relation, stored, time_of_row, now, lot[::8])).fetchall()
        for row in looked_at:
            _add(sample, stored, row, now)
        if sample.rows >= ROWS or time.monotonic() >= until:
            break
    return sample


def time_columns(
    time_of_row: sql.Composable | None, now: datetime, rows: LiteralString = "count(*)"
) -> list[sql.Composable]:
    """Oldest and newest time, rows within each of ``WINDOWS``, of each of ``days_before``, and from now on."""
    if time_of_row is None:
        return [sql.SQL("NULL::timestamptz"), sql.SQL("NULL::timestamptz")]
    later = [sql.Literal(now - timedelta(days=window)) for window in WINDOWS]
    midnights = [sql.Literal(datetime.combine(day, datetime.min.time(), now.tzinfo)) for day in days_before(now)]
    counted = sql.SQL(rows + " FILTER (WHERE {0} >= {1} AND {0} < {2})")
    return [
        sql.SQL("min({})").format(time_of_row),
        sql.SQL("max({})").format(time_of_row),
        *(counted.format(time_of_row, start, sql.Literal(now)) for start in later),
        *(counted.format(time_of_row, start, sql.SQL("{} + interval '1 day'").format(start)) for start in midnights),
        counted.format(time_of_row, sql.Literal(now), sql.Literal("infinity")),
    ]


def days_before(now: datetime) -> list[date]:
    """The last seven whole UTC days, oldest first."""
    return [now.date() - timedelta(days=ago) for ago in range(7, 0, -1)]


def _query(
    relation: Relation,
    stored: Sequence[Attribute],
    time_of_row: sql.Composable | None,
    now: datetime,
    pages: Sequence[int],
) -> sql.Composed:
    """One row per page: its number, rows, per column count and bytes (varying: also those out of line), and times."""
    inner: list[sql.Composable] = []
    sums: list[sql.Composable] = []
    toasted: list[sql.Composable] = [sql.SQL("'{}'::int[]")]
    short: list[sql.Composable] = [sql.SQL("NULL::int")]
    inline: list[sql.Composable] = [sql.SQL("0")]
    for number, each in enumerate(stored):
        size = sql.Identifier(f"size_{number}")
        inner.append(sql.SQL("pg_column_size({}) AS {}").format(sql.Identifier(each.name), size))
        sums += [sql.SQL("count({})").format(size), sql.SQL("coalesce(sum({}), 0)").format(size)]
        if not may_lie_out_of_line(each):
            inline.append(sql.SQL("coalesce({}, 0)").format(size))
        else:
            within = sql.SQL("CASE WHEN {0} > {1} THEN {2} ELSE coalesce({0}, 0) END")
            inline.append(within.format(size, sql.Literal(OUT_OF_LINE), sql.Literal(POINTER)))
            short.append(sql.SQL("CASE WHEN {0} <= {1} THEN {0} END").format(size, sql.Literal(OUT_OF_LINE)))
            beyond = sql.SQL(" FILTER (WHERE {} > {})").format(size, sql.Literal(OUT_OF_LINE))
            sums += [
                sql.SQL("count({}){}").format(size, beyond),
                sql.SQL("coalesce(sum({}){}, 0)").format(size, beyond),
            ]
            toasted.append(sql.SQL("array_agg({}){}").format(size, beyond))
    row_bytes = sql.SQL(" + ").join(inline)
    longest = sql.SQL(
        "array_agg(greatest({shorter})) FILTER (WHERE {row} > {most} AND greatest({shorter}) IS NOT NULL)"
    )
    toasted.append(longest.format(shorter=sql.SQL(", ").join(short), row=row_bytes, most=sql.Literal(OUT_OF_LINE)))
    if time_of_row is not None:
        inner.append(sql.SQL("{} AS at").format(time_of_row))
    # As one array: a table may have 1,600 columns, and a list of results no more than 1,664 places.
    outer: list[sql.Composable] = [
        sql.SQL("count(*)"),
        sql.SQL("ARRAY[{}]::bigint[]").format(sql.SQL(", ").join(sums)),
        sql.SQL(" || ").join(toasted),
        sql.SQL("sum(({})::double precision ^ 2)").format(row_bytes),
    ]
    outer += time_columns(None if time_of_row is None else sql.Identifier("at"), now)
    # OFFSET 0: sizes are asked for once and then summed up in several ways.
    return sql.SQL(
        """
        SELECT page.number, seen.* FROM unnest({pages}::bigint[]) AS page(number)
        CROSS JOIN LATERAL (
            SELECT {outer} FROM (SELECT {inner} FROM ONLY {table} WHERE {on_page} OFFSET 0) AS looked_at
        ) AS seen
        """
    ).format(
        # Not a parameter: names in the query may have percent signs.
        pages=sql.Literal(list(pages)),
        outer=sql.SQL(", ").join(outer),
        inner=sql.SQL(", ").join(inner or [sql.SQL("1")]),
        table=sql.Identifier(relation.schema, relation.name),
        on_page=ON_PAGE,
    )


def may_lie_out_of_line(attribute: Attribute) -> bool:
    """Whether values of the column are moved to TOAST when they are large."""
    return attribute.length == -1 and attribute.storage in ("x", "e")


def _add(sample: RowSample, stored: Sequence[Attribute], row: tuple[Any, ...], now: datetime) -> None:
    page, rows, sums, toasted, squares, *times = row
    sample.rows += rows
    sample.rows_of_page[page] = rows
    position = 0
    for each in stored:
        values = sample.values[each.name]
        values.count += sums[position]
        values.bytes += sums[position + 1]
        position += 2
        if may_lie_out_of_line(each):
            values.out_of_line += sums[position]
            values.out_of_line_of_page[page] = sums[position + 1]
            position += 2
    sample.toasted_of_page[page] = toasted
    sample.squares += squares or 0.0
    sample.times.add(rows, times, now)
