"""What readers are shown of a market's changes, and packed states in that form."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from odds_pipeline.odds.observation import LINE, OBSERVATION_SCHEMA, OUTCOME_FIELDS, UTC_MICROSECONDS
from odds_pipeline.odds.packed import UNAVAILABLE, OutcomeStatus
from odds_pipeline.odds.states import unpacked_outcomes

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
    numbered = rows.with_row_index("row")
    outcomes = (
        unpacked_outcomes(numbered.select("row", "state", "keys", "names"))
        .filter(pl.col("status") != OutcomeStatus.ABSENT.value)
        .select(
            "row",
            outcomes=pl.struct(
                "key",
                "name",
                odds=pl.when(pl.col("price") > 0)
                .then(pl.col("price").cast(pl.Decimal(18, 3)) / 1000)
                .cast(OUTCOME_FIELDS["odds"]),
                is_active=pl.col("status") == OutcomeStatus.ACTIVE.value,
            ),
        )
        .group_by("row", maintain_order=True)
        .agg("outcomes")
    )
    header = pl.col("state").bin.slice(0, 1).bin.reinterpret(dtype=pl.UInt8)
    return (
        numbered.join(outcomes, on="row", how="left", maintain_order="left")
        .with_columns(
            pl.col("outcomes").fill_null([]).cast(OBSERVATION_SCHEMA["outcomes"]),
            is_unavailable=header & UNAVAILABLE != 0,
        )
        .drop("row", "state", "keys", "names")
    )
