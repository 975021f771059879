"""The chart of coverage: how many matches are offered by whom, by country and by tournament."""

from __future__ import annotations

import altair as alt
import polars as pl

from odds_pipeline.charts.rendering import WIDTH, inline, nothing_to_show, panel_title, title

_KINDS = {
    "matched": ("matched", "#2f8f4e"),
    "betpawa_only": ("betPawa only", "#9fb4d6"),
    "competitor_only": ("competitor only", "#e0a458"),
}
_COUNTRIES = 10
_TOURNAMENTS = 20
_BAR = 19
_LABELS = 260
"""Points that the names of countries and tournaments may take."""


def coverage_chart(tournaments: pl.DataFrame, *, heading: str = "Coverage", note: str = "") -> alt.TopLevelMixin:
    """Bars of matches: matched, betPawa only, competitor only; the largest countries and tournaments.

    ``tournaments``: in ``COVERAGE``, one row a tournament. Those that are not drawn are counted in words: as one bar
    they would dwarf all others.
    """
    counted = tournaments.select("country", "tournament", "events", *_KINDS)
    total = int(counted["events"].sum())
    if total == 0:
        return nothing_to_show(title(heading, note), "No match is offered.")
    of_country = pl.col("country").fill_null("unknown country")
    labelled = counted.with_columns(
        country_label=of_country,
        tournament_label=pl.format("{} ({})", pl.col("tournament").fill_null("unknown tournament"), of_country),
    )
    panels = alt.vconcat(
        _bars(labelled, "country_label", most=_COUNTRIES, what="countries"),
        _bars(labelled, "tournament_label", most=_TOURNAMENTS, what="tournaments"),
        spacing=24,
    )
    return panels.properties(title=title(heading, f"{total:,} matches: {_in_words(counted)}", note))


def _bars(counted: pl.DataFrame, label: str, *, most: int, what: str) -> alt.Chart:
    summed = counted.group_by(label).agg(pl.col("events", *_KINDS).sum())
    summed = summed.sort("events", label, descending=[True, False])
    largest, others = summed.head(most), summed.slice(most)
    heading = panel_title(f"By {label.removesuffix('_label')}")
    if not others.is_empty():
        heading = panel_title(
            f"By {label.removesuffix('_label')}: the {most} largest of {summed.height:,}",
            f"the other {others.height:,} {what}: {int(others['events'].sum()):,} matches, {_in_words(others)}",
        )
    bars = largest.unpivot(list(_KINDS), index=label, variable_name="kind", value_name="matches").with_columns(
        place=pl.col("kind").replace_strict({kind: place for place, kind in enumerate(_KINDS)}),
        kind=pl.col("kind").replace_strict({kind: name for kind, (name, _) in _KINDS.items()}),
    )
    names, colours = zip(*_KINDS.values(), strict=True)
    return (
        alt.Chart(inline(bars.rename({label: "label"})))
        .mark_bar()
        .encode(
            x=alt.X("matches:Q", title="matches", axis=alt.Axis(format=",d", tickMinStep=1)),
            y=alt.Y("label:N", sort=largest[label].to_list(), title=None, axis=alt.Axis(labelLimit=_LABELS)),
            color=alt.Color("kind:N", title=None, scale=alt.Scale(domain=names, range=colours)),
            order=alt.Order("place:Q"),
        )
        .properties(width=WIDTH - _LABELS, height=alt.Step(_BAR), title=heading)
    )


def _in_words(counted: pl.DataFrame) -> str:
    return ", ".join(f"{int(counted[kind].sum()):,} {name}" for kind, (name, _) in _KINDS.items())
