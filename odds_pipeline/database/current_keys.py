"""What current holds of bookmaker events' markets, reduced to keys and fingerprints: one side of the comparison."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import polars as pl
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import ask_parts, integers
from odds_pipeline.odds.diff import CURRENT_KEYS

_NO_LINE = -(2**31)
"""Stands for no line on the way; lines, in thousandths, do not reach it."""

_MARKETS_OF_PART = 150_000
"""Bounds what a comparison needs of memory, and what the driver keeps of its own."""

_BEYOND_IDS = 1 << 31


class CurrentPart(NamedTuple):
    """Current's ``keys`` (CURRENT_KEYS) of those listings that were asked for with ids from one up to but without the
    other.
    """

    first_id: int
    end_id: int
    keys: pl.DataFrame


def read_current_keys(database: Database, listing_ids: pl.Series, *, markets: int) -> list[CurrentPart]:
    """Every market of the listings, available or not, as it is committed: about so many, in parts that fit memory.

    Any listing's id lies within exactly one part. Reads over a connection of its own, so that it can be done beside
    other work of the same transaction.
    """
    ordered: list[int] = listing_ids.sort().to_list()
    size = len(ordered) // max(1, round(markets / _MARKETS_OF_PART)) + 1
    bounds = ordered[size::size]
    # Planned for these ids: how many they are decides whether the tables are read or their indexes.
    query = sql.SQL(
        """
        SELECT width_bucket(market.event_bookmaker_id, %s::int[]) AS part,
               market.id AS market_id, market.event_bookmaker_id AS listing_id, market.market_type_id AS type_id,
               coalesce((market.line * 1000)::int, {}) AS line, current.fingerprint, market.label_fingerprint,
               current.unavailable_at IS NULL AS is_available,
               current.last_seen_at IS NOT NULL AS has_own_sighting
        FROM markets AS market JOIN current_odds AS current ON current.market_id = market.id
        WHERE market.event_bookmaker_id = ANY (%s::int[])
        """
    ).format(sql.Literal(_NO_LINE))
    with database.borrow() as connection:
        frames = dict(ask_parts(connection, query, CURRENT_KEYS, [integers(bounds), integers(ordered)]))
    line = pl.when(pl.col("line") != _NO_LINE).then("line")
    no_markets = pl.DataFrame(schema=dict(CURRENT_KEYS))
    return [
        CurrentPart(first_id, end_id, frames.get(part, no_markets).with_columns(line=line))
        for part, (first_id, end_id) in enumerate(pairwise([0, *bounds, _BEYOND_IDS]))
    ]
