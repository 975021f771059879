"""The line of an earlier system's market, exact and from the home side's point of view, as the live path stores it.

Handicaps of competitors were stored without a line, their two sides beside it; European lines of betPawa were lost
altogether, because ``Home -1`` is not a number.
"""

from __future__ import annotations

import polars as pl

from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import LINE

#: At most three decimals; zeros beyond them are only representation.
_EXACT = r"^(-?[0-9]{1,7}(?:\.[0-9]{1,3})?)0*$"


def with_lines(statements: pl.DataFrame, mapper: Mapper) -> pl.DataFrame:
    """``line`` and both handicaps as decimals instead of text, the line worked out from the handicaps where missing.

    Adds ``kind`` (what the line is, null: the market has none as far as is known), ``is_unreadable`` (a line that is no
    exact decimal) and ``is_disputed`` (the two sides contradict each other, so that the line stays null).
    """
    markets = statements["market_id"].unique()
    kinds = pl.DataFrame(
        {"market_id": markets, "catalogued": [mapper.handicap_type(market_id) for market_id in markets]},
        schema={"market_id": pl.String, "catalogued": pl.String},
    )
    texts = ("line", "handicap_home", "handicap_away")
    home, away = pl.col("handicap_home"), pl.col("handicap_away")
    is_handicap = pl.col("kind").is_in(["asian", "european"])
    lacks_line = pl.col("line").is_null() & is_handicap
    # A head start in goals is written 0 and 1; a handicap is written -1 and 1.
    is_head_start = (pl.col("kind") == "european") & (home >= 0) & (away >= 0) & (home != away)
    is_mirrored = away.is_null() | (home == -away)
    worked_out = pl.when(is_mirrored).then(home).when(is_head_start).then(home - away)
    return (
        statements.join(kinds, on="market_id", how="left")
        .with_columns(
            pl.coalesce("catalogued", "handicap_type").alias("kind"),
            pl.any_horizontal(pl.col(name).is_not_null() & ~pl.col(name).str.contains(_EXACT) for name in texts).alias(
                "is_unreadable"
            ),
        )
        .with_columns(pl.col(name).str.extract(_EXACT).cast(LINE) for name in texts)
        .with_columns(
            line=pl.when(lacks_line).then(worked_out.cast(LINE)).otherwise("line"),
            is_disputed=(lacks_line & home.is_not_null() & worked_out.is_null()).fill_null(False),
        )
        .drop("catalogued")
    )
