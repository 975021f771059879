"""Whether the database says what was made: some markets' every row, their last one, and their states at moments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from psycopg import sql

from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.days.read import Wanted, state_at
from odds_pipeline.odds.packed import OutcomeStatus, unpack

from .questions_history import NOW, Walks
from .questions_offer import templates

_WATCHED_ONE_IN = 997
_MOMENTS = 12
"""Spread over the two weeks."""

_Seen = tuple[bool, tuple[tuple[str, float, bool], ...]]
"""Whether a market is unavailable, and its outcomes: key, odds, is active."""


def is_watched() -> pl.Expr:
    """The markets whose rows are to be kept for ``require_right``."""
    return pl.col("market_id") % _WATCHED_ONE_IN == 0


def require_right(source: OddsSource, walks: Walks, made: pl.DataFrame) -> None:
    """Fail unless history, current and states at moments are those of ``made``: the rows of all watched markets."""
    templates_of = dict(walks.markets.filter(is_watched()).select("market_id", "template").iter_rows())
    keys = [tuple(template.market.outcomes) for template in templates()]
    rows = {
        (market_id, captured_at): _unpacked(bytes.fromhex(state[2:]), keys[templates_of[market_id]])
        for market_id, captured_at, state in made.select("market_id", "captured_at", "state").iter_rows()
    }
    ids = sorted(templates_of)
    with source.database.connect() as connection:
        for view, time, wanted in (
            ("market_odds_history", "captured_at", rows),
            ("market_odds_current", "last_updated_at", _at(rows, NOW)),
        ):
            query = sql.SQL("SELECT market_id, {}, unavailable_at, outcomes FROM {} WHERE market_id = ANY (%s)").format(
                sql.Identifier(time), sql.Identifier(view)
            )
            found = {
                (market_id, captured_at): (unavailable_at is not None, _told(outcomes))
                for market_id, captured_at, unavailable_at, outcomes in connection.execute(query, [ids])
            }
            assert found == wanted, view
    first = min(captured_at for _, captured_at in rows)
    for number in range(_MOMENTS):
        moment = first + (NOW - first) * number / _MOMENTS + timedelta(seconds=7 * number)
        states = state_at(
            source.database, source.archive, Wanted(market_ids=ids), moment, unimported_days=source.unimported_days
        )
        found = {
            (row["market_id"], row["captured_at"]): (row["is_unavailable"], _told(row["outcomes"]))
            for row in states.rows.iter_rows(named=True)
        }
        assert found == _at(rows, moment), moment


def _at(rows: Mapping[tuple[int, datetime], _Seen], moment: datetime) -> dict[tuple[int, datetime], _Seen]:
    """The last row of each market at or before the moment."""
    last: dict[int, datetime] = {}
    for market_id, captured_at in rows:
        if captured_at <= moment and captured_at >= last.get(market_id, captured_at):
            last[market_id] = captured_at
    return {key: rows[key] for key in last.items()}


def _unpacked(state: bytes, keys: tuple[str, ...]) -> _Seen:
    is_unavailable, outcomes = unpack(state)
    return is_unavailable, tuple(
        (key, price / 1000, status == OutcomeStatus.ACTIVE) for key, (status, price) in zip(keys, outcomes, strict=True)
    )


def _told(outcomes: list[dict[str, Any]]) -> tuple[tuple[str, float, bool], ...]:
    return tuple((each["key"], float(each["odds"]), each["is_active"]) for each in outcomes)
