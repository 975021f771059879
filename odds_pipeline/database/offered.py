"""Markets that are offered now in primary listings, in the columns that reports count by."""

from __future__ import annotations

import polars as pl

from odds_pipeline.database.engine import Database


def own_id_markets(database: Database) -> pl.DataFrame:
    """Markets on offer that stand under a bookmaker's own id, one row each: what ``unmapped_markets`` reads."""
    return database.read_frame(
        """
        SELECT bookmaker.slug AS bookmaker, listing.external_event_id, type.betpawa_market_id,
               label.name AS betpawa_market_name, source.source_market_id, outcome_set.keys AS outcomes
        FROM market_types AS type
        JOIN markets AS market ON market.market_type_id = type.id
        JOIN current_odds AS current ON current.market_id = market.id AND current.unavailable_at IS NULL
        JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id AND listing.is_primary
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        JOIN market_labels AS label ON label.id = market.label_id
        JOIN market_sources AS source ON source.id = market.source_id
        JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
        WHERE starts_with(type.betpawa_market_id, bookmaker.slug || ':')
        """
    )


def offered_by_bookmaker(database: Database) -> dict[str, int]:
    """How many markets each bookmaker (slug) offers now, each line counted."""
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT bookmaker.slug, count(*)
            FROM current_odds AS current
            JOIN markets AS market ON market.id = current.market_id
            JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id AND listing.is_primary
            JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
            WHERE current.unavailable_at IS NULL GROUP BY bookmaker.slug
            """
        ).fetchall()
    return dict(rows)
