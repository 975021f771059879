"""Changes replayed: what each market's state was at a moment, for comparison with the truth."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import polars as pl

from odds_pipeline_tests.legacy.earlier_system import MarketKey, State


class Replayed:
    """The timelines that changes make."""

    def __init__(self, changes: Iterable[pl.DataFrame]) -> None:
        self._timelines: dict[MarketKey, list[tuple[datetime, State | None, bool]]] = {}
        for row in pl.concat(changes).sort("captured_at").iter_rows(named=True):
            line = row["line"]
            market = (
                row["bookmaker"],
                row["external_event_id"],
                row["betpawa_market_id"],
                None if line is None else line.normalize() + 0,
            )
            state = frozenset(
                (outcome["key"], _price(outcome["odds"]) if outcome["is_active"] else None)
                for outcome in row["outcomes"]
            )
            self._timelines.setdefault(market, []).append((row["captured_at"], state or None, row["is_trusted"]))

    def at(self, market: MarketKey, moment: datetime) -> tuple[State | None, bool]:
        """State and trust; (None, True) before the first change."""
        timeline = self._timelines.get(market, [])
        position = bisect_right(timeline, moment, key=lambda entry: entry[0])
        return timeline[position - 1][1:] if position else (None, True)

    def repeats(self) -> list[tuple[MarketKey, datetime]]:
        """Changes that say what the change before them said."""
        return [
            (market, after[0])
            for market, timeline in self._timelines.items()
            for before, after in pairwise(timeline)
            if before[1] == after[1]
        ]


def _price(odds: Decimal) -> Decimal:
    return odds.normalize() + 0
