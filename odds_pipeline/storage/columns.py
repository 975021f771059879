"""The bytes of each column: extrapolated from the rows seen, and what they would be uncompressed.

Only the latter reads values themselves, out of TOAST where they lie there, and so but a few hundred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from odds_pipeline.storage.measured import Column
from odds_pipeline.storage.relations import Attribute, Relation
from odds_pipeline.storage.sampling import ON_PAGE, RowSample
from odds_pipeline.storage.toast import out_of_line

Connection = psycopg.Connection[tuple[Any, ...]]

VALUES = 600
"""Rows of a table whose values are read."""
_STORED_BYTES = 6_000_000
"""At most so many stored bytes of them, as far as the mean tells."""
_LEAST_VALUES = 16
_PAGES = 64
_PARTITIONS = 8
"""Of how many partitions values are read: compression hardly differs from one to the next."""


@dataclass(frozen=True, slots=True)
class Read:
    """Of the values read of one column: bytes as stored and uncompressed, lists among them, and the lists' items.

    Each value counts for as many rows as it stands for.
    """

    stored: float
    raw: float
    lists: float
    items: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A table that is not partitioned itself, and what was seen of it. ``rows``: of the whole table."""

    relation: Relation
    sample: RowSample
    rows: int


def columns_of(seen: Seen, read: Mapping[str, Read]) -> tuple[Column, ...]:
    """The columns of one table, JSON first, then the largest; none when nothing was seen of its rows.

    Bytes = bytes of the values seen / rows seen x rows; those out of line anchored (``toast.py``). ``raw_bytes``: the
    same x bytes uncompressed / bytes stored of the values read.
    """
    sample, rows = seen.sample, seen.rows
    if sample.rows == 0 and rows > 0:
        return ()
    corrections = out_of_line(seen.relation, sample, rows).corrections
    columns: list[Column] = []
    for each in seen.relation.attributes:
        values = sample.values[each.name]
        scale, correction = rows / max(sample.rows, 1), corrections.get(each.name, 0.0)
        size = max(0, round(values.bytes * scale + correction))
        out_of_line_bytes = min(size, max(0, round(values.out_of_line_bytes * scale + correction)))
        distinct = seen.relation.distinct.get(each.name)
        known = read.get(each.name)
        is_stored = not each.is_virtual
        columns.append(
            Column(
                name=each.name,
                type=each.type,
                bytes=size,
                null_share=1 - values.count / sample.rows if sample.rows and is_stored else 0.0,
                raw_bytes=_raw(each, size, known),
                distinct_share=None if distinct is None or rows == 0 else _share(distinct, rows),
                average_elements=known.items / known.lists if known and known.lists else None,
                out_of_line_bytes=out_of_line_bytes,
                is_generated=each.is_generated,
                dependents=seen.relation.dependents.get(each.name, ()),
            )
        )
    return tuple(sorted(columns, key=lambda column: (not column.is_json, -column.bytes)))


def columns_together(
    parent: Relation, parts: Sequence[tuple[int, Sequence[Column]]], all_rows: int
) -> tuple[Column, ...]:
    """The columns of a partitioned table: sums over its partitions, each given as its rows and its columns.

    ``all_rows``: those of partitions that were not looked at included, which are taken to be like the others.
    """
    rows = sum(count for count, _ in parts)
    scale = all_rows / rows if rows else 1.0
    columns: list[Column] = []
    for each in parent.attributes:
        found = [(count, column) for count, part in parts for column in part if column.name == each.name]
        if not found and parts:
            continue
        raws = [column.raw_bytes for _, column in found]
        listed = [(count, column.average_elements) for count, column in found if column.average_elements is not None]
        held = sum(count for count, _ in listed)
        distinct = parent.distinct.get(each.name)
        columns.append(
            Column(
                name=each.name,
                type=each.type,
                bytes=round(scale * sum(column.bytes for _, column in found)),
                null_share=sum(count * column.null_share for count, column in found) / rows if rows else 0.0,
                raw_bytes=None
                if None in raws or not _may_be_compressed(each)
                else round(scale * sum(raw or 0 for raw in raws)),
                distinct_share=None if distinct is None or rows == 0 else _share(distinct, all_rows),
                average_elements=sum(count * mean for count, mean in listed) / held if held else None,
                out_of_line_bytes=round(scale * sum(column.out_of_line_bytes for _, column in found)),
                is_generated=each.is_generated,
                dependents=parent.dependents.get(each.name, ()),
            )
        )
    return tuple(sorted(columns, key=lambda column: (not column.is_json, -column.bytes)))


def read_values(connection: Connection, parts: Sequence[Seen]) -> dict[str, Read]:
    """Read some values of the columns that may be compressed, of one table or of some of its partitions.

    Raises ``psycopg.Error`` unless it only took too long, for which fewer values are tried.
    """
    some = [part for part in parts if part.sample.rows > 0]
    some = some[:: -(-len(some) // _PARTITIONS)] if some else []
    if not some or not (columns := [each for each in some[0].relation.attributes if _may_be_compressed(each)]):
        return {}
    rows = sum(part.sample.rows for part in some)
    size = sum(part.sample.values[each.name].bytes for part in some for each in columns) / rows
    count = max(_LEAST_VALUES, min(VALUES, round(_STORED_BYTES / size) if size else VALUES))
    together = {each.name: [0.0, 0.0, 0.0, 0.0] for each in columns}
    for part in some:
        for name, counts in _read(connection, part, columns, -(-count // len(some))).items():
            together[name] = [a + b for a, b in zip(together[name], counts, strict=True)]
    return {name: Read(*counts) for name, counts in together.items()}


def _read(connection: Connection, part: Seen, columns: Sequence[Attribute], count: int) -> dict[str, list[float]]:
    filled = sorted((page, rows) for page, rows in part.sample.rows_of_page.items() if rows > 0)
    some = filled[:: -(-len(filled) // min(_PAGES, count))]
    each_page = -(-count // len(some))
    try:
        row = connection.execute(_query(part.relation, columns, some, each_page)).fetchone()
    except errors.QueryCanceled:
        if count <= 1:
            return {}
        return _read(connection, part, columns, count // 8 or 1)
    assert row is not None
    return {each.name: row[0][4 * n : 4 * n + 4] for n, each in enumerate(columns)}


def _query(
    relation: Relation, columns: Sequence[Attribute], pages: Sequence[tuple[int, int]], rows: int
) -> sql.Composed:
    """One array: of each column bytes stored, bytes uncompressed, lists, items; of at most ``rows`` rows of each page.

    ``pages``: number of the page and its rows, all of which those that are looked at stand for.
    """
    outer = list[sql.Composable]()
    for each in columns:
        # A header of one byte up to 126, of four beyond.
        raw = sql.SQL("payload + CASE WHEN payload <= 126 THEN 1 ELSE 4 END")
        name = sql.Identifier("looked_at", each.name)
        payload = _payload(each, name)
        outer += [
            sql.SQL("coalesce(sum(pg_column_size({}) * page.weight), 0)").format(name),
            sql.SQL("coalesce(sum((SELECT {} FROM (SELECT {} AS payload) AS value) * page.weight), 0)").format(
                raw, payload
            ),
            *_lists(each, name),
        ]
    return sql.SQL(
        """
        SELECT ARRAY[{outer}]::float8[] FROM unnest({pages}::bigint[], {weights}::float8[]) AS page(number, weight)
        CROSS JOIN LATERAL (SELECT {inner} FROM ONLY {table} WHERE {on_page} LIMIT {rows}) AS looked_at
        """
    ).format(
        # Not parameters: names in the query may have percent signs.
        pages=sql.Literal([page for page, _ in pages]),
        weights=sql.Literal([max(1.0, held / rows) for _, held in pages]),
        rows=sql.Literal(rows),
        outer=sql.SQL(", ").join(outer),
        inner=sql.SQL(", ").join(sql.Identifier(each.name) for each in columns),
        table=sql.Identifier(relation.schema, relation.name),
        on_page=ON_PAGE,
    )


def _payload(attribute: Attribute, name: sql.Composable) -> sql.Composed:
    """Bytes of a value uncompressed, without its header. Of text and bytea that is known without decompressing."""
    match attribute.type:
        case "jsonb":
            # The whole of a document is handed out uncompressed.
            return sql.SQL("pg_column_size({}::jsonb #> '{{}}'::text[]) - 4").format(name)
        case "bytea":
            return sql.SQL("octet_length({}::bytea)").format(name)
        case _ if attribute.category == "A":
            return sql.SQL("pg_column_size(({}::{})[:]) - 4").format(name, _type(attribute))
        case _:
            return sql.SQL("octet_length({}::text)").format(name)


def _lists(attribute: Attribute, name: sql.Composable) -> list[sql.Composable]:
    if attribute.type not in ("json", "jsonb"):
        return [sql.SQL("0::double precision"), sql.SQL("0::double precision")]
    kind = sql.SQL(attribute.type)  # pyright: ignore[reportArgumentType]
    is_list = sql.SQL("{}_typeof({}::{}) = 'array'").format(kind, name, kind)
    return [
        sql.SQL("coalesce(sum(page.weight) FILTER (WHERE {}), 0)").format(is_list),
        sql.SQL("coalesce(sum(CASE WHEN {} THEN {}_array_length({}::{}) END * page.weight), 0)").format(
            is_list, kind, name, kind
        ),
    ]


def _type(attribute: Attribute) -> sql.SQL:
    return sql.SQL(attribute.type)  # pyright: ignore[reportArgumentType]  # as format_type quotes it


def _may_be_compressed(attribute: Attribute) -> bool:
    return attribute.length == -1 and not attribute.is_virtual and attribute.storage == "x"


def _raw(attribute: Attribute, stored: int, read: Read | None) -> int | None:
    if not _may_be_compressed(attribute):
        return None
    return round(stored * read.raw / read.stored) if read and read.stored else stored


def _share(distinct: float, rows: int) -> float:
    """``n_distinct``: values if positive, their share of the rows if negative."""
    return min(1.0, -distinct if distinct < 0 else distinct / rows)
