"""The marks at the ends of step lines: up to where the last state is known to have held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from odds_pipeline.charts.rendering import inline

_CONFIRMED, _UNCONFIRMED = "last confirmed", "last change, not confirmed since"
_SHAPES = {_CONFIRMED: "circle", _UNCONFIRMED: "triangle-down"}


def end_word() -> pl.Expr:
    """What the mark says where a row is the last of its line, from ``point``."""
    return pl.when(pl.col("point") == "confirmed").then(pl.lit(_CONFIRMED)).otherwise(pl.lit(_UNCONFIRMED))


def with_end_marks(lines: alt.Chart, base: alt.Chart, drawn: pl.DataFrame, ends: pl.Series) -> alt.LayerChart:
    """The lines, and the marks of those rows of ``drawn`` that have an ``end``; ``ends``: all of the picture."""
    if ends.is_null().all():  # a legend without a word would spoil the picture
        return alt.LayerChart(data=inline(drawn), layer=[lines])
    shape = alt.Shape("end:N", title="end of a line", scale=looks(_SHAPES, ends), legend=alt.Legend(orient="bottom"))
    marks = base.transform_filter("isValid(datum.end)").mark_point(filled=True, size=55, opacity=1).encode(shape=shape)
    return alt.LayerChart(data=inline(drawn), layer=[lines, marks])


def looks(of: Mapping[str, Any], found: pl.Series) -> alt.Scale:
    """A scale of the looks of those that were found, so that the legend names no others."""
    there = set(found)
    return alt.Scale(
        type="ordinal",  # else two opacities would be stretched over all words
        domain=[word for word in of if word in there],
        range=[look for word, look in of.items() if word in there],
    )
