"""Replaying history: the state of every market at a moment, from the rows up to it.

A history row is a market's whole state, so a replay keeps the last row of each market. Prices of inactive outcomes are
in the rows already, carried by the writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from odds_pipeline.odds.fingerprint import state_fingerprint
from odds_pipeline.odds.packed import OutcomeStatus, unpack

#: Rows of ``odds_history`` as read for a replay.
HISTORY_ROWS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_id": pl.Int32,
    "captured_at": pl.Datetime("us", "UTC"),
    "run_id": pl.Int32,
    "state": pl.Binary,
}


def state_at(history: pl.DataFrame, moment: datetime | None = None) -> pl.DataFrame:
    """The last row of each market at or before ``moment`` (None: of all), in ``HISTORY_ROWS``."""
    rows = history if moment is None else history.filter(pl.col("captured_at") <= moment)
    return rows.sort("market_id", "captured_at").unique("market_id", keep="last", maintain_order=True)


def fingerprint_of(state: bytes, keys: list[str]) -> int:
    """The fingerprint that a packed state has with its outcome set's ``keys``: what the diff compares."""
    outcomes = unpack(state).outcomes
    return state_fingerprint(
        (key, outcome.status == OutcomeStatus.ACTIVE, outcome.price)
        for key, outcome in zip(keys, outcomes, strict=False)
        if outcome.status != OutcomeStatus.ABSENT
    )
