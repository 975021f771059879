"""What the tables of Dagster's database take: on the disk, and of that what living rows fill."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

_SAMPLED_PAGES = 300
"""Pages of a table that are read to reckon what its rows fill: 2.4 MB at most, whatever its size."""

_ROW_HEADER_BYTES = 28
"""PostgreSQL's own bytes of a row: its header and its pointer in the page."""

_TABLES = """
    SELECT class.relname, pg_total_relation_size(class.oid),
        pg_relation_size(class.oid) / current_setting('block_size')::int,
        ARRAY(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = class.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
        )
    FROM pg_class AS class
    WHERE class.relkind = 'r' AND class.relnamespace = current_schema()::regnamespace
    ORDER BY class.relname
"""


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table. ``live_bytes`` and ``rows`` are reckoned from a sample of pages where the table has more of them."""

    name: str
    total_bytes: int
    """On the disk: rows, their long texts, indexes, and room that is free for new rows."""
    live_bytes: int
    """What rows fill, long texts as they are compressed, without indexes."""
    rows: int


def table_sizes(connection: psycopg.Connection) -> tuple[TableSize, ...]:
    """Every table of the schema, by name. Reads at most ``_SAMPLED_PAGES`` pages of each."""
    sizes: list[TableSize] = []
    for name, total, pages, columns in connection.execute(_TABLES).fetchall():
        percent = min(100.0, 100.0 * _SAMPLED_PAGES / max(pages, 1))
        filled = sql.SQL(" + ").join(
            sql.SQL("coalesce(pg_column_size({}), 0)").format(sql.Identifier(column)) for column in columns
        )
        sample = sql.SQL("TABLESAMPLE SYSTEM ({})").format(percent) if percent < 100 else sql.SQL("")
        row = connection.execute(
            sql.SQL("SELECT count(*), coalesce(sum({filled} + {header}), 0) FROM {table} {sample}").format(
                filled=filled, header=_ROW_HEADER_BYTES, table=sql.Identifier(name), sample=sample
            )
        ).fetchone()
        assert row is not None
        sizes.append(TableSize(name, total, round(int(row[1]) * 100 / percent), round(row[0] * 100 / percent)))
    return tuple(sizes)
