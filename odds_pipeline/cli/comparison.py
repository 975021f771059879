"""``odds-pipeline compare`` and ``odds-pipeline moves``: the best prices of an event, and who moved first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import polars as pl
import typer

from odds_pipeline.analysis import comparison
from odds_pipeline.cli.answers import cell, line_word, more, price, print_rows, print_table
from odds_pipeline.cli.asking import (
    AsJson,
    Markets,
    Shown,
    Since,
    Until,
    asking,
    market_id_of,
    tell_unimported,
    time_of,
)

_EventId = Annotated[int, typer.Argument(metavar="EVENT", help="The event's id.", show_default=False)]
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def compare(
    event_id: _EventId,
    moment: Annotated[
        datetime | None,
        typer.Option("--at", parser=time_of, metavar="TIME", help="At this moment.", show_default="now"),
    ] = None,
    show: Shown = 60,
    as_json: AsJson = False,
) -> None:
    """Compare the bookmakers' prices for each outcome of an event: the best one, and the difference to betPawa.

    Example: odds-pipeline compare 1 --at 2026-11-20T12:00Z
    """
    with asking() as asked:
        answer = comparison.compare(asked.source, event_id, moment=moment, now=asked.now)
    if as_json:
        print_rows(answer.rows)
    else:
        offers = answer.rows["prices"].explode().struct.field("bookmaker_slug").drop_nulls()
        slugs = offers.unique().sort().to_list()
        # An outcome that one bookmaker has alone compares with nothing.
        most_first = answer.rows.sort(pl.col("prices").list.len(), descending=True, maintain_order=True)
        print_table(
            ["market", "line", "outcome", *slugs, "best", "at"],
            (_compared_cells(row, slugs) for row in most_first.head(show).iter_rows(named=True)),
            title=f"Prices at {cell(moment or asked.now)} UTC, in brackets the difference to betPawa's in percent",
            note=f"-: cannot be bet on; *: stale. {more(show, answer.rows.height, 'outcomes')}",
        )
    tell_unimported(answer.unimported)


def moves(
    event_id: _EventId,
    since: Since = None,
    until: Until = None,
    markets: Markets = None,
    within: Annotated[
        float, typer.Option(min=0, metavar="MINUTES", help="How long after the first move another one follows it.")
    ] = 60.0,
    show: Shown = 40,
    as_json: AsJson = False,
) -> None:
    """Tell who moved a price of an event first, and who followed in the same direction.

    Example: odds-pipeline moves 1 --market "1X2 - FT" --since 2026-11-20T00:00Z --within 30
    """
    with asking() as asked:
        answer = comparison.moves(
            asked.source,
            event_id,
            since or _BEGINNING,
            until or asked.now,
            within=timedelta(minutes=within),
            betpawa_market_ids=None if markets is None else [market_id_of(market) for market in markets],
            now=asked.now,
        )
    if as_json:
        print_rows(answer.rows)
    else:
        print_table(
            ["at (UTC)", "market", "line", "outcome", "from", "to", "first", "followed by"],
            map(_move_cells, answer.rows.tail(show).iter_rows(named=True)),
            note=f"?: in the same cycle, so perhaps earlier. {more(show, answer.rows.height, 'earlier moves')}",
        )
        _print_firsts(answer.rows)
    tell_unimported(answer.unimported)


def _compared_cells(row: Mapping[str, Any], slugs: list[str]) -> tuple[object, ...]:
    prices = {each["bookmaker_slug"]: each for each in row["prices"]}
    return (
        row["betpawa_market_name"],
        line_word(row["line"]),
        row["name"] or row["key"],
        *(_price_word(prices.get(slug)) for slug in slugs),
        row["best_odds"],
        ", ".join(row["best_bookmakers"]),
    )


def _price_word(offer: Mapping[str, Any] | None) -> str:
    if offer is None:
        return ""
    if not offer["is_active"]:
        return "-"
    difference = f" ({offer['difference_percent']:+.1f})" if offer["difference"] else ""
    return f"{price(offer['odds'])}{difference}{'*' if offer['is_stale'] else ''}"


def _move_cells(move: Mapping[str, Any]) -> tuple[object, ...]:
    followers = (
        f"{each['bookmaker_slug']} +{timedelta(seconds=round(each['lag_seconds']))}"
        + ("?" if each["is_same_cycle"] else "")
        for each in move["followers"]
    )
    return (
        move["first_at"],
        move["betpawa_market_name"],
        line_word(move["line"]),
        move["name"] or move["key"],
        move["odds_before"],
        move["odds_after"],
        move["first_bookmaker"],
        ", ".join(followers),
    )


def _print_firsts(rows: pl.DataFrame) -> None:
    firsts = rows["first_bookmaker"].value_counts(sort=True).rows()
    if firsts:
        typer.echo("Moved first: " + ", ".join(f"{slug} {count:,} times" for slug, count in firsts))
