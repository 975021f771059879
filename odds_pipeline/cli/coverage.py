"""``odds-pipeline coverage``: how many matches are offered by whom, and how much of it is on betPawa's taxonomy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import polars as pl
import typer

from odds_pipeline.analysis.coverage import coverage as coverage_of
from odds_pipeline.analysis.encode import rows
from odds_pipeline.charts.coverage import coverage_chart
from odds_pipeline.cli.answers import cell, more, print_object, print_table, save_chart
from odds_pipeline.cli.asking import AsJson, Chart, Shown, Since, Until, asking

_KINDS = ["events", "matched", "betpawa_only", "competitor_only"]
_TITLES = ["matches", "matched", "betPawa only", "competitor only"]


def coverage(
    since: Since = None,
    until: Until = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Whatever is stored, also what is not on offer any more.")
    ] = False,
    chart: Chart = None,
    show: Shown = 20,
    as_json: AsJson = False,
) -> None:
    """Count the matches that betPawa, competitors or both offer, and the markets that are mapped.

    A match counts once, whoever lists it. --since and --until are of the kick-off.

    Example: odds-pipeline coverage --since 2026-11-20T00:00Z --chart coverage.png
    """
    with asking() as asked:
        found = coverage_of(
            asked.source, now=asked.now, kickoff_since=since, kickoff_until=until, is_available=not everything
        )
        if chart is not None:
            save_chart(coverage_chart(found.tournaments, note=f"{cell(asked.now)} UTC"), chart)
    if as_json:
        print_object(
            {
                "rows": found.tournaments,
                "countries": found.countries,
                "total": rows(found.total)[0],
                "mapped": found.mapped,
                "unmapped": found.unmapped,
            }
        )
    elif chart is None:
        total = found.total.row(0, named=True)
        typer.echo(
            f"{total['events']:,} matches in {total['tournaments']:,} tournaments of {total['countries']:,} countries: "
            f"{total['matched']:,} matched, {total['betpawa_only']:,} betPawa only, "
            f"{total['competitor_only']:,} competitor only"
        )
        _print_counts(found.countries, ["country"], show=show, what="countries")
        _print_counts(found.tournaments, ["tournament", "country"], show=show, what="tournaments")
        print_table(
            ["bookmaker", "markets", "mapped", "of these common", "unmapped", "mapped (%)", "last discovery (UTC)"],
            map(_mapped_cells, found.mapped.iter_rows(named=True)),
        )
        print_table(
            ["bookmaker", "its market id", "unmapped market", "markets", "events"],
            (
                (
                    row["bookmaker_slug"],
                    row["source_market_id"],
                    row["betpawa_market_name"],
                    f"{row['markets']:,}",
                    f"{row['events']:,}",
                )
                for row in found.unmapped.head(show).iter_rows(named=True)
            ),
            note=more(show, found.unmapped.height, "unmapped market types"),
        )


def _print_counts(counts: pl.DataFrame, names: list[str], *, show: int, what: str) -> None:
    print_table(
        [*names, *_TITLES],
        (
            (*(row[name] for name in names), *(f"{row[kind]:,}" for kind in _KINDS))
            for row in counts.head(show).iter_rows(named=True)
        ),
        note=more(show, counts.height, what),
    )


def _mapped_cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        row["bookmaker_slug"],
        *(f"{row[name]:,}" for name in ("markets", "mapped", "common", "unmapped")),
        row["mapped_share"],
        f"{cell(row['last_discovery_at'])}{' (stale)' if row['is_stale'] else ''}",
    )
