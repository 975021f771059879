"""A panel for each market: what charts of several markets share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import altair as alt
import polars as pl

MOST_ROWS = 6
"""Rows of panels in a picture; one of more is read by nobody."""


class MarketPanel(NamedTuple):
    """One market and line, and its rows."""

    label: str
    rows: pl.DataFrame


def market_panels(rows: pl.DataFrame) -> list[MarketPanel]:
    """The rows, of margins, by (betpawa_market_id, line), in the order in which the markets first appear."""
    return [
        MarketPanel(margin_label(group["betpawa_market_name"][-1], line), group)
        for (_, line), group in rows.group_by("betpawa_market_id", "line", maintain_order=True)
    ]


def market_label(name: str | None, line: Decimal | None) -> str:
    """How a market is called: ``Over/Under - FT 2.5``."""
    named = name or "unnamed market"
    return named if line is None else f"{named} {line.normalize():f}"


def margin_label(name: str | None, line: Decimal | None) -> str:
    """How a market is called over its margins: those of double chance are 100 higher than others, and it says why."""
    label = market_label(name, line)
    return f"{label} (each result counted twice)" if "double chance" in label.lower() else label


def market_of(points: pl.DataFrame, label: Callable[[str | None, Decimal | None], str] = market_label) -> str:
    """How the market of all points is called; with its line where there is but one."""
    lines = points["line"].unique().to_list()
    names = dict.fromkeys(points["betpawa_market_name"].to_list())
    return ", ".join(label(name, lines[0] if len(lines) == 1 else None) for name in names)


def line_word() -> pl.Expr:
    """``line`` in words: ``line 2.5``, ``no line``."""
    digits = pl.col("line").cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
    return pl.format("line {}", digits).fill_null("no line")


def stacked(charts: Sequence[alt.LayerChart]) -> alt.VConcatChart:
    """The charts one under another, with one legend and a vertical axis of its own for each."""
    return alt.vconcat(*charts, spacing=14)


def left_out(panels: int, what: str, *, most: int) -> str:
    """The sentence for the panels beyond the ``most`` that are drawn; empty when there are none."""
    return "" if panels <= most else f"{panels - most:,} further {what} are not drawn"


def grid(charts: Sequence[alt.Chart], *, columns: int) -> alt.VConcatChart:
    """The charts row by row, with one legend and a vertical axis of its own for each."""
    return alt.vconcat(*(alt.hconcat(*row, spacing=30) for row in _rows(charts, columns)), spacing=18)


def _rows(charts: Sequence[alt.Chart], columns: int) -> Iterator[Sequence[alt.Chart]]:
    for start in range(0, len(charts), columns):
        yield charts[start : start + columns]
