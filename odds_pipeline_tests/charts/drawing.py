"""Charts as SVG, whose texts and lines a test can read, and histories to draw."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import altair as alt
import polars as pl
import vl_convert
from PIL import Image

from odds_pipeline.analysis.odds_history import ODDS_POINTS
from odds_pipeline.charts.rendering import specification

START = datetime(2026, 11, 20, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
SVG = "{http://www.w3.org/2000/svg}"

Outcome = tuple[str, str, str | None, bool]
"""Key, name, price and whether it is active."""


def point(at: datetime, outcomes: Sequence[Outcome] = (), **words: Any) -> dict[str, Any]:
    """A change of betPawa's 1X2, or what ``words`` say; without outcomes an unavailable one."""
    row: dict[str, Any] = {
        "at": at,
        "point": "change",
        "event_id": 1,
        "bookmaker_slug": "betpawa",
        "external_event_id": "p1",
        "betpawa_market_id": "3743",
        "betpawa_market_name": "1X2 - FT",
        "line": None,
        "outcomes": [
            {"key": key, "name": name, "odds": None if odds is None else Decimal(odds), "is_active": is_active}
            for key, name, odds, is_active in outcomes
        ],
        "is_unavailable": not outcomes,
        "captured_at": at,
        "run_id": 1,
        "market_id": 1,
        "is_trusted": True,
        "last_confirmed_at": None,
    }
    return row | words


def points(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows in ``ODDS_POINTS``."""
    return pl.DataFrame(rows, schema=dict(ODDS_POINTS))


def drawn(chart: alt.TopLevelMixin) -> ElementTree.Element:
    """The chart as SVG."""
    return ElementTree.fromstring(vl_convert.vegalite_to_svg(specification(chart), allowed_base_urls=[]))


def texts(picture: ElementTree.Element) -> list[str]:
    """What can be read in the picture, line by line."""
    written = (text.findall(f"{SVG}tspan") or [text] for text in picture.iter(f"{SVG}text"))
    return ["".join(line.itertext()) for lines in written for line in lines]


def steps(picture: ElementTree.Element, look: str = "") -> list[list[tuple[float, float]]]:
    """The corners of each line that is drawn with these dashes, in points from the panel's upper left corner."""
    lines = [
        path
        for path in picture.iter(f"{SVG}path")
        if path.get("aria-roledescription") == "line mark" and path.get("stroke-dasharray", "") == look
    ]
    return [
        [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.e]+),([-\d.e]+)", path.get("d", ""))] for path in lines
    ]


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels."""
    with Image.open(BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return picture.size


def ticks(panel: ElementTree.Element) -> list[tuple[float, str]]:
    """Of each vertical axis, from top to bottom of the picture: where its ticks are, in points from the panel's upper
    edge, and what is written there."""
    found: list[tuple[float, str]] = []
    for axis in panel.iter(f"{SVG}g"):
        if axis.get("aria-roledescription") != "axis" or not (axis.get("aria-label") or "").startswith("Y-axis"):
            continue
        marks = [line for line in axis.iter(f"{SVG}g") if "role-axis-tick" in (line.get("class") or "")]
        labels = [text for text in axis.iter(f"{SVG}g") if "role-axis-label" in (text.get("class") or "")]
        heights = [
            float(re.findall(r"translate\([-\d.e]+,([-\d.e]+)\)", line.get("transform", ""))[0])
            for mark in marks
            for line in mark.iter(f"{SVG}line")
        ]
        words = ["".join(text.itertext()) for label in labels for text in label.iter(f"{SVG}text")]
        found += zip(heights, words, strict=True)
    return found
