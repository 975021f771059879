"""The report of market types that the catalogue does not know, by frequency: what to map next.

A type is unmapped when its observations stand under the bookmaker's own id. Common markets, which two competitors share
and betPawa lacks, are known to the catalogue and are not listed.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

UNMAPPED_SCHEMA: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "bookmaker": pl.String,
    "source_market_id": pl.String,
    "name": pl.String,
    "markets": pl.Int64,
    "events": pl.Int64,
    "outcomes": pl.Int64,
}


def unmapped_markets(observations: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Unmapped types in ``UNMAPPED_SCHEMA``, most markets first.

    ``observations`` needs the columns bookmaker, external_event_id, betpawa_market_id, betpawa_market_name,
    source_market_id and outcomes. ``markets`` counts (event, market, line), ``events`` distinct events, ``outcomes``
    selections; ``name`` is the name that most of the markets have.
    """
    own_id = pl.col("betpawa_market_id").str.starts_with(pl.concat_str(pl.col("bookmaker"), pl.lit(":")))
    return (
        observations.lazy()
        .filter(own_id)
        .group_by("bookmaker", "source_market_id")
        .agg(
            pl.col("betpawa_market_name").mode().min().alias("name"),
            pl.len().cast(pl.Int64).alias("markets"),
            pl.col("external_event_id").n_unique().cast(pl.Int64).alias("events"),
            pl.col("outcomes").list.len().cast(pl.Int64).sum().alias("outcomes"),
        )
        .sort("markets", "bookmaker", "source_market_id", descending=[True, False, False])
        .select(pl.col(name).cast(kind) for name, kind in UNMAPPED_SCHEMA.items())
        .collect()
    )
