# pyright: basic, reportAttributeAccessIssue=false
"""Frames from the server, inside a transaction of the caller's: for few rows and for many, in one message.

PostgreSQL puts each column into one value, of which Arrow's buffers are made. Rows of their own would cost a message,
and here a Python object for each field. (Arrow's Python package carries no types.)
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from odds_pipeline.odds.observation import LINE, UTC_MICROSECONDS

Schema = Mapping[str, pl.DataType | type[pl.DataType]]

_EPOCH = 946_684_800_000_000
"""PostgreSQL counts microseconds from the beginning of the year 2000; this many after 1970's."""
_BEFORE_ALL = -(2**63)
"""How PostgreSQL sends -infinity, which stands for a moment that is null."""

#: How a column of a type is put into values: lengths first for what has them, -1 for null.
_AS_BYTES: Mapping[Any, tuple[sql.SQL, ...]] = {
    pl.Int32: (sql.SQL("string_agg(int4send({0}), '')"),),
    pl.Int64: (sql.SQL("string_agg(int8send({0}), '')"),),
    pl.Boolean: (sql.SQL("string_agg(CASE {0} WHEN true THEN '\\x01'::bytea WHEN false THEN '\\x00' END, '')"),),
    UTC_MICROSECONDS: (sql.SQL("string_agg(timestamptz_send(coalesce({0}, '-infinity')), '')"),),
    pl.Binary: (sql.SQL("string_agg(int4send(length({0})), '')"), sql.SQL("string_agg({0}, '')")),
    pl.String: (
        sql.SQL("string_agg(int4send(coalesce(octet_length({0}), -1)), '')"),
        sql.SQL("convert_to(string_agg({0}, ''), 'UTF8')"),
    ),
    LINE: (
        sql.SQL("string_agg(int4send(coalesce(octet_length({0}::text), -1)), '')"),
        sql.SQL("convert_to(string_agg({0}::text, ''), 'UTF8')"),
    ),
}


def ask(
    connection: psycopg.Connection,
    query: sql.Composable,
    schema: Schema,
    parameters: Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    prepare: bool | None = None,
) -> Callable[[], pl.DataFrame]:
    """Ask for the rows of a query; the answer gives them as a frame in ``schema``, in the query's order.

    In a pipeline of the connection all that was asked before an answer is looked at travels together. The schema's
    types are Int32, Int64, Boolean and Binary, which must not be null, and UTC_MICROSECONDS, String and LINE. A column
    takes up to 1 GB. ``prepare``: as psycopg's. Raises ``psycopg.Error``, here or when the answer is looked at.
    """
    whole = sql.SQL("SELECT count(*), {} FROM ({}) AS rows").format(_columns(tuple(schema.items())), query)
    cursor = connection.cursor(binary=True)
    cursor.execute(whole, parameters, prepare=prepare)

    def answer() -> pl.DataFrame:
        with cursor:  # which holds the whole answer, too
            return _frame(cursor.fetchone(), schema)

    return answer


def ask_parts(
    connection: psycopg.Connection, query: sql.Composable, schema: Schema, parameters: Sequence[Any]
) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows of a query in parts, each as a frame in ``schema`` with the value of the query's column ``part``.

    Of each part the driver and its library keep copies of their own, which for all rows at once would weigh more than
    the rows. As ``ask`` otherwise; planned for these parameters.
    """
    whole = sql.SQL("SELECT part, count(*), {} FROM ({}) AS rows GROUP BY part")
    with connection.cursor(binary=True) as cursor:
        for part, *values in cursor.stream(whole.format(_columns(tuple(schema.items())), query), parameters):
            yield part, _frame(values, schema)


@cache
def _columns(schema: tuple[tuple[str, Any], ...]) -> sql.Composable:
    parts = (part.format(sql.Identifier(name)) for name, kind in schema for part in _AS_BYTES[kind])
    return sql.SQL(sql.SQL(", ").join(parts).as_string())  # type: ignore[arg-type]


def integers(numbers: Iterable[int]) -> str:
    """Numbers as PostgreSQL writes an array, for ``%s::int[]``: psycopg would look at each of many."""
    return "{" + ",".join(map(str, numbers)) + "}"


def _frame(row: Sequence[Any] | None, schema: Schema) -> pl.DataFrame:
    assert row is not None
    count, *values = row
    values.reverse()
    return pl.DataFrame(
        [
            pl.Series(name, _COLUMNS[kind](count, *(values.pop() or b"" for _ in _AS_BYTES[kind])))
            for name, kind in schema.items()
        ]
    )


def _integers(count: int, values: bytes, *, code: str = "i") -> pa.Array:
    numbers = array(code, values)
    if sys.byteorder == "little":
        numbers.byteswap()
    _require_all(count, len(numbers))
    return pa.Array.from_buffers(pa.int32() if code == "i" else pa.int64(), count, [None, pa.py_buffer(numbers)])


def _longs(count: int, values: bytes) -> pa.Array:
    return _integers(count, values, code="q")


def _booleans(count: int, values: bytes) -> pa.Array:
    _require_all(count, len(values))
    return pa.Array.from_buffers(pa.uint8(), count, [None, pa.py_buffer(values)]).cast(pa.bool_())


def _require_all(count: int, found: int) -> None:
    if found != count:
        raise ValueError(f"{count - found} of {count} values are null in a column that must have none")


def _moments(count: int, values: bytes) -> pa.Array:
    moments = _longs(count, values)
    known = pc.if_else(pc.equal(moments, _BEFORE_ALL), pa.scalar(None, pa.int64()), moments)
    return pc.add(known, _EPOCH).view(pa.timestamp("us", "UTC"))


def _bytes(count: int, lengths: bytes, values: bytes, kind: pa.DataType = pa.large_binary()) -> pa.Array:  # noqa: B008
    length = _integers(count, lengths)
    is_null = pc.less(length, 0)
    ends = pc.cumulative_sum(pc.max_element_wise(length, 0).cast(pa.int64()))
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    if offsets[-1].as_py() != len(values):
        raise ValueError(f"{len(values)} bytes came instead of {offsets[-1]}: the database must have the encoding UTF8")
    found = pa.Array.from_buffers(kind, count, [None, offsets.buffers()[1], pa.py_buffer(values)])
    return pc.if_else(is_null, pa.scalar(None, kind), found) if pc.any(is_null).as_py() else found


def _texts(count: int, lengths: bytes, values: bytes) -> pa.Array:
    return _bytes(count, lengths, values, pa.large_string())


def _lines(count: int, lengths: bytes, values: bytes) -> pa.Array:
    return _texts(count, lengths, values).cast(pa.decimal128(10, 3))


_COLUMNS: Mapping[Any, Callable[..., pa.Array]] = {
    pl.Int32: _integers,
    pl.Int64: _longs,
    pl.Boolean: _booleans,
    UTC_MICROSECONDS: _moments,
    pl.Binary: _bytes,
    pl.String: _texts,
    LINE: _lines,
}
