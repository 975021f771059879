"""The chart of time to kick-off: mean margin and mean odds move in each bucket, a row of panels for each market.

A bucket rests on the matches that have come to it, which are not those of the next one: what differs between the two
may be the matches alone. So each says how many it has, and the points stand out from the lines between them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import altair as alt
import polars as pl

from odds_pipeline.charts.panels import MOST_ROWS, grid, left_out, margin_label, market_label
from odds_pipeline.charts.percent import percent_axis
from odds_pipeline.charts.rendering import WIDTH, bookmaker_colour, inline, nothing_to_show, panel_title, title
from odds_pipeline.odds.kickoff import BUCKETS

_PANEL = ["betpawa_market_id", "line", "tournament_id"]
_MEASURES = {"mean_margin": "mean margin (%)", "mean_odds_move": "mean odds move (%)"}


def kickoff_chart(rows: pl.DataFrame, *, heading: str, note: str = "") -> alt.TopLevelMixin:
    """Points over the buckets, from the earliest to after kick-off, one colour a bookmaker; on the left the mean
    margin, on the right how far prices are from their opening ones, both in percent. Under each bucket stands the
    number of its matches: of the bookmaker with the fewest and of the one with the most.

    ``rows``: in ``TO_KICKOFF``, whatever they are grouped by; a bucket that nothing is known of is a gap.
    """
    if rows.select(pl.all_horizontal(pl.col(*_MEASURES).is_null().all())).item():
        return nothing_to_show(title(heading, note), "Nothing was on offer in any bucket.")
    named = rows.with_columns(pl.col("bookmaker_slug").fill_null("all bookmakers"))
    panels = list(named.group_by(_PANEL, maintain_order=True))
    colour = bookmaker_colour(named["bookmaker_slug"])
    charts = [chart for _, of_panel in panels[:MOST_ROWS] for chart in _panels(of_panel, colour)]
    fewer = left_out(len(panels), "markets", most=MOST_ROWS)
    which = "each bucket: the matches that have it, their number under it; other buckets have others"
    what = "odds move: how far prices are from their opening prices, up or down"
    return grid(charts, columns=2).properties(title=title(heading, note, which, what, fewer))


def _panels(rows: pl.DataFrame, colour: alt.Color) -> Iterator[alt.Chart]:
    first = rows.row(0, named=True)
    is_market = first["betpawa_market_id"] is not None or first["line"] is not None
    whole = (
        rows.select("bookmaker_slug")
        .unique()
        .join(pl.DataFrame({"bucket": BUCKETS}), how="cross")
        .join(rows, on=["bookmaker_slug", "bucket"], how="left", maintain_order="left")
    )
    where = "" if first["tournament"] is None else f", {first['tournament']}"
    base = alt.Chart(inline(whole.select("bookmaker_slug", "bucket", *_MEASURES)))
    for measure, words in _MEASURES.items():
        is_margin = measure == "mean_margin"
        label = margin_label if is_margin else market_label
        market = label(first["betpawa_market_name"], first["line"]) if is_market else "all markets"
        points = base.mark_line(point=alt.OverlayMarkDef(size=36, opacity=1), strokeWidth=1, strokeOpacity=0.3)
        yield points.encode(
            x=alt.X(
                "bucket:O",
                title="time to kick-off, and matches",
                scale=alt.Scale(domain=BUCKETS),
                axis=alt.Axis(labelAngle=0, labelExpr=_bucket_labels(rows.drop_nulls(measure))),
            ),
            y=percent_axis(measure, words, whole[measure], from_zero=not is_margin),
            color=colour,
        ).properties(width=(WIDTH - 90) / 2, height=110, title=panel_title(f"{market}{where}"))


def _bucket_labels(rows: pl.DataFrame) -> str:
    """A Vega expression: each bucket's name, and under it the number of matches that it rests on."""
    labels = {bucket: [bucket] for bucket in BUCKETS}
    fewest_and_most = rows.group_by("bucket").agg(fewest=pl.col("events").min(), most=pl.col("events").max())
    for bucket, fewest, most in fewest_and_most.drop_nulls().iter_rows():
        labels[bucket].append(f"{most:,}" if fewest == most else f"{fewest:,}-{most:,}")
    return f"{json.dumps(labels)}[datum.value]"
