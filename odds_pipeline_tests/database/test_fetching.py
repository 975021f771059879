"""Frames from the server: every type, nulls and nothing at all, within the transaction that asks."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import psycopg
import pytest
from psycopg import errors, sql
from sqlalchemy import make_url

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import ask
from odds_pipeline.odds.observation import LINE, UTC_MICROSECONDS

ROWS = sql.SQL(
    r"""
    SELECT * FROM (VALUES
        (1, -1, true, timestamptz '2026-11-01 10:00:00.123456Z', '\x00ff'::bytea, 'Örebro, "a"', 2.5::numeric(10, 3)),
        (-7, 9223372036854775807, false, '1999-12-31 23:59:59Z', '', '', NULL),
        (2147483647, 0, true, NULL, '\x0a', NULL, -0.125)
    ) AS rows (number, long, flag, moment, bytes, text, line)
    """
)
SCHEMA = {
    "number": pl.Int32,
    "long": pl.Int64,
    "flag": pl.Boolean,
    "moment": UTC_MICROSECONDS,
    "bytes": pl.Binary,
    "text": pl.String,
    "line": LINE,
}


def test_rows_come_in_their_order_and_types(database: Database) -> None:
    with database.connect() as connection:
        frame = ask(connection, ROWS, SCHEMA)()
    assert frame.schema == pl.Schema(SCHEMA)
    assert frame.rows() == [
        (1, -1, True, datetime(2026, 11, 1, 10, 0, 0, 123_456, UTC), b"\x00\xff", 'Örebro, "a"', Decimal("2.500")),
        (-7, 9_223_372_036_854_775_807, False, datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), b"", "", None),
        (2_147_483_647, 0, True, None, b"\n", None, Decimal("-0.125")),
    ]


def test_no_rows_are_a_frame_of_the_same_schema(database: Database) -> None:
    with database.connect() as connection:
        frame = ask(connection, sql.SQL("SELECT * FROM ({}) AS rows WHERE number = %s").format(ROWS), SCHEMA, [0])()
    assert (frame.height, frame.schema) == (0, pl.Schema(SCHEMA))


@pytest.mark.parametrize(("kind", "value"), [(pl.Int32, "number"), (pl.Int64, "number"), (pl.Boolean, "number = 1")])
def test_a_null_where_none_may_be_is_refused(database: Database, kind: type[pl.DataType], value: str) -> None:
    rows = sql.SQL("SELECT CASE WHEN number <> 2 THEN {} END AS given FROM generate_series(1, 3) AS number")
    with database.connect() as connection, pytest.raises(ValueError, match="1 of 3 values are null"):
        ask(connection, rows.format(sql.SQL(value)), {"given": kind})()  # type: ignore[arg-type]


def test_questions_of_a_pipeline_are_answered_in_any_order(database: Database) -> None:
    query = sql.SQL("SELECT %s::int AS number")
    with database.connect() as connection, connection.pipeline():
        answers = [ask(connection, query, {"number": pl.Int32}, [number], prepare=True) for number in range(3)]
        assert [answer()["number"].to_list() for answer in reversed(answers)] == [[2], [1], [0]]


def test_an_error_of_the_server_is_raised(database: Database) -> None:
    with database.connect() as connection, pytest.raises(errors.UndefinedTable, match="no_such_table"):
        ask(connection, sql.SQL("SELECT 1 AS number FROM no_such_table"), {"number": pl.Int32})()


def test_a_database_in_another_encoding_gives_an_error_and_no_torn_text(
    postgres_server: EmbeddedServer, empty_database: str
) -> None:
    name = f"latin1_{make_url(empty_database).database}"
    with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as connection:
        make = "CREATE DATABASE {} ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
        connection.execute(sql.SQL(make).format(sql.Identifier(name)))
        try:
            with (
                Database(postgres_server.url(name)) as database,
                database.connect() as latin,
                pytest.raises(ValueError, match="encoding UTF8"),
            ):
                ask(latin, sql.SQL("SELECT 'Örebro' AS text"), {"text": pl.String})()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
