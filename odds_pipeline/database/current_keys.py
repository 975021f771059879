"""What current holds of bookmaker events' markets, reduced to keys and fingerprints: one side of the comparison."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import ask, integers
from odds_pipeline.odds.diff import CURRENT_KEYS

_NO_LINE = -(2**31)
"""Stands for no line on the way; lines, in thousandths, do not reach it."""


def read_current_keys(database: Database, listing_ids: Iterable[int]) -> pl.DataFrame:
    """Every market of the listings, available or not, in ``CURRENT_KEYS``, as it is committed.

    Reads over a connection of its own, so that it can be done beside other work of the same transaction.
    """
    query = sql.SQL(
        """
        SELECT market.id AS market_id, market.event_bookmaker_id AS listing_id, market.market_type_id AS type_id,
               coalesce((market.line * 1000)::int, {}) AS line, current.fingerprint, market.label_fingerprint,
               current.unavailable_at IS NULL AS is_available,
               current.last_seen_at IS NOT NULL AS has_own_sighting
        FROM markets AS market JOIN current_odds AS current ON current.market_id = market.id
        WHERE market.event_bookmaker_id = ANY (%s::int[])
        """
    ).format(sql.Literal(_NO_LINE))
    with database.borrow() as connection:
        # Planned for these ids: how many they are decides whether the tables are read or their indexes.
        frame = ask(connection, query, CURRENT_KEYS, [integers(listing_ids)], prepare=False)()
    return frame.with_columns(line=pl.when(pl.col("line") != _NO_LINE).then("line"))
