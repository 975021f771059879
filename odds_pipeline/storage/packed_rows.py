"""How many changes history holds: a row of it is an answer with all that it changed, and says in front how many."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from odds_pipeline.storage.measured import DatabaseProfile, Table

Connection = psycopg.Connection[tuple[Any, ...]]

PACKED = ("event_bookmaker_id", "captured_at", "changes")
"""Columns by which a table of answers with their changes is known."""

_PAGES = 256
"""On so many pages of a table, about, rows are asked how many changes they hold."""
_PAGE = 8192


def with_changes(connection: Connection, profile: DatabaseProfile) -> DatabaseProfile:
    """The profile with the changes that packed rows hold; left unknown where they cannot be looked at.

    Changes = changes of the rows looked at / their number x rows. Costs one statement for each such table.
    """
    return replace(profile, tables=tuple(_counted(connection, table) for table in profile.tables))


def is_packed(table: Table) -> bool:
    """Whether a row of the table is an answer with its changes."""
    return all(table.column(name) for name in PACKED)


def _counted(connection: Connection, table: Table) -> Table:
    if table.kind == "partition" or table.skipped or not table.rows or not is_packed(table):
        return table
    percent = min(100.0, 100.0 * _PAGES * _PAGE / max(table.heap_bytes, 1))
    query = _CHANGES.format(table=sql.Identifier(table.schema, table.name), percent=sql.Literal(percent))
    try:
        row = connection.execute(query).fetchone()
    except psycopg.Error:
        if connection.closed:
            raise
        return table
    assert row is not None
    rows, changes = row
    return replace(table, changes=round(table.rows * changes / rows)) if rows else table


#: The same rows each time. The slice keeps a long value that was compressed from being read as a whole.
_CHANGES = sql.SQL("""
    SELECT count(*), sum(odds_count(head))
    FROM (
        SELECT substring(changes FROM 1 FOR 2) AS head FROM {table} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0)
        OFFSET 0
    ) AS looked_at
""")
