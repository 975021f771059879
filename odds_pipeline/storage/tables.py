"""The tables of a profile: the catalogue's relations with what a look at some of their rows says.

The largest tables are looked at first; when time is up, the others keep what the catalogue says of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg import errors

from odds_pipeline.storage.ages import Clock, ages_of, exact_bounds, own_clock, owners_clock, times_by_owner
from odds_pipeline.storage.bloat import heap_bloat
from odds_pipeline.storage.columns import Read, Seen, columns_of, columns_together, read_values
from odds_pipeline.storage.estimates import estimate_rows, joined
from odds_pipeline.storage.measured import Ages, Column, Index, RowsFrom, Table
from odds_pipeline.storage.relations import Relation
from odds_pipeline.storage.sampling import SECONDS, RowSample, Times, sample_rows, share_of_pages
from odds_pipeline.storage.sizes import HELD
from odds_pipeline.storage.toast import out_of_line

Connection = psycopg.Connection[tuple[Any, ...]]

SECONDS_IN_ALL = 6.0
"""For looking at rows of all tables of a database."""

_LATE = "reading some of its pages took longer than a second"
_NO_TIME = "the time for looking at rows was up; larger tables came first"


@dataclass(slots=True)
class _Part:
    """A table that holds rows itself, and what was found out about it."""

    relation: Relation
    skipped: str | None
    sample: RowSample | None = None
    rows: int = 0
    rows_from: RowsFrom = "counted"
    times: Times | None = None
    bounds: tuple[datetime, datetime] | None = None

    @property
    def seen(self) -> Seen | None:
        return None if self.sample is None else Seen(self.relation, self.sample, self.rows)


@dataclass(frozen=True, slots=True)
class _Family:
    """How relations hang together: tables with their partitions, their indexes with those of the partitions."""

    by_oid: Mapping[int, Relation]
    children: Mapping[int, Sequence[Relation]]
    index_parents: Mapping[int, int | None]

    @classmethod
    def of(cls, relations: Sequence[Relation]) -> _Family:
        children = dict[int, list[Relation]]()
        for each in relations:
            if each.parent is not None:
                children.setdefault(each.parent, []).append(each)
        index_parents = {index.oid: index.parent for each in relations for index in each.indexes}
        return cls({each.oid: each for each in relations}, children, index_parents)

    def leaves(self, relation: Relation) -> Iterator[Relation]:
        """The relation itself, or its partitions at every level that are not partitioned again."""
        if not relation.is_partitioned:
            yield relation
        for child in self.children.get(relation.oid, ()):
            yield from self.leaves(child)

    def parent(self, relation: Relation) -> Relation | None:
        """The table that the relation is a partition of, if that was asked for as well."""
        return None if relation.parent is None else self.by_oid.get(relation.parent)


@dataclass(slots=True)
class _Tree:
    """A table with its partitions, or one that has none."""

    root: Relation
    parts: list[_Part]
    clock: Clock | None = None
    read: Mapping[str, Read] = field(default_factory=dict[str, Read])

    @property
    def bytes(self) -> int:
        return sum(_bytes(part.relation) for part in self.parts)

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


def tables_of(
    connection: Connection, relations: Sequence[Relation], *, now: datetime, is_replica: bool
) -> tuple[Table, ...]:
    """Every relation as a table, partitions behind their parents; without those that vanished meanwhile.

    A table whose rows cannot be looked at says why in ``skipped``. Raises ``psycopg.OperationalError`` when the
    connection is lost.
    """
    family = _Family.of(relations)
    trees = [_tree(root, family) for root in relations if family.parent(root) is None]
    until = time.monotonic() + SECONDS_IN_ALL
    for tree in sorted(trees, key=lambda tree: -tree.bytes):
        _look(connection, tree, now, until)
    rows = {tree.root.oid: tree.rows for tree in trees}
    for tree in sorted(trees, key=lambda tree: -tree.bytes):
        if tree.clock is None and not tree.root.is_view:
            tree.clock = owners_clock(tree.root, relations, rows)
            _look_at_owners(connection, tree, now, until)
    return tuple(table for tree in trees for table in _tables(tree, family, is_replica=is_replica))


def _tree(root: Relation, family: _Family) -> _Tree:
    # A materialized view is made anew as a whole: the times in it are not when its rows were gained.
    clock = None if root.is_view else own_clock(root)
    return _Tree(root, [_Part(each, each.skipped) for each in family.leaves(root)], clock)


def _look(connection: Connection, tree: _Tree, now: datetime, until: float) -> None:
    """Look at rows of each part, and at values of some."""
    pages = sum(part.relation.pages for part in tree.parts)
    for part in list(tree.parts):
        relation = part.relation
        if part.skipped is None and time.monotonic() >= until:
            part.skipped = _NO_TIME
        if part.skipped is None:
            try:
                part.sample = sample_rows(
                    connection,
                    relation,
                    time_of_row=tree.clock.time_of_row if tree.clock else None,
                    now=now,
                    most_pages=share_of_pages(relation.pages, pages),
                    seconds=SECONDS * relation.pages / pages if pages else SECONDS,
                )
                part.times = part.sample.times if tree.clock else None
                part.bounds = exact_bounds(connection, relation, tree.clock) if tree.clock else None
            except errors.UndefinedTable:
                tree.parts.remove(part)
                continue
            except psycopg.Error as error:
                part.skipped = _reason(connection, error)
        part.rows, part.rows_from = estimate_rows(relation, part.sample)
    seen = [part.seen for part in tree.parts if part.seen is not None]
    try:
        tree.read = read_values(connection, seen) if time.monotonic() < until else {}
    except psycopg.Error as error:
        _reason(connection, error)


def _look_at_owners(connection: Connection, tree: _Tree, now: datetime, until: float) -> None:
    """Find out the ages of rows by those of the rows that they belong to."""
    pages = sum(part.relation.pages for part in tree.parts)
    for part in tree.parts:
        if tree.clock is None or part.sample is None or time.monotonic() >= until:
            return
        try:
            most = share_of_pages(part.relation.pages, pages)
            part.times = times_by_owner(connection, part.relation, tree.clock, now, most)
        except psycopg.Error as error:
            _reason(connection, error)


def _reason(connection: Connection, error: psycopg.Error) -> str:
    """Why a table was left alone; raises the error when it is the connection that is lost."""
    if connection.closed:
        raise error
    match error:
        case errors.LockNotAvailable():
            return HELD
        case errors.QueryCanceled():
            return _LATE
        case _:
            return " ".join(str(error).split())


def _tables(tree: _Tree, family: _Family, *, is_replica: bool) -> Iterator[Table]:
    """The tree's own table, then its partitions, each before its own."""
    if not tree.root.is_partitioned and not tree.parts:
        return  # it vanished
    by_oid = {part.relation.oid: part for part in tree.parts}

    def below(relation: Relation) -> Iterator[Table]:
        leaves = [by_oid[leaf.oid] for leaf in family.leaves(relation) if leaf.oid in by_oid]
        if relation.is_partitioned or leaves:
            yield _table(relation, leaves, tree, family, is_replica=is_replica)
        for each in family.children.get(relation.oid, ()):
            yield from below(each)

    yield from below(tree.root)


def _table(relation: Relation, parts: Sequence[_Part], tree: _Tree, family: _Family, *, is_replica: bool) -> Table:
    parent = family.parent(relation)
    rows = sum(part.rows for part in parts)
    columns = [(part.rows, columns_of(part.seen, tree.read)) for part in parts if part.seen is not None]
    bloat = [
        heap_bloat(part.relation, part.sample, part.rows)
        + out_of_line(part.relation, part.sample, part.rows).bloat_bytes
        for part in parts
        if part.sample is not None
    ]
    kind: Literal["table", "partitioned", "partition", "materialized view"] = "table"
    if relation.is_partitioned:
        kind = "partitioned"
    elif relation.is_view:
        kind = "materialized view"
    if relation.oid != tree.root.oid:
        kind = "partition"
    return Table(
        schema=relation.schema,
        name=relation.name,
        kind=kind,
        rows=rows,
        rows_from=joined([part.rows_from for part in parts]),
        heap_bytes=sum(part.relation.heap_bytes for part in parts),
        toast_bytes=sum(part.relation.toast_bytes for part in parts),
        index_bytes=sum(part.relation.index_bytes for part in parts),
        parent=None if parent is None else parent.name,
        parent_schema=None if parent is None or parent.schema == relation.schema else parent.schema,
        partition_bound=relation.bound,
        dead_rows=None if is_replica else sum(part.relation.dead_rows for part in parts),
        bloat_bytes=sum(bloat) if bloat or not parts else None,
        sampled_rows=sum(part.sample.rows for part in parts if part.sample is not None),
        columns=_columns(relation, columns, rows),
        indexes=_indexes(relation, parts, family),
        ages=_ages(tree, parts),
        cascades_to=relation.cascades_to,
        skipped=_skipped(relation, parts),
    )


def _columns(relation: Relation, parts: Sequence[tuple[int, Sequence[Column]]], rows: int) -> tuple[Column, ...]:
    if relation.is_partitioned:
        return columns_together(relation, parts, rows)
    return tuple(parts[0][1]) if parts else ()


def _ages(tree: _Tree, parts: Sequence[_Part]) -> Ages | None:
    if tree.clock is None:
        return None
    seen: list[tuple[int, RowsFrom, Times]] = [
        (part.rows, part.rows_from, part.times) for part in parts if part.times is not None
    ]
    return ages_of(tree.clock, seen, [part.bounds for part in parts if part.bounds is not None])


def _indexes(relation: Relation, parts: Sequence[_Part], family: _Family) -> tuple[Index, ...]:
    """The relation's indexes; those of a partitioned one have the bytes and scans of their parts."""
    bytes_of, scans_of = dict[int, int](), dict[int, int]()
    for part in parts:
        for index in part.relation.indexes:
            at: int | None = index.oid
            while at is not None:
                bytes_of[at] = bytes_of.get(at, 0) + index.bytes
                scans_of[at] = scans_of.get(at, 0) + (index.scans or 0)
                at = family.index_parents.get(at)
    return tuple(
        Index(
            name=index.name,
            bytes=bytes_of.get(index.oid, 0),
            definition=index.definition,
            columns=index.columns,
            is_unique=index.is_unique,
            is_constraint=index.is_constraint,
            scans=scans_of.get(index.oid, 0),
            is_valid=index.is_valid,
            is_being_made=index.is_being_made,
        )
        for index in relation.indexes
    )


def _skipped(relation: Relation, parts: Sequence[_Part]) -> str | None:
    reasons = [part.skipped for part in parts if part.skipped is not None]
    if not reasons:
        return relation.skipped
    if not relation.is_partitioned:
        return reasons[0]
    return f"{len(reasons)} of {len(parts)} partitions: {reasons[0]}"


def _bytes(relation: Relation) -> int:
    return relation.heap_bytes + relation.toast_bytes + relation.index_bytes
