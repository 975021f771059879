"""``odds-pipeline compare`` and ``odds-pipeline moves``: the best prices of an event, and who moved first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import polars as pl
import typer

from odds_pipeline.analysis import comparison
from odds_pipeline.analysis.bookmaker_order import bookmakers_in_order
from odds_pipeline.analysis.headline import headline_place
from odds_pipeline.analysis.market_names import market_ids_of
from odds_pipeline.cli.answers import cell, line_word, more, price, print_rows, print_table
from odds_pipeline.cli.asking import (
    AsJson,
    Bookmakers,
    Line,
    Markets,
    NoLine,
    Shown,
    Since,
    Until,
    asking,
    chosen_line,
    tell_unimported,
    time_of,
)
from odds_pipeline.database.listings import CANONICAL_BOOKMAKER

_EventId = Annotated[int, typer.Argument(metavar="EVENT", help="The event's id.", show_default=False)]
_IS_FOLLOWED = pl.col("followers").list.len() > 0


def compare(
    event_id: _EventId,
    moment: Annotated[
        datetime | None,
        typer.Option("--at", parser=time_of, metavar="TIME", help="At this moment.", show_default="now"),
    ] = None,
    markets: Markets = None,
    line: Line = None,
    no_line: NoLine = False,
    bookmakers: Bookmakers = None,
    show: Shown = 60,
    as_json: AsJson = False,
) -> None:
    """Compare the bookmakers' prices for each outcome of an event: the best one, and the difference to betPawa.

    Example: odds-pipeline compare 1 --at 2026-11-20T12:00Z
    """
    with asking() as asked:
        answer = comparison.compare(
            asked.source,
            event_id,
            moment=moment,
            betpawa_market_ids=market_ids_of(markets),
            line=chosen_line(line, no_line),
            bookmakers=bookmakers,
            now=asked.now,
        )
        known = bookmakers_in_order(asked.source)
    if as_json:
        print_rows(answer.rows)
    else:
        offering = set(answer.rows["prices"].explode().struct.field("bookmaker_slug"))
        slugs = [slug for slug in known if slug in offering]
        # An outcome that one bookmaker has alone compares with nothing.
        ordered = sorted(
            answer.rows.iter_rows(named=True),
            key=lambda row: (headline_place(row["betpawa_market_id"], row["line"]), -len(row["prices"])),
        )
        measure = (
            ", in brackets the difference to betPawa's in percent"
            if CANONICAL_BOOKMAKER in slugs
            else "; no differences, because betPawa is not among the bookmakers that offered this"
        )
        print_table(
            ["market", "line", "outcome", *slugs, "best", "at"],
            (_compared_cells(row, slugs) for row in ordered[:show]),
            title=f"Prices at {cell(moment or asked.now)} UTC{measure}",
            note=f"-: cannot be bet on; *: stale. {more(show, answer.rows.height, 'outcomes')}",
            empty=f"Nothing of this had been offered at {cell(moment or asked.now)} UTC",
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
    """Tell who moved a price of an event first, and who followed in the same direction. The table has moves that
    somebody followed before those that nobody did, of each kind the newest.

    Example: odds-pipeline moves 1 --market "1X2 - FT" --since 2026-11-20T00:00Z --within 30
    """
    with asking() as asked:
        answer = comparison.moves(
            asked.source,
            event_id,
            since,
            until,
            within=timedelta(minutes=within),
            betpawa_market_ids=market_ids_of(markets),
            now=asked.now,
        )
    if as_json:
        print_rows(answer.rows)
    else:
        shown = _newest_followed_first(answer.rows, show)
        is_doubtful = pl.col("followers").list.eval(pl.element().struct.field("is_same_cycle").any()).list.first()
        doubt = "?: in the same cycle, so perhaps earlier. " if shown.filter(is_doubtful).height else ""
        print_table(
            ["at (UTC)", "market", "line", "outcome", "from", "to", "first", "followed by"],
            map(_move_cells, shown.iter_rows(named=True)),
            note=doubt + more(show, answer.rows.height, "moves, followed by nobody or earlier"),
            empty="No price moved in this time",
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


def _newest_followed_first(rounds: pl.DataFrame, count: int) -> pl.DataFrame:
    """The newest followed rounds in the order of time; where these are fewer, the newest others behind them."""
    followed = rounds.filter(_IS_FOLLOWED).tail(count)
    return pl.concat([followed, rounds.filter(~_IS_FOLLOWED).tail(count - followed.height)])


def _print_firsts(rounds: pl.DataFrame) -> None:
    if rounds.is_empty():
        return
    followed = rounds.filter(_IS_FOLLOWED)
    firsts = followed.group_by("first_bookmaker").len().sort("len", "first_bookmaker", descending=[True, False]).rows()
    if firsts:
        counts = ", ".join(f"{slug} {count:,} times" for slug, count in firsts)
        typer.echo(f"Moved first and was followed: {counts}")
    typer.echo(f"Followed by nobody: {rounds.height - followed.height:,} of {rounds.height:,} moves")
