"""The tables of an earlier system: which of them a schema has, with which columns, and what it takes to read one.

Here: names and shapes. Two generations may stand side by side: snapshots of whole events (``odds_snapshots`` with
``market_odds``, and the competitors' twins), and markets one by one (``market_odds_current``, ``market_odds_history``).
Reading a day of them is in ``source.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.odds.observation import UTC_MICROSECONDS

MARKET_ODDS = "market_odds"
COMPETITOR_MARKET_ODDS = "competitor_market_odds"
MARKET_ODDS_HISTORY = "market_odds_history"
MARKET_ODDS_CURRENT = "market_odds_current"

#: The tables whose rows say what a market was, strongest first where two speak of the same moment.
ODDS_TABLES = (MARKET_ODDS, COMPETITOR_MARKET_ODDS, MARKET_ODDS_HISTORY, MARKET_ODDS_CURRENT)

#: One stored row: what its table says of one market of a listing at a moment. Numbers and JSON are still text, as
#: PostgreSQL writes them; ``snapshot_id`` is null in the second generation, whose rows speak for themselves alone.
STATEMENT_SCHEMA = {
    "listing": pl.Int64,
    "at": UTC_MICROSECONDS,
    "table": pl.String,
    "snapshot_id": pl.Int64,
    "row_id": pl.Int64,
    "market_id": pl.String,
    "name": pl.String,
    "line": pl.String,
    "handicap_type": pl.String,
    "handicap_home": pl.String,
    "handicap_away": pl.String,
    "outcomes": pl.String,
    "groups": pl.String,
    "unavailable_at": UTC_MICROSECONDS,
}

#: What each needs beside itself to be read.
_NEEDED: Mapping[str, frozenset[str]] = {
    MARKET_ODDS: frozenset({"odds_snapshots", "bookmakers", "events", "tournaments", "sports"}),
    COMPETITOR_MARKET_ODDS: frozenset(
        {"competitor_odds_snapshots", "competitor_events", "competitor_tournaments", "sports"}
    ),
    MARKET_ODDS_HISTORY: frozenset({"events", "tournaments", "sports"}),
    MARKET_ODDS_CURRENT: frozenset({"events", "tournaments", "sports"}),
}


class EarlierSystemMissing(Exception):
    """There is no earlier system to read; the message says where it was looked for and what to set."""


@dataclass(frozen=True)
class Tables:
    """The tables of one schema. ``columns``: table to its columns; views do not count."""

    schema: str
    columns: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, database: Database, schema: str) -> Tables:
        """Ask the catalogue. Our own views bear names of the second generation, so only tables are taken."""
        with database.connect() as connection:
            rows = connection.execute(
                """
                SELECT class.relname, array_agg(attribute.attname::text)
                FROM pg_class AS class
                JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
                JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
                WHERE namespace.nspname = %s AND class.relkind IN ('r', 'p', 'f')
                  AND attribute.attnum > 0 AND NOT attribute.attisdropped
                GROUP BY class.relname
                """,
                [schema],
            ).fetchall()
        return cls(schema, {name: frozenset(columns) for name, columns in rows})

    @property
    def readable(self) -> tuple[str, ...]:
        """The odds tables that can be read: they are there, and so is all that they refer to."""
        return tuple(name for name in ODDS_TABLES if name in self.columns and _NEEDED[name] <= self.columns.keys())

    def unreadable(self) -> str | None:
        """Which odds tables cannot be read for want of others, as a sentence; None if there is no such table."""
        wanting = {
            name: sorted(_NEEDED[name] - self.columns.keys())
            for name in ODDS_TABLES
            if name in self.columns and not _NEEDED[name] <= self.columns.keys()
        }
        if not wanting:
            return None
        return "; ".join(f"{name} cannot be read without {', '.join(others)}" for name, others in wanting.items())

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether the schema has a table, with a column."""
        return table in self.columns and (column is None or column in self.columns[table])

    def name(self, table: str) -> sql.Identifier:
        """The table's qualified name."""
        return sql.Identifier(self.schema, table)

    def select(self, table: str, columns: Iterable[tuple[str, str]], alias: str) -> sql.Composed:
        """A list of ``alias.column::type AS column``; columns that the table lacks are null."""
        return sql.SQL(", ").join(
            sql.SQL("{}::{} AS {}").format(
                sql.Identifier(alias, column) if self.has(table, column) else sql.SQL("NULL"),
                sql.SQL(kind),  # pyright: ignore[reportArgumentType]
                sql.Identifier(column),
            )
            for column, kind in columns
        )
