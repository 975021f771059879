"""Who reads a column that might be done without, as far as PostgreSQL knows (R22).

What depends on a column is PostgreSQL's own record: views, indexes, constraints, triggers, functions with a parsed
body. Other functions and statements are searched as text, for the column's name beside the table's: ``SELECT *`` names
no column, and is not found.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from odds_pipeline.storage.measured import ColumnReaders, DatabaseProfile, Table
from odds_pipeline.storage.opportunities.shapes import document_column, is_dagsters, raw_column
from odds_pipeline.storage.opportunities.statements import name

Connection = psycopg.Connection[tuple[Any, ...]]

MOST_STATEMENTS = 20
_LONGEST = 160
"""Characters that are told of a statement."""


def with_readers(connection: Connection, profile: DatabaseProfile) -> DatabaseProfile:
    """The profile with the readers of each column that keeps raw answers; left unknown where they cannot be asked for.

    Of a table without rows nobody is looked for: nothing would be gained.
    Reads the catalogue alone, a few statements for each such column, of which a database has a handful.
    """
    if is_dagsters(profile):
        return profile
    return replace(profile, tables=tuple(_asked(connection, table) for table in profile.tables))


def column_readers(connection: Connection, table: Table, column: str) -> ColumnReaders:
    """Look for readers of a column of a table or of any of its partitions; no folder of source is searched.

    Raises ``psycopg.Error`` when the catalogue cannot be read.
    """
    wanted = {"schema": table.schema, "table": table.name, "column": column}
    dependents = connection.execute(_DEPENDENTS, wanted)
    by_kind: dict[str, set[str]] = {"view": set(), "function": set(), "part": set()}
    blockers: set[str] = set()
    for kind, described, must_go in dependents.fetchall():
        by_kind[kind].add(described)
        if kind == "part" and must_go:
            blockers.add(described)
    texts = connection.execute(_FUNCTIONS, wanted)
    mentioning = {
        described
        for described, body, is_trigger in texts.fetchall()
        if mentions(body, column) and (is_trigger or mentions(body, table.name))
    }
    return ColumnReaders(
        column=column,
        views=tuple(sorted(by_kind["view"])),
        functions=tuple(sorted(by_kind["function"] | mentioning)),
        parts=tuple(sorted(by_kind["part"])),
        statements=_statements(connection, table, column),
        source=None,
        blockers=tuple(sorted(blockers)),
    )


def mentions(text: str, word: str) -> bool:
    """Whether the word stands in the text by itself, in any case."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _asked(connection: Connection, table: Table) -> Table:
    if table.kind == "partition" or (not table.rows and not table.skipped):
        return table
    columns = list(table.columns)
    for place, column in enumerate(columns):
        if raw_column(table, column) or document_column(table, column):
            try:
                columns[place] = replace(column, readers=column_readers(connection, table, column.name))
            except psycopg.Error:
                if connection.closed:
                    raise
    return replace(table, columns=tuple(columns))


def _statements(connection: Connection, table: Table, column: str) -> tuple[str, ...] | None:
    """Statements of this database that mention both; None without pg_stat_statements, or the right to see them all.

    What only measures sizes, as profiles do, is no reader.
    """
    found = connection.execute(_STATEMENTS_SCHEMA).fetchone()
    if found is None:
        return None
    try:
        rows = connection.execute(_STATEMENTS.format(view=name(found[0], "pg_stat_statements"))).fetchall()
    except psycopg.Error:
        if connection.closed:
            raise
        return None
    texts = [" ".join((text or _HIDDEN).split()) for (text,) in rows]
    if _HIDDEN in texts:
        return None
    told = {
        text[:_LONGEST]
        for text in texts
        if mentions(text, column) and mentions(text, table.name) and "pg_column_size(" not in text
    }
    return tuple(sorted(told)[:MOST_STATEMENTS])


_HIDDEN = "<insufficient privilege>"

_STATEMENTS_SCHEMA = sql.SQL("""
    SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = 'pg_stat_statements'
""")

_STATEMENTS = sql.SQL("""
    SELECT query FROM {view} WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
""")

#: The table and its partitions of all levels, with the column's place in each.
_PLACES = sql.SQL("""
    WITH RECURSIVE parts AS (
        SELECT pg_class.oid AS relid FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = %(schema)s AND relname = %(table)s
        UNION SELECT inhrelid FROM pg_inherits JOIN parts ON inhparent = relid
    ), places AS (
        SELECT attrelid, attnum FROM pg_attribute JOIN parts ON attrelid = relid
        WHERE attname = %(column)s AND NOT attisdropped
    )
""")

#: The column's own default depends on it, too, and NOT NULL where that is a constraint: they are no readers.
_DEPENDENTS = sql.SQL("""
    {places}
    SELECT
        CASE depend.classid
            WHEN 'pg_rewrite'::regclass THEN 'view' WHEN 'pg_proc'::regclass THEN 'function' ELSE 'part'
        END,
        coalesce(view.oid::regclass::text, pg_describe_object(depend.classid, depend.objid, depend.objsubid)),
        bool_or(depend.deptype = 'n' OR depend.classid = 'pg_attrdef'::regclass)
    FROM places
    JOIN pg_depend AS depend ON depend.refclassid = 'pg_class'::regclass
        AND depend.refobjid = places.attrelid AND depend.refobjsubid = places.attnum
    LEFT JOIN pg_rewrite AS rule ON depend.classid = 'pg_rewrite'::regclass AND rule.oid = depend.objid
    LEFT JOIN pg_class AS view ON view.oid = rule.ev_class
    LEFT JOIN pg_attrdef AS own ON depend.classid = 'pg_attrdef'::regclass AND own.oid = depend.objid
        AND own.adrelid = places.attrelid AND own.adnum = places.attnum
    WHERE own.oid IS NULL AND NOT EXISTS (
        SELECT FROM pg_constraint AS required
        WHERE depend.classid = 'pg_constraint'::regclass AND required.oid = depend.objid AND required.contype = 'n'
    )
    GROUP BY 1, 2
""").format(places=_PLACES)

_FUNCTIONS = sql.SQL("""
    {places}
    SELECT routine.oid::regprocedure::text, routine.prosrc, EXISTS (
        SELECT FROM pg_trigger JOIN parts ON tgrelid = relid WHERE tgfoid = routine.oid AND NOT tgisinternal
    )
    FROM pg_proc AS routine JOIN pg_namespace AS schema ON schema.oid = routine.pronamespace
    WHERE schema.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(schema.nspname, 'pg_')
        AND position(lower(%(column)s) IN lower(routine.prosrc)) > 0
""").format(places=_PLACES)
