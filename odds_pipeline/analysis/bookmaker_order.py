"""The order in which every answer has the bookmakers: betPawa first, the others as they became known."""

from __future__ import annotations

import polars as pl

from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.listings import CANONICAL_BOOKMAKER


def bookmakers_in_order(source: OddsSource) -> list[str]:
    """The slugs of all bookmakers that the database knows."""
    with source.database.borrow() as connection:
        rows = connection.execute("SELECT slug FROM bookmakers ORDER BY slug <> %s, id", [CANONICAL_BOOKMAKER])
        return [slug for (slug,) in rows]


def in_order(source: OddsSource, rows: pl.DataFrame, *by: str) -> pl.DataFrame:
    """The rows by these columns, nulls first, ``bookmaker_slug`` in the order of bookmakers; what is alike in all of
    them stays as it stood."""
    if rows["bookmaker_slug"].n_unique() < 2:
        return rows.sort(*(name for name in by if name != "bookmaker_slug"), maintain_order=True)
    places = {slug: number for number, slug in enumerate(bookmakers_in_order(source))}
    place = pl.col("bookmaker_slug").replace_strict(places, default=None, return_dtype=pl.Int64)
    return rows.sort(*(place if name == "bookmaker_slug" else name for name in by), maintain_order=True)
