"""The headline markets, which stand in the event list: of every bookmaker that lists an event, offered or not."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

import polars as pl
import psycopg

from odds_pipeline.analysis.current import frame, with_outcomes, with_state
from odds_pipeline.markets.catalogue import Catalogue
from odds_pipeline.odds.observation import LINE, OBSERVATION_SCHEMA, UTC_MICROSECONDS

#: Market and line: 1X2, over/under 2.5, both to score, double chance.
HEADLINE: tuple[tuple[str, Decimal | None], ...] = (
    ("3743", None),
    ("5000", Decimal("2.5")),
    ("3795", None),
    ("4693", None),
)

#: One headline market of one bookmaker.
HEADLINE_FIELDS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "bookmaker_slug": pl.String,
    "state": pl.String,
    "unavailable_at": UTC_MICROSECONDS,
    "last_updated_at": UTC_MICROSECONDS,
    "outcomes": OBSERVATION_SCHEMA["outcomes"],
}

_STORED = {
    "listing_id": pl.Int32,
    "place": pl.Int64,
    "stored_name": pl.String,
    "outcome_set_id": pl.Int32,
    "state": pl.Binary,
    "unavailable_at": UTC_MICROSECONDS,
    "last_updated_at": UTC_MICROSECONDS,
}


def headline_place(betpawa_market_id: str, line: Decimal | None) -> int:
    """Where a market stands among the headline markets, all others behind them: to sort by."""
    key = betpawa_market_id, line
    return HEADLINE.index(key) if key in HEADLINE else len(HEADLINE)


def headline_of(connection: psycopg.Connection, listings: pl.DataFrame) -> pl.DataFrame:
    """(event_id, headline) of the events of the listings.

    ``listings``: (event_id, listing_id, bookmaker_slug), of each event in the order in which they are to stand.
    ``headline`` has one element (``HEADLINE_FIELDS``) for each market of ``HEADLINE`` and listing, by market first.
    """
    rows = connection.execute(
        """
        WITH wanted AS MATERIALIZED (
            SELECT type.id AS market_type_id, asked.line, asked.place
            FROM unnest(%s::text[], %s::numeric[]) WITH ORDINALITY AS asked (betpawa_market_id, line, place)
            JOIN market_types AS type USING (betpawa_market_id)
        )
        SELECT listing.id, wanted.place, label.name, market.outcome_set_id, current.state, current.unavailable_at,
               current.captured_at
        FROM unnest(%s::int[]) AS listing (id)
        -- OFFSET and LIMIT keep the planner to one descent of an index for each listing, and one for each market.
        CROSS JOIN LATERAL (
            SELECT id, market_type_id, line, label_id, outcome_set_id FROM markets
            WHERE event_bookmaker_id = listing.id AND market_type_id = ANY (ARRAY(SELECT market_type_id FROM wanted))
            OFFSET 0
        ) AS market
        JOIN wanted ON wanted.market_type_id = market.market_type_id AND wanted.line IS NOT DISTINCT FROM market.line
        CROSS JOIN LATERAL (
            SELECT state, unavailable_at, captured_at FROM current_odds WHERE market_id = market.id LIMIT 1
        ) AS current
        LEFT JOIN market_labels AS label ON label.id = market.label_id
        """,
        [[market for market, _ in HEADLINE], [line for _, line in HEADLINE], listings["listing_id"].to_list()],
        binary=True,
    ).fetchall()
    stored = with_outcomes(connection, frame(rows, _STORED))
    return (
        listings.with_row_index("listing_place")
        .join(_markets(), how="cross")
        .join(stored, on=["listing_id", "place"], how="left")
        .pipe(with_state)
        .with_columns(
            betpawa_market_name=pl.coalesce("stored_name", "betpawa_market_name"),
            outcomes=pl.col("outcomes").fill_null([]),
        )
        .sort("place", "listing_place")
        .group_by("event_id", maintain_order=True)
        .agg(headline=pl.struct(*HEADLINE_FIELDS))
    )


@cache
def _markets() -> pl.DataFrame:
    """The headline markets with the catalogue's names, and their place, counted from 1."""
    names = Catalogue.load().markets
    rows = [(place, market, names[market].name, line) for place, (market, line) in enumerate(HEADLINE, 1)]
    fields = ("betpawa_market_id", "betpawa_market_name", "line")
    return frame(rows, {"place": pl.Int64} | {name: HEADLINE_FIELDS[name] for name in fields})
