"""Pieces of the SQL that is given as advice: names that stay what they are, moments, and statements one after another.

Each statement of an advice ends with a semicolon at the end of a line, and nowhere else does a line end with one: by
that they can be told apart (``Opportunity.statements``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import LiteralString, cast

from psycopg import sql

from odds_pipeline.storage.measured import Column, DatabaseProfile, Table


def name(*parts: str) -> sql.Composable:
    """A quoted identifier. One with control characters is escaped, so that no line of a statement breaks in it."""
    return sql.SQL(".").join(_part(part) for part in parts)


def relation(table: Table) -> sql.Composable:
    """The table with its schema."""
    return name(table.schema, table.name)


def names(parts: Iterable[str], *, of: str | None = None) -> sql.Composable:
    """Columns, separated by commas; ``of`` is the alias of their table."""
    return sql.SQL(", ").join(name(*((of, part) if of else (part,))) for part in parts)


def moment(time: datetime, column: Column) -> sql.Composable:
    """The moment as a constant of the column's type; a time without zone is UTC, a number counts seconds since 1970."""
    utc = time.astimezone(UTC)
    if column.type.startswith(("bigint", "integer", "double precision", "numeric")):
        return sql.Literal(int(utc.timestamp()))
    if "with time zone" in column.type or column.type == "timestamptz":
        return sql.SQL("TIMESTAMPTZ {}").format(sql.Literal(f"{utc:%Y-%m-%d %H:%M:%S+00}"))
    return sql.SQL("TIMESTAMP {}").format(sql.Literal(f"{utc:%Y-%m-%d %H:%M:%S}"))


def text(template: LiteralString, **parts: sql.Composable) -> str:
    """The template with its parts put in, as text that any client may run."""
    return sql.SQL(template).format(**parts).as_string(None).strip() + "\n"


def rewrite(profile: DatabaseProfile, table: Table) -> str:
    """VACUUM FULL, of each partition by itself: the copy then needs the room of one."""
    parts = profile.partitions_of(table) if table.kind == "partitioned" else (table,)
    return "".join(text("VACUUM (FULL, ANALYZE) {table};", table=relation(part)) for part in parts)


def _part(part: str) -> sql.Composable:
    if part.isprintable():
        return sql.Identifier(part)
    escaped = "".join(
        letter.replace("\\", "\\\\").replace('"', '""') if letter.isprintable() else f"\\+{ord(letter):06x}"
        for letter in part
    )
    return sql.SQL(cast(LiteralString, f'U&"{escaped}"'))
