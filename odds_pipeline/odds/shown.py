"""What readers are shown of a market's changes, and packed states in that form."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from odds_pipeline.odds.arrow_states import shown_states
from odds_pipeline.odds.observation import LINE, OBSERVATION_SCHEMA, UTC_MICROSECONDS

#: One row per change of a market, in the state that it left the market in and the words that the market has today.
ODDS_ROWS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "event_id": pl.Int32,
    "bookmaker_slug": pl.String,
    "external_event_id": pl.String,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "outcomes": OBSERVATION_SCHEMA["outcomes"],
    "is_unavailable": pl.Boolean,
    "captured_at": UTC_MICROSECONDS,
    "run_id": pl.Int32,
    "market_id": pl.Int32,
    "is_trusted": pl.Boolean,
}


def shown(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, in their order, with ``outcomes`` and ``is_unavailable`` for their state, keys and names.

    ``keys`` and ``names`` are the market's outcome set. An absent outcome is left out; an inactive one has the last
    price that it had while active, null if it never had one.
    """
    outcomes, is_unavailable = shown_states(rows["state"], rows["keys"], rows["names"])
    others = [name for name in rows.columns if name not in ("state", "keys", "names")]
    return rows[others].hstack([outcomes, is_unavailable])
