"""The chart of a day's margins: the mean of each bookmaker through the hours, a panel for each market."""

from __future__ import annotations

import altair as alt
import polars as pl

from odds_pipeline.charts.panels import MOST_ROWS, MarketPanel, grid, left_out, market_panels
from odds_pipeline.charts.percent import percent_axis
from odds_pipeline.charts.rendering import (
    WIDTH,
    bookmaker_colour,
    day_axis,
    inline,
    nothing_to_show,
    panel_title,
    title,
)

_MOST = 2 * MOST_ROWS


def margins_of_day_chart(rows: pl.DataFrame, *, heading: str, note: str = "") -> alt.TopLevelMixin:
    """Lines of the mean margin in percent, by hour; a gap where no margin was computed.

    ``rows``: ``at``, ``bookmaker_slug``, ``betpawa_market_id``, ``betpawa_market_name``, ``line``, ``margin`` (mean,
    percent, null when there is none); a row of a series that is missing counts as null.
    """
    if rows["margin"].is_null().all():
        return nothing_to_show(title(heading, note), "No margin was computed in this time.")
    panels = market_panels(rows.sort("at"))
    colour = bookmaker_colour(rows["bookmaker_slug"])
    charts = [_panel(panel, rows, colour) for panel in panels[:_MOST]]
    return grid(charts, columns=2).properties(title=title(heading, note, left_out(len(panels), "markets", most=_MOST)))


def _panel(panel: MarketPanel, rows: pl.DataFrame, colour: alt.Color) -> alt.Chart:
    # Without a row of its own a moment would be drawn through.
    moments = rows.select("at").unique()
    series = panel.rows.select("bookmaker_slug").unique()
    whole = series.join(moments, how="cross").join(
        panel.rows.select("bookmaker_slug", "at", "margin"), on=["bookmaker_slug", "at"], how="left"
    )
    chart = (
        alt.Chart(inline(whole.sort("bookmaker_slug", "at")))
        .mark_line(point=alt.OverlayMarkDef(size=18), strokeWidth=1.8)
        .encode(
            x=day_axis("at", moments.select(pl.col("at").min()).item()),
            y=percent_axis("margin", "margin (%)", whole["margin"]),
            color=colour,
        )
    )
    return chart.properties(width=(WIDTH - 90) / 2, height=130, title=panel_title(panel.label))
