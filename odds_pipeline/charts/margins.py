"""The chart of margin history: a step line for each bookmaker, a panel for each line of the market."""

from __future__ import annotations

from datetime import datetime

import altair as alt
import polars as pl

from odds_pipeline.charts.ends import end_word, with_end_marks
from odds_pipeline.charts.panels import MOST_ROWS, left_out, line_word, market_of
from odds_pipeline.charts.rendering import (
    WIDTH,
    bookmaker_colour,
    nothing_to_show,
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
    missing = _missing(points)
    computed = states.filter("state")
    if computed.is_empty():
        return nothing_to_show(title(heading, market_of(points), note), missing or "There are no odds in this time.")
    panels = computed["panel"].unique(maintain_order=True)
    drawn_panels = panels.head(MOST_ROWS).to_list()
    states = thinned(states.filter(pl.col("panel").is_in(drawn_panels)), series=_SERIES, value="margin", state="state")
    begin, end = states.select(pl.col("at").min()).item(), max(until, states.select(pl.col("at").max()).item())
    lines = pieces(states, series=_SERIES, value="margin", state="state", until=end).filter("state")
    ends = states.group_by(_SERIES, maintain_order=True).last().drop_nulls("end")
    fields = ["at", "margin", "panel", "bookmaker_slug"]
    drawn = pl.concat([lines.select(*fields, "piece"), ends.select(*fields, "end")], how="diagonal")
    base = alt.Chart().encode(
        x=utc_axis("at", begin=begin, end=end),
        y=alt.Y("margin:Q", title="margin (%)", scale=alt.Scale(zero=False)),
        color=bookmaker_colour(drawn["bookmaker_slug"]),
    )
    steps = base.transform_filter("isValid(datum.piece)").mark_line(interpolate="step-after", strokeWidth=2)
    chart = with_end_marks(steps.encode(detail="piece:Q"), base, drawn)
    chart = chart.properties(width=WIDTH, height=240 if len(drawn_panels) == 1 else 150)
    words = title(
        heading, market_of(points), stretch(begin, end), missing, left_out(len(panels), "lines", most=MOST_ROWS), note
    )
    if len(drawn_panels) == 1:
        return chart.properties(title=words)
    row = alt.Row("panel:N", title=None, sort=drawn_panels, header=alt.Header(labelOrient="top"))
    return chart.facet(row=row).resolve_scale(y="independent").properties(title=words)


def _missing(points: pl.DataFrame) -> str:
    reasons = points.filter(pl.col("point") != "confirmed").drop_nulls("margin_missing")["margin_missing"]
    counted = ", ".join(
        f"{count:,} x {reason.replace('_', ' ')}" for reason, count in reasons.value_counts(sort=True).rows()
    )
    return f"no margin: {counted}" if counted else ""
