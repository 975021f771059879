"""Which keys the items of lists of outcomes have, by a look at few values: what is packed must have no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from odds_pipeline.storage.measured import Column, DatabaseProfile, Table
from odds_pipeline.storage.opportunities.normalize import OUTCOMES
from odds_pipeline.storage.opportunities.shapes import is_dagsters

Connection = psycopg.Connection[tuple[Any, ...]]

_VALUES = 200
"""At most so many of a table are looked at,"""
_PAGES = 64
"""on so many of its pages, about."""
_PAGE = 8192


def with_item_keys(connection: Connection, profile: DatabaseProfile) -> DatabaseProfile:
    """The profile with the keys of items of outcomes; left unknown where they cannot be looked at.

    Costs one statement for each table with such a column, which reads a few pages of it.
    """
    if is_dagsters(profile):
        return profile
    return replace(profile, tables=tuple(_asked(connection, table) for table in profile.tables))


def _asked(connection: Connection, table: Table) -> Table:
    if table.kind == "partition" or not table.rows or table.skipped:
        return table
    return replace(table, columns=tuple(_with_keys(connection, table, column) for column in table.columns))


def _with_keys(connection: Connection, table: Table, column: Column) -> Column:
    if column.name != OUTCOMES or not column.is_json or not column.average_elements:
        return column
    percent = min(100.0, 100.0 * _PAGES * _PAGE / max(table.heap_bytes, 1))
    query = _KEYS.format(
        table=sql.Identifier(table.schema, table.name),
        column=sql.Identifier(column.name),
        percent=sql.Literal(percent),
        values=sql.Literal(_VALUES),
    )
    try:
        found = connection.execute(query).fetchall()
    except psycopg.Error:
        if connection.closed:
            raise
        return column
    return replace(column, item_keys=tuple(sorted(tuple(keys) for (keys,) in found)))


_KEYS = sql.SQL("""
    SELECT DISTINCT ARRAY(SELECT key FROM jsonb_object_keys(item) AS key ORDER BY key)
    FROM (
        SELECT {column}::jsonb AS list FROM {table} TABLESAMPLE SYSTEM ({percent}) WHERE {column} IS NOT NULL
        LIMIT {values}
    ) AS looked_at
    CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(list) = 'array' THEN list ELSE '[]' END) AS item
    WHERE jsonb_typeof(item) = 'object'
""")
