"""States of markets written by hand, in the columns that readers are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from odds_pipeline.odds.shown import ODDS_ROWS

Row = dict[str, Any]
Price = str | tuple[str | None] | None
"""A price; in brackets that of a suspended outcome; None: suspended, and never had one."""


def state(
    at: datetime,
    outcomes: Mapping[str, Price],
    *,
    gone: bool = False,
    market: tuple[str, Decimal | None] = ("3743", None),
    bookmaker: str = "betpawa",
    event: int = 1,
    market_id: int = 1,
    run: int = 1,
    trusted: bool = True,
) -> Row:
    """A market's state from a moment on; an outcome's name is its key with ``name`` before it."""
    return {
        "event_id": event,
        "bookmaker_slug": bookmaker,
        "external_event_id": f"{bookmaker}/{event}",
        "betpawa_market_id": market[0],
        "betpawa_market_name": f"name of {market[0]}",
        "line": market[1],
        "outcomes": [_outcome(key, price) for key, price in outcomes.items()],
        "is_unavailable": gone,
        "captured_at": at,
        "run_id": run,
        "market_id": market_id,
        "is_trusted": trusted,
    }


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    """The states in ``ODDS_ROWS``."""
    return pl.DataFrame(list(rows), schema=dict(ODDS_ROWS))


def _outcome(key: str, price: Price) -> dict[str, Any]:
    is_active = isinstance(price, str)
    odds = price if is_active else (price or (None,))[0]
    return {
        "key": key,
        "name": f"name {key}",
        "odds": None if odds is None else Decimal(odds),
        "is_active": is_active,
    }
