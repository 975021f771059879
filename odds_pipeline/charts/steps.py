"""What holds from one moment to the next, as pieces of step lines: each piece is drawn in one way.

A piece ends at the first point of the next one, so that a line is broken only where there is nothing to draw.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

_MOST_POINTS = 4_000
"""Points of a picture that are all drawn. It is a thousand pixels wide: of more, many would lie on one another."""


def thinned(points: pl.DataFrame, *, series: list[str], value: str, state: str) -> pl.DataFrame:
    """Points by series and time, without those that nobody could see.

    Few points all stay. Of many, the first, the last, the lowest and the highest of each state stay, in as many
    stretches of time as there is room for: no price is drawn that there was not, and no short state is lost.
    """
    if points.height <= _MOST_POINTS:
        return points
    lines = points.select(pl.struct(series).n_unique()).item()
    at = pl.col("at").dt.epoch("us")
    width = (at.max() - at.min()) // max(_MOST_POINTS // (4 * lines), 20) + 1
    numbered = points.with_row_index("number").with_columns(stretch=(at - at.min()) // width)
    number, price = pl.col("number"), pl.col(value)
    kept = (
        numbered.group_by(*series, state, "stretch")
        .agg(
            pl.concat_list(
                number.first(), number.last(), number.sort_by(price).first(), number.sort_by(price).last()
            ).alias("numbers")
        )
        .select(number=pl.col("numbers").explode())
        .unique()
    )
    return numbered.join(kept, on="number", how="semi").sort("number").drop("number", "stretch")


def pieces(points: pl.DataFrame, *, series: list[str], value: str, state: str, until: datetime) -> pl.DataFrame:
    """The points with the number of their ``piece``, and each piece's end: where the next begins, or ``until``.

    ``points``: by series and time, with ``at`` in UTC. Only a series whose last point ``is_open`` reaches ``until``;
    another ends at its last point.
    """
    begins = pl.col(state) != pl.col(state).shift().over(series)
    numbered = points.with_columns(piece=begins.fill_null(True).cum_sum())
    ends = (
        numbered.with_columns(
            next_at=pl.col("at").shift(-1).over(series), next_value=pl.col(value).shift(-1).over(series)
        )
        .group_by("piece", maintain_order=True)
        .last()
        .filter(pl.col("next_at").is_not_null() | pl.col("is_open"))
        .with_columns(
            at=pl.coalesce("next_at", pl.lit(until, dtype=points.schema["at"])),
            # A gap has no value to lead to.
            **{value: pl.coalesce("next_value", value)},
        )
        .select(numbered.columns)
    )
    return pl.concat([numbered, ends]).sort("piece", "at", maintain_order=True)
