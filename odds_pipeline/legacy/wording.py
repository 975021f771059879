"""Changes of an earlier system in the words that our live path would have used: observations with their trust."""

from __future__ import annotations

from typing import Any

import msgspec
import polars as pl

from odds_pipeline.markets.mapper import CANONICAL, Mapper
from odds_pipeline.markets.specifier import format_line
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA

#: What betPawa's parser calls the line of each kind in a specifier.
_LINE_KEYS = {"over_under": "total", "asian": "hcp", "european": "hcp", "number": "number"}
_ALL_MARKETS = "all"


def worded(changes: pl.DataFrame, listings: pl.DataFrame, mapper: Mapper) -> pl.DataFrame:
    """``Timeline.changes`` in ``CHANGE_SCHEMA``. A change of an earlier system is its own cycle."""
    words = pl.DataFrame(
        [_market_words(row, mapper) for row in changes.select(*_WORDED).unique().iter_rows(named=True)],
        schema=_WORDED | _WORDS,
    )
    is_handicap = pl.col("handicap_type_word").is_in(["asian", "european"])
    return (
        changes.join(words, on=list(_WORDED), how="left", nulls_equal=True)
        .join(listings.drop("bookmaker"), on="listing")
        .with_columns(
            cycle_at="at",
            captured_at="at",
            betpawa_market_id="market_id",
            betpawa_market_name="market_name",
            handicap_type="handicap_type_word",
            handicap_home=pl.when(is_handicap).then("line"),
            handicap_away=pl.when(is_handicap).then(-pl.col("line")),
            is_trusted=pl.col("distrust").is_null(),
        )
        .select(*(pl.col(name).cast(kind) for name, kind in OBSERVATION_SCHEMA.items()), "is_trusted", "distrust")
    )


_WORDED = {
    "bookmaker": pl.String,
    "market_id": pl.String,
    "line": pl.Decimal(10, 3),
    "name": pl.String,
    "kind": pl.String,
    "groups": pl.String,
}
_WORDS = {
    "market_name": pl.String,
    "handicap_type_word": pl.String,
    "source_market_id": pl.String,
    "source_specifier": pl.String,
    "market_groups": pl.List(pl.String),
}


def _market_words(row: dict[str, Any], mapper: Mapper) -> dict[str, Any]:
    """A betPawa market in its own words, a competitor's in the catalogue's, as the live parsers have them.

    The competitor's own id for the market was not stored, so there is no source.
    """
    market_id, line = row["market_id"], row["line"]
    is_canonical = row["bookmaker"] == CANONICAL
    catalogued = mapper.name(market_id)
    stored = _texts(row["groups"])
    specifier = None
    if is_canonical and line is not None:
        specifier = f"{_LINE_KEYS.get(row['kind'], 'handicap')}={format_line(line.normalize() + 0)}"
    if is_canonical and stored is not None:
        groups = sorted(group for group in stored if group != _ALL_MARKETS)
    else:
        groups = mapper.groups(market_id) if catalogued else stored or []
    return row | {
        "market_name": (row["name"] or catalogued if is_canonical else catalogued or row["name"]) or market_id,
        "handicap_type_word": row["kind"] if line is not None else None,
        "source_market_id": market_id if is_canonical else None,
        "source_specifier": specifier,
        "market_groups": groups,
    }


def _texts(groups: str | None) -> list[str] | None:
    """A JSON list of texts, None for anything else."""
    try:
        return None if groups is None else msgspec.json.decode(groups, type=list[str] | None)
    except msgspec.DecodeError:
        return None
