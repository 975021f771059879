"""The chart of time to kick-off: mean margin and mean odds move in each bucket, a row of panels for each market."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt
import polars as pl

from odds_pipeline.charts.panels import MOST_ROWS, grid, left_out, market_label
from odds_pipeline.charts.rendering import WIDTH, bookmaker_colour, inline, nothing_to_show, panel_title, title
from odds_pipeline.odds.kickoff import BUCKETS

_PANEL = ["betpawa_market_id", "line", "tournament_id"]
_MEASURES = {"mean_margin": "mean margin (%)", "mean_odds_move": "mean odds move (%)"}


def kickoff_chart(rows: pl.DataFrame, *, heading: str, note: str = "") -> alt.TopLevelMixin:
    """Lines over the buckets, from the earliest to after kick-off, one colour a bookmaker; on the left the mean margin,
    on the right how far prices are from their opening ones, both in percent.

    ``rows``: in ``TO_KICKOFF``, whatever they are grouped by; a bucket that nothing is known of is a gap.
    """
    if rows.select(pl.all_horizontal(pl.col(*_MEASURES).is_null().all())).item():
        return nothing_to_show(title(heading, note), "Nothing was on offer in any bucket.")
    named = rows.with_columns(pl.col("bookmaker_slug").fill_null("all bookmakers"))
    panels = list(named.group_by(_PANEL, maintain_order=True))
    colour = bookmaker_colour(named["bookmaker_slug"])
    charts = [chart for _, of_panel in panels[:MOST_ROWS] for chart in _panels(of_panel, colour)]
    fewer = left_out(len(panels), "markets", most=MOST_ROWS)
    what = "odds move: how far prices are from their opening prices, up or down"
    return grid(charts, columns=2).properties(title=title(heading, note, what, fewer))


def _panels(rows: pl.DataFrame, colour: alt.Color) -> Iterator[alt.Chart]:
    first = rows.row(0, named=True)
    market = "all markets"
    if first["betpawa_market_id"] is not None or first["line"] is not None:
        market = market_label(first["betpawa_market_name"], first["line"])
    whole = (
        rows.select("bookmaker_slug")
        .unique()
        .join(pl.DataFrame({"bucket": BUCKETS}), how="cross")
        .join(rows, on=["bookmaker_slug", "bucket"], how="left", maintain_order="left")
    )
    where = "" if first["tournament"] is None else f", {first['tournament']}"
    base = alt.Chart(inline(whole.select("bookmaker_slug", "bucket", *_MEASURES)))
    for measure, words in _MEASURES.items():
        lines = base.mark_line(point=alt.OverlayMarkDef(size=24), strokeWidth=1.8)
        yield lines.encode(
            x=alt.X(
                "bucket:O",
                title="time to kick-off",
                scale=alt.Scale(domain=BUCKETS),
                axis=alt.Axis(labelAngle=0),
            ),
            y=alt.Y(f"{measure}:Q", title=words, scale=alt.Scale(zero=measure == "mean_odds_move")),
            color=colour,
        ).properties(width=(WIDTH - 90) / 2, height=110, title=panel_title(f"{market}{where}"))
