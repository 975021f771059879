"""A panel for each market: what charts of several markets share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import altair as alt
import polars as pl

MOST_PANELS = 12
"""A picture of more is read by nobody."""


class MarketPanel(NamedTuple):
    """One market and line, and its rows."""

    label: str
    rows: pl.DataFrame


def market_panels(rows: pl.DataFrame) -> list[MarketPanel]:
    """The rows by (betpawa_market_id, line), in the order in which the markets first appear."""
    return [
        MarketPanel(market_label(group["betpawa_market_name"][-1], line), group)
        for (_, line), group in rows.group_by("betpawa_market_id", "line", maintain_order=True)
    ]


def market_label(name: str | None, line: object) -> str:
    """How a market is called: ``Over/Under - FT 2.5``."""
    return (name or "unnamed market") if line is None else f"{name or 'unnamed market'} {_plain(line)}"


def left_out(panels: int, what: str = "markets") -> str:
    """The sentence for the panels beyond ``MOST_PANELS``; empty when there are none."""
    return "" if panels <= MOST_PANELS else f"{panels - MOST_PANELS:,} further {what} are not drawn"


def grid(charts: list[alt.Chart | alt.LayerChart], *, columns: int) -> alt.VConcatChart:
    """The charts row by row, with one legend and a vertical axis of its own for each."""
    return alt.vconcat(*(alt.hconcat(*row, spacing=30) for row in _rows(charts, columns)), spacing=18)


def _rows(charts: list[alt.Chart | alt.LayerChart], columns: int) -> Iterator[list[alt.Chart | alt.LayerChart]]:
    for start in range(0, len(charts), columns):
        yield charts[start : start + columns]


def _plain(line: object) -> str:
    text = str(line)
    return text.rstrip("0").rstrip(".") if "." in text else text
