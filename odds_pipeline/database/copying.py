"""Frames to the server, inside a transaction of the caller's: by COPY for many rows, as arrays for some thousands."""

from __future__ import annotations

from io import BytesIO

import polars as pl
import psycopg
from psycopg import sql


def copy_rows(connection: psycopg.Connection, table: str, rows: pl.DataFrame) -> None:
    """Append the rows, whose columns bear the table's names, by COPY."""
    if rows.is_empty():
        return
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT CSV)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, rows.columns))
    )
    # Written as CSV by polars: building binary rows in Python takes ten times as long as PostgreSQL needs to read text.
    text = BytesIO()
    is_bytes = [name for name, kind in rows.schema.items() if kind == pl.Binary]
    # Added up, not formatted: polars' own formatting of text was seen to fail on some frames.
    rows.with_columns((pl.lit("\\x") + pl.col(name).bin.encode("hex")).alias(name) for name in is_bytes).write_csv(
        text, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f%z"
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(text.getbuffer())


def as_array(values: pl.Series) -> str:
    """A column as PostgreSQL writes an array, for a parameter like ``%s::int[]``: psycopg would look at each value.

    Texts, moments and whatever polars writes as PostgreSQL reads it.
    """
    if isinstance(values.dtype, pl.Datetime):
        values = values.dt.to_string("%Y-%m-%d %H:%M:%S%.6f%z")
    texts = values.cast(pl.String).str.replace_all(r'(["\\\\])', r"\$1")
    return "{" + ",".join(('"' + texts + '"').fill_null("NULL")) + "}"
