"""Coverage: how many matches are offered by whom, and how much of what is offered is on betPawa's taxonomy.

A match counts once, however many bookmakers list it (B-29), in the tournament and country of its event (B-30). Listings
that a bookmaker has beside its primary one of the same match count nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.analysis.asked import require_window
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.database.listings import CANONICAL_BOOKMAKER
from odds_pipeline.odds.observation import UTC_MICROSECONDS

_Schema = Mapping[str, pl.DataType | type[pl.DataType]]

_COUNTS: _Schema = {"events": pl.Int64, "matched": pl.Int64, "betpawa_only": pl.Int64, "competitor_only": pl.Int64}
_BOOKMAKERS = pl.List(pl.Struct({"bookmaker_slug": pl.String, "events": pl.Int64}))

#: One row per tournament, most events first. ``events`` = ``matched`` + ``betpawa_only`` + ``competitor_only``.
COVERAGE: _Schema = {
    "country": pl.String,
    "tournament": pl.String,
    "tournament_id": pl.Int32,
    **_COUNTS,
    "bookmakers": _BOOKMAKERS,
}

#: One row per country, most events first.
COUNTRIES: _Schema = {"country": pl.String, "tournaments": pl.Int64, **_COUNTS, "bookmakers": _BOOKMAKERS}

#: One row.
TOTAL: _Schema = {"countries": pl.Int64, "tournaments": pl.Int64, **_COUNTS, "bookmakers": _BOOKMAKERS}

#: One row per bookmaker that there is. ``mapped`` + ``unmapped`` = ``markets``; ``common`` is a part of ``mapped``.
MAPPED: _Schema = {
    "bookmaker_slug": pl.String,
    "markets": pl.Int64,
    "mapped": pl.Int64,
    "common": pl.Int64,
    "unmapped": pl.Int64,
    "mapped_share": pl.Float64,
    "last_discovery_at": UTC_MICROSECONDS,
    "is_stale": pl.Boolean,
}

#: One row per bookmaker and own market id, most markets first.
UNMAPPED: _Schema = {
    "bookmaker_slug": pl.String,
    "source_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "markets": pl.Int64,
    "events": pl.Int64,
    "selections": pl.Int64,
}

_LISTED: _Schema = {
    "event_id": pl.Int32,
    "country": pl.String,
    "tournament": pl.String,
    "tournament_id": pl.Int32,
    "bookmaker_slug": pl.String,
}


@dataclass(frozen=True, slots=True)
class Coverage:
    """``tournaments`` in ``COVERAGE``, ``countries`` in ``COUNTRIES``, ``total`` in ``TOTAL``; ``mapped`` in ``MAPPED``
    and ``unmapped`` in ``UNMAPPED`` of the same events."""

    tournaments: pl.DataFrame
    countries: pl.DataFrame
    total: pl.DataFrame
    mapped: pl.DataFrame
    unmapped: pl.DataFrame


def coverage(
    source: OddsSource,
    *,
    now: datetime,
    kickoff_since: datetime | None = None,
    kickoff_until: datetime | None = None,
    is_available: bool = True,
) -> Coverage:
    """Who offers which matches, and how many of their markets the catalogue knows.

    ``kickoff_since``, ``kickoff_until``: only events that kick off from then up to but without then; one whose kick-off
    nobody says is in no such window. ``is_available``: only what is on offer; False: whatever is stored, also what is
    not offered any more. A match is *matched* when betPawa and at least one competitor list it. A market is *mapped*
    when the catalogue knows it: under betPawa's id or, ``common``, under one that betPawa lacks and competitors share;
    ``mapped_share`` is in percent, null without a market. ``is_stale``: at ``now`` the bookmaker's last complete
    discovery is older than odds may be without being stale, or there was none: its counts are old. Raises
    ``ValueError`` for a time without a zone, ``BadQuestion`` for a window that ends before it begins.
    """
    since, until = require_window(kickoff_since, kickoff_until)
    chosen = {"now": require_utc(now), "since": since, "until": until, "is_available": is_available}
    with source.database.borrow() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        listed = _frame(connection, _LISTED_SQL, chosen, _LISTED)
        mapped = _frame(connection, _MAPPED_SQL, chosen, MAPPED)
        unmapped = _frame(connection, _UNMAPPED_SQL, chosen, UNMAPPED)
    tournaments = _counted(listed, "country", "tournament", "tournament_id")
    countries = _counted(listed, "country", tournaments=pl.col("tournament_id").n_unique())
    total = _counted(
        listed.with_columns(every=True),
        "every",
        countries=pl.col("country").n_unique(),
        tournaments=pl.col("tournament_id").n_unique(),
    )
    if total.is_empty():
        total = pl.DataFrame([dict.fromkeys(TOTAL, 0) | {"bookmakers": []}], schema=dict(TOTAL))
    return Coverage(
        _in(tournaments, COVERAGE), _in(countries, COUNTRIES), _in(total, TOTAL), mapped=mapped, unmapped=unmapped
    )


def _counted(listed: pl.DataFrame, *by: str, **further: pl.Expr) -> pl.DataFrame:
    """Matches by the given columns, each counted once, and the matches of each bookmaker."""
    is_betpawas = pl.col("bookmaker_slug") == CANONICAL_BOOKMAKER
    events = listed.group_by("event_id", *by).agg(
        has_betpawa=is_betpawas.any(),
        has_competitor=(~is_betpawas).any(),
        **{name: pl.col(name).first() for name in ("country", "tournament_id") if name not in by},
    )
    counts = events.group_by(*by).agg(
        events=pl.len(),
        matched=(pl.col("has_betpawa") & pl.col("has_competitor")).sum(),
        betpawa_only=(~pl.col("has_competitor")).sum(),
        competitor_only=(~pl.col("has_betpawa")).sum(),
        **further,
    )
    bookmakers = (
        listed.group_by(*by, "bookmaker_slug", maintain_order=True)
        .agg(events=pl.col("event_id").n_unique().cast(pl.Int64))
        .group_by(*by, maintain_order=True)
        .agg(bookmakers=pl.struct("bookmaker_slug", "events"))
    )
    return counts.join(bookmakers, on=by).sort("events", *by, descending=[True, *[False] * len(by)])


def _in(frame: pl.DataFrame, schema: _Schema) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(kind) for name, kind in schema.items())


def _frame(
    connection: psycopg.Connection, query: sql.Composed, parameters: Mapping[str, Any], schema: _Schema
) -> pl.DataFrame:
    return pl.DataFrame(connection.execute(query, parameters).fetchall(), schema=dict(schema), orient="row")


_CHOSEN = sql.SQL("""
    WITH listed AS (
        SELECT listing.id, listing.event_id, listing.bookmaker_id, event.tournament_id
        FROM event_bookmakers AS listing
        JOIN events AS event ON event.id = listing.event_id
        LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        WHERE listing.is_primary
          AND (NOT %(is_available)s OR state.unlisted_at IS NULL)
          AND (%(since)s::timestamptz IS NULL OR event.kickoff >= %(since)s)
          AND (%(until)s::timestamptz IS NULL OR event.kickoff < %(until)s)
    )
""")

_LISTED_SQL = _CHOSEN + sql.SQL("""
    SELECT listed.event_id, tournament.country, tournament.name, tournament.id, bookmaker.slug
    FROM listed
    JOIN tournaments AS tournament ON tournament.id = listed.tournament_id
    JOIN bookmakers AS bookmaker ON bookmaker.id = listed.bookmaker_id
    ORDER BY bookmaker.slug <> {canonical}, bookmaker.id
""").format(canonical=CANONICAL_BOOKMAKER)

_MAPPED_SQL = _CHOSEN + sql.SQL("""
    , counted AS (
        SELECT listed.bookmaker_id, market.market_type_id, count(*) AS markets
        FROM listed
        JOIN markets AS market ON market.event_bookmaker_id = listed.id
        JOIN current_odds AS current ON current.market_id = market.id
        WHERE NOT %(is_available)s OR current.unavailable_at IS NULL
        GROUP BY listed.bookmaker_id, market.market_type_id
    ), summed AS (
        SELECT bookmaker.id, bookmaker.slug, bookmaker.last_discovery_at,
               coalesce(sum(counted.markets), 0)::bigint AS markets,
               coalesce(
                   sum(counted.markets) FILTER (WHERE starts_with(type.betpawa_market_id, 'common:')), 0
               )::bigint AS common,
               coalesce(
                   sum(counted.markets) FILTER (WHERE starts_with(type.betpawa_market_id, bookmaker.slug || ':')), 0
               )::bigint AS unmapped
        FROM bookmakers AS bookmaker
        LEFT JOIN (counted JOIN market_types AS type ON type.id = counted.market_type_id)
               ON counted.bookmaker_id = bookmaker.id
        GROUP BY bookmaker.id
    )
    SELECT slug, markets, markets - unmapped, common, unmapped,
           100.0::float8 * (markets - unmapped) / nullif(markets, 0), last_discovery_at,
           coalesce(last_discovery_at < %(now)s - settings.stale_after, true)
    FROM summed CROSS JOIN pipeline_settings AS settings
    ORDER BY summed.id
""")

_UNMAPPED_SQL = _CHOSEN + sql.SQL("""
    SELECT bookmaker.slug, source.source_market_id, mode() WITHIN GROUP (ORDER BY label.name), count(*) AS markets,
           count(DISTINCT listed.event_id), sum(cardinality(outcome_set.keys))::bigint
    FROM market_types AS type
    JOIN markets AS market ON market.market_type_id = type.id
    JOIN current_odds AS current ON current.market_id = market.id
    JOIN listed ON listed.id = market.event_bookmaker_id
    JOIN bookmakers AS bookmaker ON bookmaker.id = listed.bookmaker_id
    JOIN market_labels AS label ON label.id = market.label_id
    JOIN market_sources AS source ON source.id = market.source_id
    JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
    WHERE starts_with(type.betpawa_market_id, bookmaker.slug || ':')
      AND (NOT %(is_available)s OR current.unavailable_at IS NULL)
    GROUP BY bookmaker.slug, source.source_market_id
    ORDER BY markets DESC, bookmaker.slug, source.source_market_id
""")
