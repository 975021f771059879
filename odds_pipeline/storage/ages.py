"""How old rows are: which time they age by, their own or that of the row that they belong to.

A table partitioned by time ages by its key; others by a column with one of the names below; rows without a time of
their own by that of the row which a foreign key (or a name like one) refers to, the largest such table first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import psycopg
from psycopg import sql

from odds_pipeline.storage.estimates import joined
from odds_pipeline.storage.measured import Ages, RowsFrom
from odds_pipeline.storage.pages import lots_of_pages
from odds_pipeline.storage.relations import Attribute, Reference, Relation
from odds_pipeline.storage.sampling import ON_PAGE, PAGES, Times, time_columns

Connection = psycopg.Connection[tuple[Any, ...]]

_BORN = (
    "captured_at", "occurred_at", "started_at", "sampled_at", "observed_at", "scraped_at", "recorded_at", "inserted_at",
    "timestamp", "event_timestamp", "created_at", "create_timestamp", "created", "imported_at", "known_since",
    "start_time", "last_answer_at",
)  # fmt: skip
"""Names of columns that say when a row was made, the best first."""
_MOVED = ("last_updated_at", "updated_at", "update_timestamp", "last_confirmed_at", "last_seen_at")
"""Names of columns that say when a row was last changed."""
_KNOWN_OWNERS = {
    ("market_odds", "snapshot_id"): "odds_snapshots",
    ("competitor_market_odds", "snapshot_id"): "competitor_odds_snapshots",
}
"""References of the earlier system for which its database has no foreign key."""


class _Type(IntEnum):
    """Ids of PostgreSQL's types that can hold a time."""

    DATE = 1082
    TIMESTAMP = 1114
    TIMESTAMPTZ = 1184
    FLOAT8 = 701
    NUMERIC = 1700
    INT4 = 23
    INT8 = 20


_CALENDAR = (sql.Literal(datetime(1900, 1, 1, tzinfo=UTC)), sql.Literal(datetime(9000, 1, 1, tzinfo=UTC)))
_SECONDS = 1.0
"""For looking up the times of the rows that others belong to."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time by which a table's rows age."""

    said_by: str
    time_of_row: sql.Composable
    """Of type timestamptz, null where there is none that a calendar knows."""
    is_birth: bool
    """Whether it is when the row was made, so that the rows of a day are what was gained in it."""
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Where the row is that another belongs to: ``column`` of the one equals ``referenced`` of ``relation``."""

    column: str
    relation: Relation
    referenced: str


def own_clock(relation: Relation) -> Clock | None:
    """The clock that the table has itself."""
    by_name = {each.name: each for each in relation.attributes if not each.is_virtual}
    names = [*([relation.partitioned_by] if relation.partitioned_by else []), *_BORN, *_MOVED]
    for name in names:
        attribute = by_name.get(name)
        if attribute is not None and (moment := _moment(attribute, sql.Identifier(name))) is not None:
            return Clock(name, moment, is_birth=name not in _MOVED and not _is_state(relation))
    return None


def owners_clock(relation: Relation, relations: Sequence[Relation], rows: Mapping[int, int]) -> Clock | None:
    """The clock of the largest table that this one's rows refer to and that has one; ``rows``: of each table."""
    by_oid = {each.oid: each for each in relations}
    clocks: list[tuple[int, Clock]] = []
    for reference in (*relation.references, *_unwritten(relation, relations)):
        owner = by_oid.get(reference.table)
        if owner is None or owner.oid == relation.oid or not _is_found_by(owner, reference.referenced):
            continue
        clock = own_clock(owner)
        if clock is not None:
            belongs = Owner(reference.column, owner, reference.referenced)
            said_by = f"{owner.name}.{clock.said_by}"
            found = Clock(said_by, clock.time_of_row, clock.is_birth and not _is_state(relation), belongs)
            clocks.append((rows.get(owner.oid, 0), found))
    return max(clocks, key=lambda each: each[0])[1] if clocks else None


def times_by_owner(connection: Connection, relation: Relation, clock: Clock, now: datetime, most_pages: int) -> Times:
    """Times of some of a table's rows by their owners', as ``sample_rows`` has them of rows with a time of their own.

    Owners are looked up by an index, once for each that a lot refers to.
    Raises ``psycopg.Error``.
    """
    times = Times()
    until = time.monotonic() + _SECONDS
    for lot in lots_of_pages(relation.pages, min(most_pages, PAGES)):
        row = connection.execute(_times_query(relation, clock, now, lot)).fetchone()
        assert row is not None
        times.add(int(row[0] or 0), row[1:], now)
        if time.monotonic() >= until:
            break
    return times


def _times_query(relation: Relation, clock: Clock, now: datetime, pages: Sequence[int]) -> sql.Composed:
    """One row: how many rows were looked at, and ``time_columns`` of them."""
    owner = clock.owner
    assert owner is not None
    return sql.SQL(
        """
        SELECT sum(held.rows) AS rows, {times} FROM (
            SELECT referring.owner, count(*) AS rows FROM unnest({pages}::bigint[]) AS page(number)
            CROSS JOIN LATERAL (SELECT {column} AS owner FROM ONLY {table} WHERE {on_page} OFFSET 0) AS referring
            GROUP BY referring.owner
        ) AS held
        LEFT JOIN LATERAL (
            SELECT {time_of_row} AS at FROM {owners} WHERE {referenced} = held.owner LIMIT 1
        ) AS owning ON true
        """
    ).format(
        pages=sql.Literal(list(pages)),  # not a parameter: names in the query may have percent signs
        times=sql.SQL(", ").join(time_columns(sql.SQL("owning.at"), now, "sum(held.rows)")),
        column=sql.Identifier(owner.column),
        table=sql.Identifier(relation.schema, relation.name),
        on_page=ON_PAGE,
        time_of_row=clock.time_of_row,
        owners=sql.Identifier(owner.relation.schema, owner.relation.name),
        referenced=sql.Identifier(owner.referenced),
    )


def exact_bounds(connection: Connection, relation: Relation, clock: Clock) -> tuple[datetime, datetime] | None:
    """Oldest and newest time by an index that begins with the column; None where there is no such index or no row."""
    if clock.owner is not None or not _is_found_by(relation, clock.said_by):
        return None
    query = sql.SQL("SELECT min({0}), max({0}) FROM {1}").format(
        sql.Identifier(clock.said_by), sql.Identifier(relation.schema, relation.name)
    )
    bounded = sql.SQL("SELECT {}, {} FROM ({}) AS bounds (oldest, newest)")
    attribute = next(each for each in relation.attributes if each.name == clock.said_by)
    ends = [_moment(attribute, sql.SQL("bounds.") + sql.SQL(name)) for name in ("oldest", "newest")]
    row = connection.execute(bounded.format(*ends, query)).fetchone()
    return None if row is None or None in row else (row[0], row[1])


def ages_of(
    clock: Clock, parts: Sequence[tuple[int, RowsFrom, Times]], bounds: Sequence[tuple[datetime, datetime]] = ()
) -> Ages | None:
    """The ages of one table, or of its partitions together: each as its rows, who said so, and the times seen of them.

    Rows within a window = rows of the sample within it / rows of the sample x rows. ``bounds``: exact ones.
    """
    seen = [part for part in parts if part[2].oldest is not None]
    if not seen:
        return None
    within, ahead = dict[int, float](), 0.0
    by_day = dict.fromkeys(seen[0][2].by_day, 0.0)
    oldest, newest = list[datetime](), list[datetime]()
    for rows, _, times in seen:
        scale = rows / times.rows
        assert times.oldest is not None
        assert times.newest is not None
        oldest.append(times.oldest)
        newest.append(times.newest)
        for window, count in times.within.items():
            within[window] = within.get(window, 0.0) + count * scale
        for day, count in times.by_day.items():
            by_day[day] += count * scale
        ahead += times.ahead * scale
    return Ages(
        said_by=clock.said_by,
        rows_from="counted" if joined([source for _, source, _ in seen]) == "counted" else "sampled",
        oldest=min(oldest + [first for first, _ in bounds]),
        newest=max(newest + [last for _, last in bounds]),
        rows_within={window: round(count) for window, count in within.items()},
        rows_by_day={day: round(count) for day, count in by_day.items()},
        is_birth=clock.is_birth,
        rows_ahead=round(ahead),
    )


def _moment(attribute: Attribute, value: sql.Composable) -> sql.Composable | None:
    """A column's time as a timestamptz; times without a zone are UTC, numbers are seconds since 1970."""
    match attribute.base:
        case _Type.TIMESTAMPTZ:
            moment = value
        case _Type.TIMESTAMP:
            moment = sql.SQL("({}::timestamp AT TIME ZONE 'UTC')").format(value)
        case _Type.DATE:
            # A date may be later than any timestamp.
            within = sql.SQL("CASE WHEN {0} BETWEEN DATE '1900-01-01' AND DATE '9000-01-01' THEN {0} END").format(value)
            moment = sql.SQL("(({})::timestamp AT TIME ZONE 'UTC')").format(within)
        case _Type.FLOAT8 | _Type.NUMERIC | _Type.INT8 | _Type.INT4:
            return sql.SQL("CASE WHEN {0} BETWEEN 946684800 AND 4102444800 THEN to_timestamp({0}) END").format(value)
        case _:
            return None
    # Infinity, and years that Python's calendar ends before, are no age.
    return sql.SQL("CASE WHEN {0} BETWEEN {1} AND {2} THEN {0} END").format(moment, *_CALENDAR)


def _unwritten(relation: Relation, relations: Sequence[Relation]) -> list[Reference]:
    """References by name alone: ``<table>_id`` or ``<tables>`` without its plural, and those that are known."""
    written = {reference.column for reference in relation.references}
    by_name = {each.name: each for each in relations if each.schema == relation.schema}
    found: list[Reference] = []
    for each in relation.attributes:
        if each.is_virtual or each.name in written or not each.name.endswith("_id"):
            continue
        stem = each.name.removesuffix("_id")
        for name in (_KNOWN_OWNERS.get((relation.name, each.name)), stem, f"{stem}s"):
            owner = by_name.get(name) if name else None
            key = next((other for other in owner.attributes if other.name == "id"), None) if owner else None
            if owner is not None and key is not None and _can_be_equal(each, key):
                found.append(Reference(each.name, owner.oid, "id"))
                break
    return found


def _can_be_equal(one: Attribute, other: Attribute) -> bool:
    whole = ("smallint", "integer", "bigint")
    return one.base == other.base or (one.type in whole and other.type in whole)


def _is_found_by(relation: Relation, column: str) -> bool:
    return any(index.is_tree and index.columns[0] == column for index in relation.indexes)


def _is_state(relation: Relation) -> bool:
    """Whether there is one row per row of another table, which is rewritten rather than followed by another."""
    return len(relation.primary_key) == 1 and any(
        reference.column == relation.primary_key[0] for reference in relation.references
    )
