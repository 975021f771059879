"""How every chart looks, and its rendering to PNG: one font, one palette, UTC, no browser and no network.

A chart carries its data as inline rows whose field names are ours; names of events, markets and outcomes are values
only. Vega reads dots, colons and brackets in field names as paths, and names come from bookmakers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import altair as alt
import polars as pl
import vl_convert
from PIL import Image

from odds_pipeline.bookmakers.registry import REGISTRY

WIDTH = 720
"""Points; a picture has ``SCALE`` pixels a point."""
SCALE = 1.5
_FONT = "Liberation Sans"
"""Built into vl-convert: a picture is the same on a machine without fonts. Glyphs that it lacks come from others."""
CATEGORIES = [
    "#2563a8",
    "#d9722b",
    "#3a8f4d",
    "#b83a4b",
    "#7b5bb0",
    "#8a6142",
    "#c2559d",
    "#6d7a1f",
    "#1f8f96",
    "#555b66",
]
_BOOKMAKER_COLOURS = ["#2f8f4e", "#c43c3c", "#22508f", "#c98a1b", "#7b5bb0", "#1f8f96", "#8a6142"]
_MUTED = "#8a8f98"
_COLOURS = 128
"""Of a picture's palette: a dozen of ours, and the shades between them where letters and lines end."""
_LONGEST_HEADING = 85
"""Characters; what is longer would make the picture wider."""
_LONGEST_LINE = 120
_MARGIN_OF_DAY = 25 * 60 * 1000
"""Milliseconds."""
_TIMES = {
    "year": "%Y",
    "month": "%d %b",
    "week": "%d %b",
    "date": "%d %b",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "milliseconds": "%H:%M:%S.%L",
}
_CONFIG: dict[str, Any] = {
    "background": "white",
    "font": _FONT,
    "padding": 12,
    "view": {"stroke": "#d5d8dd"},
    "title": {
        "anchor": "start",
        "fontSize": 16,
        "fontWeight": "bold",
        "subtitleFontSize": 12,
        "subtitleColor": "#555b66",
        "subtitlePadding": 4,
        "offset": 12,
    },
    "axis": {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "gridColor": "#eceef1"},
    "axisY": {"titlePadding": 10, "minExtent": 36},
    "header": {"labelFontSize": 13, "labelFontWeight": "bold", "labelAnchor": "start", "titleFontSize": 12},
    "legend": {
        "orient": "top",
        "titleOrient": "left",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 220,
        "symbolStrokeWidth": 2.5,
    },
    "range": {"category": CATEGORIES},
}


def png(chart: alt.TopLevelMixin) -> bytes:
    """The chart as a PNG of ``SCALE`` pixels a point, with a palette: a tenth of the size, and as good to look at."""
    rendered = vl_convert.vegalite_to_png(specification(chart), scale=SCALE, allowed_base_urls=[])
    packed = BytesIO()
    with Image.open(BytesIO(rendered)) as picture:
        colours = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        colours.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def specification(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """What is rendered: the chart as Vega-Lite, in the look of this module."""
    return chart.to_dict(format="vega-lite") | {"config": _CONFIG}


def inline(frame: pl.DataFrame) -> alt.InlineData:
    """The rows as a chart's data: times as UTC milliseconds, decimals as numbers, texts in one line."""
    plain = frame.with_columns(
        pl.col(pl.Datetime).dt.epoch("ms"),
        pl.col(pl.Decimal).cast(pl.Float64),
        *(one_line(pl.col(name)) for name, kind in frame.schema.items() if kind == pl.String),
    )
    return alt.InlineData(values=plain.to_dicts())


def one_line(text: pl.Expr) -> pl.Expr:
    """Texts without line breaks and without what is not seen but turns or breaks a line."""
    return text.str.replace_all(r"[\s\p{C}]+", " ").str.strip_chars()


def panel_title(text: str, *lines: str) -> alt.TitleParams:
    """The title of one panel of several, over its axes, and the lines under it."""
    return alt.TitleParams(
        _cut(text, _LONGEST_HEADING),
        # An empty list would leave the room of a line.
        subtitle=[_cut(line, _LONGEST_LINE) for line in lines] or alt.Undefined,
        frame="group",
        fontSize=13,
        subtitleFontSize=11,
        offset=6,
    )


def title(heading: str, *lines: str) -> alt.TitleParams:
    """A title and the lines under it; each is cut where it would leave the picture, empty lines are left out."""
    return alt.TitleParams(
        text=_cut(heading, _LONGEST_HEADING), subtitle=[_cut(line, _LONGEST_LINE) for line in lines if line]
    )


def utc_axis(name: str, *, begin: datetime | None = None, end: datetime | None = None) -> alt.X:
    """A time axis of the field ``name``, from ``begin`` to ``end`` where they are given.

    Without the scale's type Vega shows the machine's local time.
    """
    domain = alt.Undefined
    if begin is not None and end is not None:
        domain = [begin.timestamp() * 1000, end.timestamp() * 1000]
    return alt.X(
        f"{name}:T",
        title="time (UTC)",
        scale=alt.Scale(type="utc", domain=domain),
        axis=alt.Axis(labelOverlap=True, tickCount=8, format=_TIMES),
    )


def day_axis(name: str, first: datetime) -> alt.X:
    """A time axis of the field ``name``: the whole UTC day of ``first``, from 00:00 to 24:00."""
    begin = first.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = {hour: (begin + timedelta(hours=hour)).timestamp() * 1000 for hour in range(0, 25, 4)}
    return alt.X(
        f"{name}:T",
        title="time (UTC)",
        # Half a dot stands on either side of the day.
        scale=alt.Scale(type="utc", domain=[hours[0] - _MARGIN_OF_DAY, hours[24] + _MARGIN_OF_DAY], nice=False),
        axis=alt.Axis(
            values=list(hours.values()),
            labelExpr=f"time(datum.value) == {hours[24]:.0f} ? '24:00' : utcFormat(datum.value, '%H:%M')",
            labelOverlap=True,
        ),
    )


def bookmaker_colour(slugs: Iterable[str]) -> alt.Color:
    """A colour for the field ``bookmaker_slug``: the same bookmaker has the same colour in every chart."""
    shown = set(slugs)
    known = [*REGISTRY, *sorted(shown - set(REGISTRY))]
    colours = {slug: _BOOKMAKER_COLOURS[place % len(_BOOKMAKER_COLOURS)] for place, slug in enumerate(known)}
    domain = [slug for slug in known if slug in shown]
    return alt.Color(
        "bookmaker_slug:N",
        title="bookmaker",
        scale=alt.Scale(domain=domain, range=[colours[slug] for slug in domain]),
    )


def stretch(begin: datetime, end: datetime) -> str:
    """A stretch of time in words: the axis names no year."""
    return f"{begin:%d %b %Y %H:%M} to {end:%d %b %Y %H:%M} UTC"


def nothing_to_show(heading: alt.TitleParams, why: str) -> alt.Chart:
    """The picture of an answer without a row: a report has a picture every day."""
    words = alt.Chart(alt.InlineData(values=[{"why": why}]))
    return (
        words.mark_text(fontSize=14, color=_MUTED)
        .encode(text="why:N")
        .properties(width=WIDTH, height=120, title=heading)
    )


def _cut(text: str, longest: int) -> str:
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
