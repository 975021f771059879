"""Archived rows of markets that ``remap`` has moved since: told as the rows of the markets that they belong to today.

A market that moved as a whole keeps its id, and its rows their number. One that was split, or joined with another, has
a timeline that is made of its own archived rows and of those under its former ids, as ``remap`` made it of stored rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import psycopg

from odds_pipeline.archive.history import HISTORY_SCHEMA
from odds_pipeline.days.placing import COLUMNS, Placing
from odds_pipeline.days.wanted import WantedMarkets

#: What of an archived row belongs to it alone.
OWN_COLUMNS = ("market_id", "outcomes", "is_unavailable", "captured_at", "run_id", "is_trusted")


def is_as_today(rows: pl.DataFrame, markets: WantedMarkets) -> pl.Series:
    """Whether each archived row of a known market names the market and its outcomes as they are named today."""
    keys = markets.words.join(markets.sets, on="outcome_set_id").select("market_id", "keys")
    today = markets.words.select("market_id", type_today="betpawa_market_id", line_today="line")
    told = rows.join(today, on="market_id", how="left", maintain_order="left").join(
        keys, on="market_id", how="left", maintain_order="left"
    )
    has_same_place = (pl.col("betpawa_market_id") == pl.col("type_today")) & pl.col("line").eq_missing(
        pl.col("line_today")
    )
    row_keys = pl.col("outcomes").list.eval(pl.element().struct.field("key"))
    return told.select(is_same=has_same_place & (row_keys.list.set_difference("keys").list.len() == 0))["is_same"]


def placed(connection: psycopg.Connection, rows: pl.DataFrame) -> pl.DataFrame:
    """Archived rows (``HISTORY_SCHEMA``) at the markets of today: ``OWN_COLUMNS`` and ``former_id``.

    A row may become several, of which those say nothing (no outcomes) whose part of the market it does not offer.
    Raises ``MarketUnknown`` when stored markets are named by another catalogue than today's.
    """
    placing = Placing(connection)
    found = [pl.DataFrame(schema={**{name: HISTORY_SCHEMA[name] for name in OWN_COLUMNS}, "former_id": pl.Int32})]
    alike = ["market_id", "is_unavailable", "is_trusted"]
    for (former_id, is_unavailable, is_trusted), part in rows.group_by(alike, maintain_order=True):
        observed = part.rename({"bookmaker_slug": "bookmaker"}).select(*COLUMNS, "run_id", is_as_stored=False)
        steps = placing.steps(observed)
        told = steps.with_columns(
            is_unavailable=pl.lit(is_unavailable), is_trusted=pl.lit(is_trusted), former_id=pl.lit(former_id, pl.Int32)
        )
        found.append(told.select(found[0].columns))
    return pl.concat(found)


def timelines(rows: pl.DataFrame) -> pl.DataFrame:
    """The timelines (``OWN_COLUMNS``) that placed rows make: each market's own, and before it those under former ids.

    A part that a row does not offer is unavailable, with the outcomes that it had; rows that repeat the one before are
    left out (I2).
    """
    kept: list[dict[str, Any]] = []
    # Under the market's own id last: where two rows are of one moment, it counts.
    ordered = rows.sort("market_id", "captured_at", pl.col("former_id") == pl.col("market_id"))
    own = rows.filter(pl.col("former_id") == pl.col("market_id"))
    begins = dict(own.group_by("market_id").agg(pl.col("captured_at").min()).rows())
    for row in ordered.iter_rows(named=True):
        market_id = row["market_id"]
        if row["former_id"] != market_id and market_id in begins and row["captured_at"] >= begins[market_id]:
            continue
        before = kept[-1] if kept and kept[-1]["market_id"] == market_id else None
        if not row["outcomes"]:
            if before is None:
                continue
            row |= {"outcomes": before["outcomes"], "is_unavailable": True}
        if before is None or _offer(row) != _offer(before):
            kept.append(row)
    return pl.DataFrame(kept, schema={name: HISTORY_SCHEMA[name] for name in OWN_COLUMNS})


def _offer(row: Mapping[str, Any]) -> tuple[bool, frozenset[Any]]:
    """What counts when two rows are compared."""
    outcomes = row["outcomes"]
    return row["is_unavailable"], frozenset(
        (o["key"], o["is_active"], o["odds"] if o["is_active"] else 0) for o in outcomes
    )
