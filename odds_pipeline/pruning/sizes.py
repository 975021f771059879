"""What Dagster's own tables take: on the disk, and of that what living rows fill."""

from __future__ import annotations

from dataclasses import dataclass

from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata
from psycopg import sql

from odds_pipeline.pruning.sweep import Sweep

_SAMPLED_PAGES = 300
"""Pages of a table that are read to reckon what its rows fill: 2.4 MB at most, whatever its size."""

_ROW_HEADER_BYTES = 28
"""PostgreSQL's own bytes of a row: its header and its pointer in the page."""

# The same schema may hold tables of somebody else's.
_DAGSTERS = [
    *RunStorageSqlMetadata.tables,
    *SqlEventLogStorageMetadata.tables,
    *ScheduleStorageSqlMetadata.tables,
    "alembic_version",
]

_TABLES = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname = ANY(%s)
    ORDER BY relname
"""

_SIZE = """
    SELECT pg_total_relation_size(class.oid),
        pg_relation_size(class.oid) / current_setting('block_size')::int,
        ARRAY(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = class.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
        )
    FROM pg_class AS class
    WHERE class.relname = %s AND class.relnamespace = current_schema()::regnamespace
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


def table_sizes(sweep: Sweep) -> tuple[TableSize, ...]:
    """Dagster's tables by name, without those that somebody holds. Reads at most ``_SAMPLED_PAGES`` pages of each."""
    sizes: list[TableSize] = []
    for (name,) in sweep.connection.execute(_TABLES, [_DAGSTERS]).fetchall():
        with sweep.part(f"size of {name}"):
            sizes.append(_size(sweep, name))
    return tuple(sizes)


def _size(sweep: Sweep, name: str) -> TableSize:
    found = sweep.connection.execute(_SIZE, [name]).fetchone()
    assert found is not None
    total, pages, columns = found
    percent = min(100.0, 100.0 * _SAMPLED_PAGES / max(pages, 1))
    filled = sql.SQL(" + ").join(
        sql.SQL("coalesce(pg_column_size({}), 0)").format(sql.Identifier(column)) for column in columns
    )
    sample = sql.SQL("TABLESAMPLE SYSTEM ({})").format(percent) if percent < 100 else sql.SQL("")
    row = sweep.connection.execute(
        sql.SQL("SELECT count(*), coalesce(sum({filled} + {header}), 0) FROM {table} {sample}").format(
            filled=filled, header=_ROW_HEADER_BYTES, table=sql.Identifier(name), sample=sample
        )
    ).fetchone()
    assert row is not None
    return TableSize(name, total, round(int(row[1]) * 100 / percent), round(row[0] * 100 / percent))
