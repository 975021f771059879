"""Columns as parameters: PostgreSQL reads every value as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from odds_pipeline.database.copying import as_array
from odds_pipeline.database.engine import Database
from odds_pipeline.odds.observation import UTC_MICROSECONDS


@pytest.mark.parametrize(
    ("kind", "type_name", "values"),
    [
        (pl.String, "text", ["", "NULL", 'a "quoted" word', "\\back\\slash\\", "{a,b}", " Örebro\n\t'", None]),
        (pl.Int32, "int", [1, -(2**31), None]),
        (pl.Boolean, "bool", [True, False, None]),
        (UTC_MICROSECONDS, "timestamptz", [datetime(1999, 12, 31, 23, 59, 59, 123_456, tzinfo=UTC), None]),
        (pl.String, "text", []),
    ],
)
def test_a_column_is_the_array_that_postgresql_reads(
    database: Database, kind: Any, type_name: str, values: list[Any]
) -> None:
    with database.connect() as connection:
        row = connection.execute(f"SELECT %s::{type_name}[]".encode(), [as_array(pl.Series(values, dtype=kind))])
        assert row.fetchone() == (values,)
