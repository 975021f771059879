"""The chart of margin history: a step line for each bookmaker, a panel for each line of the market."""

from __future__ import annotations

from datetime import datetime

import altair as alt
import polars as pl

from odds_pipeline.charts.ends import end_word, with_end_marks
from odds_pipeline.charts.panels import MOST_ROWS, left_out, line_word, margin_label, market_of, stacked
from odds_pipeline.charts.percent import percent_axis
from odds_pipeline.charts.rendering import (
    WIDTH,
    bookmaker_colour,
    nothing_to_show,
    panel_title,
    stretch,
    title,
    utc_axis,
)
from odds_pipeline.charts.steps import pieces, thinned

_MARKET = ["line", "bookmaker_slug"]
_SERIES = ["panel", "bookmaker_slug"]


def margin_chart(points: pl.DataFrame, *, heading: str, until: datetime, note: str = "") -> alt.TopLevelMixin:
    """Step lines of the margin in percent, one colour a bookmaker; a gap where it was not computed, counted by reason.

    ``points``: in ``MARGIN_POINTS``, of one market; ``until``: where the question ends, aware.
    """
    states = points.sort(*_MARKET, "at", nulls_last=False, maintain_order=True).with_columns(
        panel=line_word(),
        state=pl.col("margin").is_not_null(),
        is_open=False,
        end=pl.when(pl.col("margin").is_not_null()).then(end_word()),
    )
    market, missing = market_of(points, margin_label), _missing(points)
    computed = states.filter("state")
    if computed.is_empty():
        return nothing_to_show(title(heading, market, note), missing or "There are no odds in this time.")
    panels = computed["panel"].unique(maintain_order=True)
    drawn_panels = panels.head(MOST_ROWS).to_list()
    states = thinned(states.filter(pl.col("panel").is_in(drawn_panels)), series=_SERIES, value="margin", state="state")
    begin, end = states.select(pl.col("at").min()).item(), max(until, states.select(pl.col("at").max()).item())
    lines = pieces(states, series=_SERIES, value="margin", state="state", until=end).filter("state")
    ends = states.group_by(_SERIES, maintain_order=True).last().drop_nulls("end")
    fields = ["at", "margin", "panel", "bookmaker_slug"]
    drawn = pl.concat([lines.select(*fields, "piece"), ends.select(*fields, "end")], how="diagonal")
    colour = bookmaker_colour(drawn["bookmaker_slug"])
    charts = [_panel(panel, drawn, colour, time=(begin, end), is_only=len(drawn_panels) == 1) for panel in drawn_panels]
    words = title(
        heading,
        market,
        stretch(begin, end),
        missing,
        left_out(len(panels), "lines", most=MOST_ROWS),
        note,
    )
    return (charts[0] if len(charts) == 1 else stacked(charts)).properties(title=words)


def _panel(
    panel: str, drawn: pl.DataFrame, colour: alt.Color, *, time: tuple[datetime, datetime], is_only: bool
) -> alt.LayerChart:
    """Lines (rows with a ``piece``) and the marks at their ends (rows with an ``end``) of one panel."""
    of_panel = drawn.filter(pl.col("panel") == panel)
    base = alt.Chart().encode(
        x=utc_axis("at", begin=time[0], end=time[1]),
        y=percent_axis("margin", "margin (%)", of_panel["margin"]),
        color=colour,
    )
    steps = base.transform_filter("isValid(datum.piece)").mark_line(interpolate="step-after", strokeWidth=2)
    chart = with_end_marks(steps.encode(detail="piece:Q"), base, of_panel, drawn["end"])
    if is_only:
        return chart.properties(width=WIDTH, height=240)
    return chart.properties(width=WIDTH, height=150, title=panel_title(panel))


def _missing(points: pl.DataFrame) -> str:
    reasons = points.filter(pl.col("point") != "confirmed").drop_nulls("margin_missing")["margin_missing"]
    counted = ", ".join(
        f"{count:,} x {reason.replace('_', ' ')}" for reason, count in reasons.value_counts(sort=True).rows()
    )
    return f"no margin: {counted}" if counted else ""
