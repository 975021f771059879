"""Who an earlier system's events are: each as the bookmaker's listing that our live path would store.

A listing is (bookmaker, the bookmaker's own event id) with the words around it. betPawa's odds hang on ``events``,
competitors' snapshots on ``competitor_events``; the second generation names every bookmaker's odds by ``events.id``
and slug. ``competitor_events.sportradar_id`` is what joins them: ``betpawa_event_id`` is null for many matches that
betPawa does have.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.tables import COMPETITOR_MARKET_ODDS, Tables
from odds_pipeline.markets.mapper import CANONICAL
from odds_pipeline.odds.observation import UTC_MICROSECONDS

#: The words of a listing, as observations carry them.
WORDS = {
    "sportradar_id": pl.String,
    "sport": pl.String,
    "country": pl.String,
    "tournament": pl.String,
    "home_team": pl.String,
    "away_team": pl.String,
    "kickoff": UTC_MICROSECONDS,
}
#: An event of which only the earlier system's own number is known.
OWN_ID = "legacy:"


@dataclass(frozen=True)
class Listings:
    """``events``: (event_id, bookmaker), ``competitors``: (competitor_event_id, bookmaker), each to its
    ``external_event_id`` and ``WORDS``."""

    events: pl.DataFrame
    competitors: pl.DataFrame


def read_listings(database: Database, tables: Tables, slugs: set[str]) -> Listings:
    """All listings; those of ``events`` for each bookmaker of ``slugs``."""
    competitors = _competitors(database, tables)
    return Listings(_events(database, tables, competitors, slugs), competitors)


def _competitors(database: Database, tables: Tables) -> pl.DataFrame:
    empty = pl.DataFrame(
        schema={
            "competitor_event_id": pl.Int64,
            "bookmaker": pl.String,
            "external_event_id": pl.String,
            "betpawa_event_id": pl.Int64,
            "is_deleted": pl.Boolean,
            **WORDS,
        }
    )
    if COMPETITOR_MARKET_ODDS not in tables.readable:
        return empty
    query = sql.SQL(
        """
        SELECT event.id::int8 AS competitor_event_id, event.source::text AS bookmaker,
               event.external_id::text AS external_event_id, event.betpawa_event_id::int8 AS betpawa_event_id,
               {deleted} AS is_deleted, event.sportradar_id::text AS sportradar_id, sport.slug::text AS sport,
               tournament.country_raw::text AS country, tournament.name::text AS tournament,
               event.home_team::text AS home_team, event.away_team::text AS away_team,
               event.kickoff::timestamptz AS kickoff
        FROM {events} AS event
        JOIN {tournaments} AS tournament ON tournament.id = event.tournament_id
        JOIN {sports} AS sport ON sport.id = tournament.sport_id
        """
    ).format(
        deleted=sql.SQL("event.deleted_at IS NOT NULL" if tables.has("competitor_events", "deleted_at") else "false"),
        events=tables.name("competitor_events"),
        tournaments=tables.name("competitor_tournaments"),
        sports=tables.name("sports"),
    )
    return _words(database.read_frame(query)).select(list(empty.columns))


def _events(database: Database, tables: Tables, competitors: pl.DataFrame, slugs: set[str]) -> pl.DataFrame:
    """Every event once per bookmaker. The competitor's own event gives the id and the words where it can be found."""
    if not tables.has("events"):
        schema = {"event_id": pl.Int64, "bookmaker": pl.String, "external_event_id": pl.String, **WORDS}
        return pl.DataFrame(schema=schema)
    query = sql.SQL(
        """
        SELECT event.id::int8 AS event_id, event.sportradar_id::text AS sportradar_id, sport.slug::text AS sport,
               tournament.country::text AS country, tournament.name::text AS tournament,
               event.home_team::text AS home_team, event.away_team::text AS away_team,
               event.kickoff::timestamptz AS kickoff
        FROM {events} AS event
        JOIN {tournaments} AS tournament ON tournament.id = event.tournament_id
        JOIN {sports} AS sport ON sport.id = tournament.sport_id
        """
    ).format(events=tables.name("events"), tournaments=tables.name("tournaments"), sports=tables.name("sports"))
    events = _words(database.read_frame(query)).join(pl.DataFrame({"bookmaker": sorted(slugs)}), how="cross")
    theirs = competitors.sort("is_deleted", "competitor_event_id")
    by_match = theirs.filter(pl.col("sportradar_id").is_not_null()).unique(
        ["bookmaker", "sportradar_id"], keep="first", maintain_order=True
    )
    by_link = theirs.filter(pl.col("betpawa_event_id").is_not_null()).unique(
        ["bookmaker", "betpawa_event_id"], keep="first", maintain_order=True
    )
    found = (
        events.join(_renamed(by_match, "match"), on=["bookmaker", "sportradar_id"], how="left")
        .join(
            _renamed(by_link.drop("sportradar_id"), "link").rename({"betpawa_event_id": "event_id"}),
            on=["bookmaker", "event_id"],
            how="left",
        )
        .join(_named_ids(database, tables), on=["event_id", "bookmaker"], how="left")
    )
    # SportyBet's event id is the SportRadar id in another dress, so it is known without its row.
    dressed = pl.when(pl.col("bookmaker") == "sportybet").then("sr:match:" + pl.col("sportradar_id"))
    external = pl.coalesce(
        "external_event_id_match",
        "external_event_id_link",
        "named_id",
        dressed,
        pl.lit(OWN_ID) + pl.col("event_id").cast(pl.String),
    )
    words = [name for name in WORDS if name != "sportradar_id"]
    return found.select(
        "event_id",
        "bookmaker",
        external.alias("external_event_id"),
        "sportradar_id",
        *(pl.coalesce(f"{name}_match", f"{name}_link", name).alias(name) for name in words),
    )


def _renamed(competitors: pl.DataFrame, suffix: str) -> pl.DataFrame:
    """A competitor's events under other names, to stand beside the words of ``events``."""
    kept = ("bookmaker", "sportradar_id" if suffix == "match" else "betpawa_event_id")
    wanted = competitors.filter(pl.col("bookmaker") != CANONICAL)
    renames = {name: f"{name}_{suffix}" for name in ("external_event_id", *WORDS) if name in wanted.columns}
    renames = {name: new for name, new in renames.items() if name not in kept}
    return wanted.select(*kept, *renames).rename(renames)


def _named_ids(database: Database, tables: Tables) -> pl.DataFrame:
    """``event_bookmakers``: the bookmaker's own id of an event, one of several the same way each time."""
    if not (tables.has("event_bookmakers") and tables.has("bookmakers")):
        return pl.DataFrame(schema={"event_id": pl.Int64, "bookmaker": pl.String, "named_id": pl.String})
    primary = sql.SQL("named.is_primary DESC, " if tables.has("event_bookmakers", "is_primary") else "")
    return database.read_frame(
        sql.SQL(
            """
            SELECT DISTINCT ON (named.event_id, bookmaker.slug) named.event_id::int8 AS event_id,
                   bookmaker.slug::text AS bookmaker, named.external_event_id::text AS named_id
            FROM {named} AS named
            JOIN {bookmakers} AS bookmaker ON bookmaker.id = named.bookmaker_id
            ORDER BY named.event_id, bookmaker.slug, {primary} named.id
            """
        ).format(named=tables.name("event_bookmakers"), bookmakers=tables.name("bookmakers"), primary=primary)
    )


def _words(frame: pl.DataFrame) -> pl.DataFrame:
    """The words as the live path has them: SportRadar ids of digits only, times in UTC microseconds."""
    digits = pl.col("sportradar_id").str.contains(r"^[0-9]+$")
    return frame.with_columns(
        pl.when(digits).then("sportradar_id").alias("sportradar_id"),
        pl.col("kickoff").cast(UTC_MICROSECONDS),
    )
