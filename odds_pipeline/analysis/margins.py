"""The margin history of a market: the bookmaker's margin in each state that the odds history shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

from odds_pipeline.analysis.odds_history import ODDS_POINTS, MarketChoice, odds_history
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.odds.margin import MARGIN_COLUMNS, with_margin

#: One row per point of a market's odds history, in its order.
MARGIN_POINTS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    **{name: ODDS_POINTS[name] for name in ("at", "point", "event_id", "bookmaker_slug")},
    **{name: ODDS_POINTS[name] for name in ("betpawa_market_id", "betpawa_market_name", "line")},
    **MARGIN_COLUMNS,
    **{name: ODDS_POINTS[name] for name in ("is_unavailable", "captured_at", "market_id", "is_trusted")},
}


class MarginHistory(NamedTuple):
    """``points`` in ``MARGIN_POINTS``. ``unimported``: as in ``OddsHistory``."""

    points: pl.DataFrame
    unimported: list[date]


def margin_history(
    source: OddsSource,
    choice: MarketChoice,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    now: datetime,
) -> MarginHistory:
    """How the margin of a market went: the points of ``odds_history``, each with the margin of its outcomes.

    ``margin`` is in percent; null where it is not computed, and ``margin_missing`` says why (``odds/margin.py``).
    Raises what ``odds_history`` does.
    """
    points, unimported = odds_history(source, choice, since, until, now=now)
    return MarginHistory(with_margin(points).select(*MARGIN_POINTS), unimported)
