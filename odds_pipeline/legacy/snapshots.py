"""Reading the first generation: snapshots of whole events, and the market rows that hang on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.tables import COMPETITOR_MARKET_ODDS, MARKET_ODDS, STATEMENT_SCHEMA, Tables
from odds_pipeline.odds.observation import UTC_MICROSECONDS

_COLUMNS = (
    ("handicap_type", "text"),
    ("handicap_home", "text"),
    ("handicap_away", "text"),
    ("outcomes", "text"),
    ("market_groups", "text"),
    ("unavailable_at", "timestamptz"),
)
_HEADERS = {MARKET_ODDS: "odds_snapshots", COMPETITOR_MARKET_ODDS: "competitor_odds_snapshots"}


@dataclass(frozen=True, eq=False)
class Snapshots:
    """The snapshots whose markets stand in ``table``. A header's ``owner`` is its event's id, a competitor's own or
    ``events.id``."""

    database: Database
    tables: Tables
    table: str

    def headers(self, before: datetime) -> pl.DataFrame:
        """Every snapshot taken before a time: snapshot_id, owner, bookmaker (null: the owner tells), at."""
        if self.table == MARKET_ODDS:
            query = sql.SQL(
                """
                SELECT snapshot.id::int8 AS snapshot_id, snapshot.event_id::int8 AS owner,
                       bookmaker.slug::text AS bookmaker, snapshot.captured_at::timestamptz AS at
                FROM {headers} AS snapshot LEFT JOIN {bookmakers} AS bookmaker ON bookmaker.id = snapshot.bookmaker_id
                WHERE snapshot.captured_at < {before}
                """
            )
        else:
            query = sql.SQL(
                """
                SELECT snapshot.id::int8 AS snapshot_id, snapshot.competitor_event_id::int8 AS owner,
                       NULL::text AS bookmaker, snapshot.captured_at::timestamptz AS at
                FROM {headers} AS snapshot WHERE snapshot.captured_at < {before}
                """
            )
        frame = self.database.read_frame(
            query.format(
                headers=self.tables.name(_HEADERS[self.table]),
                bookmakers=self.tables.name("bookmakers"),
                before=moment(before),
            )
        )
        return frame.with_columns(pl.col("at").cast(UTC_MICROSECONDS))

    def days_query(self) -> sql.Composed:
        """A query for the UTC days on which snapshots were taken."""
        return sql.SQL("SELECT DISTINCT captured_at::date AS day FROM {}").format(
            self.tables.name(_HEADERS[self.table])
        )

    def latest(self, headers: pl.DataFrame) -> pl.DataFrame:
        """Of ``headers`` (with ``listing``), each listing's newest that has markets: one without says nothing."""
        found: list[pl.DataFrame] = []
        remaining, depth = headers.sort("at", "snapshot_id", descending=True), 1
        while remaining.height:
            nth = pl.int_range(pl.len()).over("listing")
            asked = remaining.filter(nth < depth)
            filled = asked.join(self._filled(asked["snapshot_id"]), on="snapshot_id", how="semi")
            found.append(filled.unique("listing", keep="first", maintain_order=True))
            remaining = remaining.filter(nth >= depth).join(found[-1], on="listing", how="anti")
            depth *= 8
        return pl.concat([headers.clear(), *found])

    def _filled(self, snapshot_ids: Iterable[int]) -> pl.DataFrame:
        return self.database.read_frame(
            sql.SQL(
                """
                SELECT wanted.id AS snapshot_id FROM unnest({wanted}) AS wanted (id)
                WHERE EXISTS (SELECT FROM {markets} AS market WHERE market.snapshot_id = wanted.id)
                """
            ).format(wanted=ids(snapshot_ids), markets=self.tables.name(self.table))
        )

    def statements(
        self, headers: pl.DataFrame, *, unavailable_within: tuple[datetime, datetime] | None = None
    ) -> pl.DataFrame:
        """The market rows of ``headers`` (snapshot_id, listing, at) in ``STATEMENT_SCHEMA``.

        ``unavailable_within``: only those that became unavailable in [since, until).
        """
        condition = sql.SQL("")
        if unavailable_within is not None:
            condition = sql.SQL("AND unavailable_at >= {} AND unavailable_at < {}").format(
                *map(moment, unavailable_within)
            )
        rows = self.database.read_frame(
            sql.SQL(
                """
                SELECT market.snapshot_id::int8 AS snapshot_id, market.id::int8 AS row_id,
                       market.betpawa_market_id::text AS market_id, market.betpawa_market_name::text AS name,
                       market.line::text AS line, {columns}
                FROM {markets} AS market
                WHERE market.snapshot_id = ANY ({wanted}) {condition}
                """
            ).format(
                columns=self.tables.select(self.table, _COLUMNS, "market"),
                markets=self.tables.name(self.table),
                wanted=ids(headers["snapshot_id"]),
                condition=condition,
            )
        )
        return (
            rows.rename({"market_groups": "groups"})
            .join(headers.select("snapshot_id", "listing", "at"), on="snapshot_id")
            .with_columns(pl.lit(self.table).alias("table"), pl.col("unavailable_at").cast(UTC_MICROSECONDS))
            .select(list(STATEMENT_SCHEMA))
        )

    def says_when_unavailable(self) -> bool:
        """Whether rows carry the time at which a market became unavailable."""
        return self.tables.has(self.table, "unavailable_at")

    def count(self, snapshot_ids: Iterable[int]) -> int:
        """How many market rows hang on the given snapshots."""
        query = sql.SQL("SELECT count(*) AS rows FROM {} WHERE snapshot_id = ANY ({})")
        return self.database.read_frame(query.format(self.tables.name(self.table), ids(snapshot_ids))).item()


def moment(at: datetime) -> sql.Composed:
    """A UTC time that compares with columns with and without zone: in a UTC session both mean the same."""
    return sql.SQL("{}::timestamptz").format(sql.Literal(at.isoformat()))


def ids(values: Iterable[int]) -> sql.Composed:
    """An array of ids, as a literal."""
    return sql.SQL("{}::int8[]").format(sql.Literal("{" + ",".join(map(str, values)) + "}"))
