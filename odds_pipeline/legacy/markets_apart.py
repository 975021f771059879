"""Reading the second generation: the history of single markets, and the current state with their words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.snapshots import ids, moment
from odds_pipeline.legacy.tables import MARKET_ODDS_CURRENT, MARKET_ODDS_HISTORY, STATEMENT_SCHEMA, Tables
from odds_pipeline.odds.observation import UTC_MICROSECONDS

_WORDS = (
    ("betpawa_market_name", "text"),
    ("handicap_type", "text"),
    ("handicap_home", "text"),
    ("handicap_away", "text"),
    ("market_groups", "text"),
)
_MARKET = ["owner", "bookmaker", "market_id", "line"]
#: When a current row's outcomes became what they are. One that is unavailable was last touched when it went.
_STATED_AT = "LEAST(last_updated_at, unavailable_at)::timestamptz"


@dataclass(frozen=True)
class MarketsApart:
    """``market_odds_history`` and ``market_odds_current``; either may be missing. ``owner`` is ``events.id``."""

    database: Database
    tables: Tables

    @property
    def has_history(self) -> bool:
        """Whether there is a history of single markets."""
        return MARKET_ODDS_HISTORY in self.tables.readable

    @property
    def has_current(self) -> bool:
        """Whether there is a current state."""
        return MARKET_ODDS_CURRENT in self.tables.readable

    def slugs(self) -> set[str]:
        """The bookmakers that have odds here."""
        found: set[str] = set()
        for table, is_there in ((MARKET_ODDS_HISTORY, self.has_history), (MARKET_ODDS_CURRENT, self.has_current)):
            if is_there:
                query = sql.SQL("SELECT DISTINCT bookmaker_slug::text AS slug FROM {}").format(self.tables.name(table))
                found |= set(self.database.read_frame(query)["slug"])
        return found

    def days_queries(self) -> list[sql.Composed]:
        """Queries for the UTC days on which something happened."""
        queries: list[sql.Composed] = []
        if self.has_history:
            query = sql.SQL("SELECT DISTINCT captured_at::date AS day FROM {}")
            queries.append(query.format(self.tables.name(MARKET_ODDS_HISTORY)))
        if self.has_current:
            query = sql.SQL(
                "SELECT DISTINCT day::date AS day FROM {}, LATERAL (VALUES ({}), ({})) AS moments (day) "
                "WHERE day IS NOT NULL"
            )
            queries.append(query.format(self.tables.name(MARKET_ODDS_CURRENT), self._stated_at(), self._gone_at()))
        return queries

    def active(self, since: datetime, until: datetime) -> pl.DataFrame:
        """Where something happened in [since, until): table, owner, bookmaker, rows (that state something then)."""
        parts: list[sql.Composed] = []
        if self.has_history:
            parts.append(
                sql.SQL(
                    """
                    SELECT {table} AS "table", event_id::int8 AS owner, bookmaker_slug::text AS bookmaker,
                           count(*) AS rows
                    FROM {history} WHERE captured_at >= {since} AND captured_at < {until} GROUP BY 2, 3
                    """
                ).format(
                    table=sql.Literal(MARKET_ODDS_HISTORY),
                    history=self.tables.name(MARKET_ODDS_HISTORY),
                    since=moment(since),
                    until=moment(until),
                )
            )
        if self.has_current:
            parts.append(
                sql.SQL(
                    """
                    SELECT {table} AS "table", event_id::int8 AS owner, bookmaker_slug::text AS bookmaker,
                           count(*) FILTER (WHERE {stated} >= {since} AND {stated} < {until}) AS rows
                    FROM {current}
                    WHERE {stated} >= {since} AND {stated} < {until} OR {gone} >= {since} AND {gone} < {until}
                    GROUP BY 2, 3
                    """
                ).format(
                    table=sql.Literal(MARKET_ODDS_CURRENT),
                    current=self.tables.name(MARKET_ODDS_CURRENT),
                    stated=self._stated_at(),
                    gone=self._gone_at(),
                    since=moment(since),
                    until=moment(until),
                )
            )
        schema = {"table": pl.String, "owner": pl.Int64, "bookmaker": pl.String, "rows": pl.Int64}
        return pl.concat([pl.DataFrame(schema=schema), *map(self.database.read_frame, parts)])

    def statements(self, listings: pl.DataFrame, since: datetime, until: datetime) -> pl.DataFrame:
        """What is said of ``listings`` (owner, bookmaker, listing) before ``until``, from each market's last word
        before ``since`` on, in ``STATEMENT_SCHEMA``. History rows get their words from the current state."""
        owners = ids(listings["owner"].unique().sort())
        current = self._current(owners)
        frames = [current.filter(pl.col("at") < until)] if self.has_current else []
        if self.has_history:
            frames.append(
                self._history(owners, since, until).join(
                    current.unique(_MARKET).select(*_MARKET, "name", "handicap_type", "groups"),
                    on=_MARKET,
                    how="left",
                    nulls_equal=True,
                )
            )
        if not frames:
            return pl.DataFrame(schema=STATEMENT_SCHEMA)
        rows = pl.concat(frames, how="diagonal").join(listings, on=["owner", "bookmaker"])
        missing = STATEMENT_SCHEMA.keys() - set(rows.columns)
        rows = rows.with_columns(pl.lit(None).alias(name) for name in missing)
        return rows.select(pl.col(name).cast(kind) for name, kind in STATEMENT_SCHEMA.items())

    def _history(self, owners: sql.Composed, since: datetime, until: datetime) -> pl.DataFrame:
        columns = sql.SQL(
            """
            id::int8 AS row_id, event_id::int8 AS owner, bookmaker_slug::text AS bookmaker,
            betpawa_market_id::text AS market_id, line::text AS line, outcomes::text AS outcomes,
            captured_at::timestamptz AS at, {table} AS "table"
            """
        ).format(table=sql.Literal(MARKET_ODDS_HISTORY))
        query = sql.SQL(
            """
            SELECT {columns} FROM {history}
            WHERE event_id = ANY ({owners}) AND captured_at >= {since} AND captured_at < {until}
            UNION ALL
            (SELECT DISTINCT ON (event_id, bookmaker_slug, betpawa_market_id, line) {columns} FROM {history}
             WHERE event_id = ANY ({owners}) AND captured_at < {since}
             ORDER BY event_id, bookmaker_slug, betpawa_market_id, line, captured_at DESC, id DESC)
            """
        ).format(
            columns=columns,
            history=self.tables.name(MARKET_ODDS_HISTORY),
            owners=owners,
            since=moment(since),
            until=moment(until),
        )
        return self.database.read_frame(query).with_columns(pl.col("at").cast(UTC_MICROSECONDS))

    def _current(self, owners: sql.Composed) -> pl.DataFrame:
        if not self.has_current:
            return pl.DataFrame(schema=STATEMENT_SCHEMA | {"owner": pl.Int64, "bookmaker": pl.String}).drop("listing")
        query = sql.SQL(
            """
            SELECT id::int8 AS row_id, event_id::int8 AS owner, bookmaker_slug::text AS bookmaker,
                   betpawa_market_id::text AS market_id, line::text AS line, outcomes::text AS outcomes, {words},
                   {stated} AS at, {gone} AS unavailable_at, {table} AS "table"
            FROM {current} AS current WHERE event_id = ANY ({owners})
            """
        ).format(
            words=self.tables.select(MARKET_ODDS_CURRENT, _WORDS, "current"),
            stated=self._stated_at(),
            gone=self._gone_at(),
            table=sql.Literal(MARKET_ODDS_CURRENT),
            current=self.tables.name(MARKET_ODDS_CURRENT),
            owners=owners,
        )
        frame = self.database.read_frame(query).rename({"betpawa_market_name": "name", "market_groups": "groups"})
        return frame.with_columns(pl.col("at", "unavailable_at").cast(UTC_MICROSECONDS))

    def _gone_at(self) -> sql.SQL:
        has = self.tables.has(MARKET_ODDS_CURRENT, "unavailable_at")
        return sql.SQL("unavailable_at::timestamptz" if has else "NULL::timestamptz")

    def _stated_at(self) -> sql.SQL:
        has = self.tables.has(MARKET_ODDS_CURRENT, "unavailable_at")
        return sql.SQL(_STATED_AT if has else "last_updated_at::timestamptz")
