"""The drivers: which tables, columns and archives the bytes are."""

from __future__ import annotations

from collections.abc import Iterator

from odds_pipeline.storage.judged import Driver
from odds_pipeline.storage.measured import DatabaseProfile, StorageProfile, Table

MOST = 10
ARCHIVE = "archive"
"""What stands for a database where an archive is the driver."""
WHOLE = 0.75
THE_REST = "the rest"
BESIDE_TABLES = "PostgreSQL's own catalogue, and the rest"
"""Of a database beside the tables that were looked at; of a small one it is much."""


def drivers(profile: StorageProfile) -> tuple[Driver, ...]:
    """The largest parts of everything, largest first, at most ten; shares are of databases and archives together.

    A column with more than three quarters of its table's bytes stands for the table, and the rest of the table by
    itself: no byte is counted twice. What a database has beside its tables is a part as well: none is left out.
    """
    total = profile.total_bytes
    parts = [
        *((database.name, *part) for database in profile.databases for table in database.whole_tables
          for part in _parts(table)),
        *((database.name, BESIDE_TABLES, beside_tables(database)) for database in profile.databases),
        *((ARCHIVE, archive.kind, archive.bytes) for archive in profile.archives),
    ]  # fmt: skip
    largest = sorted(parts, key=lambda part: (-part[2], part[:2]))[:MOST]
    return tuple(
        Driver(database, what, size, size / total if total else 0.0) for database, what, size in largest if size
    )


def beside_tables(database: DatabaseProfile) -> int:
    """Bytes of the database that are in none of its tables, never less than 0: sizes are not of one moment."""
    return max(0, database.total_bytes - sum(table.total_bytes for table in database.whole_tables))


def _parts(table: Table) -> Iterator[tuple[str, int]]:
    column = max(table.columns, key=lambda each: each.bytes, default=None)
    if column is None or column.bytes <= WHOLE * table.total_bytes:
        yield table.name, table.total_bytes
        return
    size = min(column.bytes, table.total_bytes)
    yield f"{table.name}.{column.name}", size
    yield f"{table.name} ({THE_REST})", table.total_bytes - size
