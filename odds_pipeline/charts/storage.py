"""The charts of storage: how large the tables are and of what, and how all of it grew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import altair as alt
import polars as pl

from odds_pipeline.charts.rendering import WIDTH, inline, nothing_to_show, stretch, title, utc_axis
from odds_pipeline.storage.drivers import beside_tables
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.report.sizes import table_name
from odds_pipeline.storage.words import in_bytes

_PARTS = {"heap": "#2563a8", "TOAST": "#7b5bb0", "indexes": "#d9722b", "catalogue": "#8a8f98", "archive": "#3a8f4d"}
_SERIES = {"odds": "#2563a8", "dagster": "#d9722b", "archives": "#3a8f4d", "not told apart": "#8a8f98"}
_LIMIT = "#b83a4b"
_WORDS = "#555b66"
_PAPER = "#ffffff"
_UNITS = {"GB": 1e9, "MB": 1e6, "kB": 1e3, "bytes": 1.0}
_BARS = 18
_BAR = 19
_LABELS = 260
"""Points that the names of tables may take."""
_ROOM = 1.12
_NEAR = 3
"""A limit is drawn once a third of it is used: one that is far away would press the curves to the ground."""
_MOST_POINTS = 500


def sizes_chart(profile: StorageProfile, *, heading: str = "Storage", note: str = "") -> alt.TopLevelMixin:
    """Bars of the largest tables, of heap, TOAST and indexes, of what databases have beside them, of archived files.

    Bars and what is not drawn add up to everything.
    """
    parts = pl.DataFrame(
        list(_parts(profile)), schema={"name": pl.String, "part": pl.String, "bytes": pl.Int64}, orient="row"
    ).filter(pl.col("bytes") > 0)
    if parts.is_empty():
        return nothing_to_show(title(heading, note), "No table takes any room.")
    summed = parts.group_by("name").agg(pl.col("bytes").sum()).sort("bytes", "name", descending=[True, False])
    largest, others = summed.head(_BARS), summed.slice(_BARS)
    unit, size = _unit(largest["bytes"])
    shown = parts.join(largest.select("name"), on="name", how="semi").select(
        "name",
        "part",
        size=pl.col("bytes") / size,
        place=pl.col("part").replace_strict({part: place for place, part in enumerate(_PARTS)}),
    )
    sums = [
        {"name": name, "size": taken / size, "words": in_bytes(taken)}
        for name, taken in largest.select("name", "bytes").iter_rows()
    ]
    y = alt.Y("name:N", sort=largest["name"].to_list(), title=None, axis=alt.Axis(labelLimit=_LABELS))
    bars = (
        alt.Chart(inline(shown))
        .mark_bar()
        .encode(
            x=alt.X(
                "size:Q",
                title=unit,
                # Room for the size in words behind the longest bar.
                scale=alt.Scale(domain=[0, _ROOM * _most(largest["bytes"]) / size], nice=False),
                axis=alt.Axis(tickCount=6),
            ),
            y=y,
            color=_colour("part", _PARTS, shown["part"]),
            order=alt.Order("place:Q"),
        )
    )
    words = alt.Chart(inline(pl.DataFrame(sums))).mark_text(align="left", dx=4, fontSize=11, color=_WORDS)
    left_out = f"{others.height:,} smaller ones are not drawn: {in_bytes(int(others['bytes'].sum()))}"
    return (bars + words.encode(x="size:Q", y=y, text="words:N")).properties(
        width=WIDTH - _LABELS,
        height=alt.Step(_BAR),
        title=title(
            heading, f"{in_bytes(profile.total_bytes)} in all", left_out if not others.is_empty() else "", note
        ),
    )


def growth_chart(
    samples: pl.DataFrame, *, target: float, disk: float, heading: str = "Growth", note: str = ""
) -> alt.TopLevelMixin:
    """Areas of what databases and archives took at each sample; size target and disk, once they are near.

    ``samples``: ``sampled_at`` (UTC), ``total_bytes``, ``odds_bytes``, ``dagster_bytes``, ``archive_bytes``; the last
    three are null where a sample does not tell them apart. ``target``, ``disk``: bytes.
    """
    known = samples.sort("sampled_at").drop_nulls("total_bytes")
    if known.height < 2:
        why = "There is only one sample yet" if known.height else "There is no sample yet"
        return nothing_to_show(title(heading, note), f"{why}; each storage profile takes one.")
    # The last one always stays, so it is counted from there.
    drawn = known.reverse().gather_every(-(-known.height // _MOST_POINTS)).reverse()
    totals = drawn["total_bytes"]
    limits = {name: size for name, size in (("target", target), ("disk", disk)) if _NEAR * _most(totals) >= size}
    unit, size = _unit([*totals, *limits.values()])
    is_apart = pl.col("odds_bytes").is_not_null()
    series = {
        "odds": pl.col("odds_bytes"),
        "dagster": pl.col("dagster_bytes"),
        "archives": pl.col("archive_bytes"),
        "not told apart": pl.when(~is_apart).then("total_bytes"),
    }
    areas = (
        drawn.select("sampled_at", **{name: taken / size for name, taken in series.items()})
        .unpivot(list(series), index="sampled_at", variable_name="series", value_name="size")
        .drop_nulls("size")
        .with_columns(place=pl.col("series").replace_strict({name: place for place, name in enumerate(_SERIES)}))
    )
    first, last = drawn["sampled_at"][0], drawn["sampled_at"][-1]
    x = utc_axis("sampled_at", begin=first, end=last)
    y = alt.Y("size:Q", title=unit, stack="zero", scale=alt.Scale(zero=True))
    picture = [
        alt.Chart(inline(areas))
        .mark_area(opacity=0.85)
        .encode(x=x, y=y, color=_colour("series", _SERIES, areas["series"]), order=alt.Order("place:Q"))
    ]
    picture += [layer for name, taken in limits.items() for layer in _limit(name, taken, taken / size)]
    gained = f"from {in_bytes(totals[0])} to {in_bytes(totals[-1])}"
    return alt.layer(*picture).properties(
        width=WIDTH, height=240, title=title(heading, f"{stretch(first, last)}: {gained}", note)
    )


def _parts(profile: StorageProfile) -> Iterator[tuple[str, str, int]]:
    for database in profile.databases:
        for table in database.whole_tables:
            name = table_name(profile, database, table)
            yield from (
                (name, "heap", table.heap_bytes),
                (name, "TOAST", table.toast_bytes),
                (name, "indexes", table.index_bytes),
            )
        owner = "" if len(profile.databases) == 1 else f"{database.name}: "
        yield f"{owner}PostgreSQL's catalogue, the rest", "catalogue", beside_tables(database)
    for kind in profile.archives:
        yield f"archive: {kind.kind}", "archive", kind.bytes


def _limit(name: str, taken: float, size: float) -> Iterator[alt.Chart]:
    line = alt.Chart(inline(pl.DataFrame({"size": [size], "words": [f"{name} {in_bytes(taken)}"]})))
    yield line.mark_rule(color=_LIMIT, strokeDash=[6, 4]).encode(y="size:Q")
    # Twice, wide and white below: in the colour of the area behind it, it would be hard to read.
    for colour, width in ((_PAPER, 4), (_LIMIT, 0)):
        yield line.mark_text(
            color=colour,
            stroke=_PAPER,
            strokeWidth=width,
            align="left",
            baseline="bottom",
            dx=4,
            dy=-2,
            fontSize=11,
            fontWeight="bold",
        ).encode(x=alt.value(0), y="size:Q", text="words:N")


def _colour(field: str, colours: Mapping[str, str], found: pl.Series) -> alt.Color:
    """Only what is there stands in the legend."""
    there = [name for name in colours if name in found]
    return alt.Color(f"{field}:N", title=None, scale=alt.Scale(domain=there, range=[colours[name] for name in there]))


def _unit(sizes: Iterable[float]) -> tuple[str, float]:
    """The largest unit of which the largest size is at least one."""
    most = _most(sizes)
    return next(((name, size) for name, size in _UNITS.items() if most >= size), ("bytes", 1.0))


def _most(sizes: Iterable[float]) -> float:
    return max((size for size in sizes if size is not None), default=0)
