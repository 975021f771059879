"""The chart of odds history: a step line for each outcome, a panel for each bookmaker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import altair as alt
import polars as pl

from odds_pipeline.bookmakers.registry import REGISTRY
from odds_pipeline.charts.ends import end_word, looks, with_end_marks
from odds_pipeline.charts.panels import MOST_ROWS, line_word, market_of
from odds_pipeline.charts.rendering import (
    CATEGORIES,
    WIDTH,
    nothing_to_show,
    one_line,
    stretch,
    title,
    utc_axis,
)
from odds_pipeline.charts.steps import pieces, thinned

_PANEL = ["betpawa_market_id", "line", "bookmaker_slug"]
_SERIES = [*_PANEL, "key"]
_MOST_OUTCOMES = len(CATEGORIES)
_OFFERED, _SUSPENDED, _NOT_OFFERED = "offered", "suspended", "not offered, at the last price"
_DASHES = {_OFFERED: [1, 0], _SUSPENDED: [1.5, 3], _NOT_OFFERED: [7, 5]}
_OPACITIES = {_OFFERED: 1.0, _SUSPENDED: 0.75, _NOT_OFFERED: 0.45}
_WIDE = 8
"""Times the lowest price that the highest must be for a logarithmic axis."""


def odds_history_chart(points: pl.DataFrame, *, heading: str, until: datetime, note: str = "") -> alt.TopLevelMixin:
    """Step lines of the decimal odds of each outcome; one panel for each bookmaker and line, one colour an outcome.

    What was not offered is dashed and pale, at its last price; what was suspended is dotted. The mark at the end of a
    line says whether it was confirmed. ``points``: in ``ODDS_POINTS``, of one event; ``until``: where the question
    ends, aware, up to which what was not offered at last is drawn.
    """
    every = _states(points)
    if every.is_empty():
        return nothing_to_show(title(heading, market_of(points), note), "There are no odds in this time.")
    lines_of_panels = _panels_by_line(every)
    drawn_panels, drawn_lines = _that_fit(lines_of_panels)
    outcomes = _in_order(every)
    shown = outcomes.head(_MOST_OUTCOMES)
    is_shown = pl.col("label").is_in(shown.to_list()) & pl.col("panel").is_in(drawn_panels)
    states = thinned(every.filter(is_shown), series=_SERIES, value="odds", state="state")
    begin, end = (states.select(edge).item() for edge in (pl.col("at").min(), pl.max_horizontal(pl.max("at"), until)))
    lines = pieces(states, series=_SERIES, value="odds", state="state", until=end)
    ends = states.group_by(_SERIES, maintain_order=True).last().drop_nulls("end")
    fields = ["at", "odds", "panel", "label", "state"]
    drawn = pl.concat([lines.select(*fields, "piece"), ends.select(*fields, "end")], how="diagonal")
    return _drawn(drawn, outcomes=shown.to_list(), panels=drawn_panels, time=(begin, end)).properties(
        title=title(
            heading,
            market_of(points),
            stretch(begin, end),
            f"the {len(shown)} outcomes with the lowest prices, of {len(outcomes)}"
            if len(outcomes) > len(shown)
            else "",
            f"the {drawn_lines} lines with the most even prices, of {len(lines_of_panels)}; give a line for one"
            if len(lines_of_panels) > drawn_lines
            else "",
            note,
        )
    )


def _states(points: pl.DataFrame) -> pl.DataFrame:
    """One row per point and outcome, by series and time: ``odds`` as last priced, ``panel``, ``label``, ``state``,
    ``end``.

    An outcome begins with its first price. One that a point lacks was not offered then. ``end`` is what the mark says
    where this row is the last of its series.
    """
    numbered = points.sort("at", maintain_order=True).with_row_index("row")
    each = (
        numbered.filter(pl.col("outcomes").list.len() > 0)
        .select("row", *_PANEL, "outcomes")
        .explode("outcomes")
        .select("row", *_PANEL, pl.col("outcomes").struct.unnest())
        .with_columns(place=pl.int_range(pl.len()).over("row"))
    )
    is_offered = ~pl.col("is_unavailable") & pl.col("is_active").is_not_null()
    panel = pl.col("bookmaker_slug")
    if points["line"].n_unique() > 1:
        panel = pl.format("{}, {}", panel, line_word())
    return (
        numbered.select("row", "at", "point", "is_unavailable", *_PANEL)
        .join(_labels(each), on=_PANEL, nulls_equal=True)
        .join(each.select("row", "key", "odds", "is_active", "place"), on=["row", "key"], how="left")
        .sort(*_SERIES, "row", nulls_last=False)
        .with_columns(
            panel=panel,
            odds=pl.col("odds").forward_fill().over(_SERIES),
            state=pl.when(~is_offered)
            .then(pl.lit(_NOT_OFFERED))
            .otherwise(pl.when("is_active").then(pl.lit(_OFFERED)).otherwise(pl.lit(_SUSPENDED))),
            end=pl.when(is_offered).then(end_word()),
            is_open=~is_offered,
        )
        .drop_nulls("odds")
    )


def _panels_by_line(states: pl.DataFrame) -> list[list[str]]:
    """The panels of each line, betPawa's first; the lines by how far the last prices of their outcomes lie apart."""
    last = states.sort("at").group_by(_SERIES).agg(pl.col("odds").last(), pl.col("panel").first())
    apart = (
        last.group_by(*_PANEL, "panel")
        .agg(apart=pl.col("odds").max() - pl.col("odds").min())
        .with_columns(pl.col("apart").cast(pl.Float64).mean().over("line"))
    )
    place = {slug: number for number, slug in enumerate(REGISTRY)}
    rank = pl.col("bookmaker_slug").replace_strict(place, default=len(place), return_dtype=pl.Int64)
    ordered = apart.sort("apart", "line", rank, "bookmaker_slug")
    return ordered.group_by("line", maintain_order=True).agg("panel")["panel"].to_list()


def _that_fit(lines: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """The panels of the first lines that fit into the picture with all of their bookmakers, and how many lines."""
    fitting = [number for number in range(1, len(lines) + 1) if sum(map(len, lines[:number])) <= MOST_ROWS]
    count = max(fitting, default=1)
    return [panel for line in lines[:count] for panel in line][:MOST_ROWS], count


def _labels(each: pl.DataFrame) -> pl.DataFrame:
    """Each series with its outcome's ``label``: the name, with the key where two outcomes have the same name."""
    word = one_line(pl.coalesce("name", "key"))
    keys = each.group_by("key").agg(word.last().alias("word"))
    labels = keys.with_columns(
        label=pl.when(pl.len().over("word") > 1).then(pl.format("{} [{}]", "word", "key")).otherwise("word")
    )
    return each.select(_SERIES).unique().join(labels.select("key", "label"), on="key")


def _in_order(states: pl.DataFrame) -> pl.Series:
    """The outcomes in the bookmaker's order; where they are too many to draw, by their last prices, lowest first."""
    outcomes = states.sort("at").group_by("label").agg(pl.col("odds").last(), pl.col("place").min())
    return outcomes.sort("place" if outcomes.height <= _MOST_OUTCOMES else "odds", "label")["label"]


def _drawn(
    drawn: pl.DataFrame, *, outcomes: Sequence[str], panels: Sequence[str], time: tuple[datetime, datetime]
) -> alt.FacetChart:
    """Lines (rows with a ``piece``) and the marks at their ends (rows with an ``end``), by panel."""
    lowest, highest = (float(price) for price in drawn.select(low=pl.min("odds"), high=pl.max("odds")).row(0))
    is_wide = highest > _WIDE * lowest
    room = (highest - lowest) * 0.06 or 0.05
    domain = [lowest / 1.1, highest * 1.1] if is_wide else [lowest - room, highest + room]
    base = alt.Chart().encode(
        x=utc_axis("at", begin=time[0], end=time[1]),
        y=alt.Y(
            "odds:Q",
            title="decimal odds",
            scale=alt.Scale(type="log" if is_wide else "linear", domain=domain, nice=False, zero=False),
        ),
        color=alt.Color(
            "label:N",
            title="outcome",
            scale=alt.Scale(domain=outcomes, range=CATEGORIES[: len(outcomes)]),
            legend=alt.Legend(columns=max(1, min(len(outcomes), 90 // (max(map(len, outcomes)) + 5)))),
        ),
    )
    lines = (
        base.transform_filter("isValid(datum.piece)")
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            detail="piece:Q",
            strokeDash=alt.StrokeDash(
                "state:N", scale=looks(_DASHES, drawn["state"]), legend=alt.Legend(orient="bottom", symbolSize=600)
            ),
            strokeOpacity=alt.StrokeOpacity("state:N", scale=looks(_OPACITIES, drawn["state"])),
        )
    )
    row = alt.Row("panel:N", title=None, sort=list(panels), header=alt.Header(labelOrient="top"))
    return with_end_marks(lines, base, drawn, drawn["end"]).properties(width=WIDTH, height=150).facet(row=row)
