"""``odds-pipeline history`` and ``odds-pipeline margins``: one market through time, as a table or a chart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import polars as pl
import typer

from odds_pipeline.analysis.errors import NotFound
from odds_pipeline.analysis.event import event
from odds_pipeline.analysis.margins import margin_history
from odds_pipeline.analysis.market_names import market_id_of
from odds_pipeline.analysis.odds_history import MarketChoice, odds_history
from odds_pipeline.charts.margins import margin_chart
from odds_pipeline.charts.odds_history import odds_history_chart
from odds_pipeline.cli.answers import line_word, more, outcome_words, print_rows, print_table, save_chart
from odds_pipeline.cli.asking import (
    AsJson,
    Asked,
    Bookmakers,
    Chart,
    Line,
    NoLine,
    Shown,
    Since,
    Until,
    asking,
    chosen_line,
    tell_unimported,
)

_NO_POINTS = (
    "No odds of this: the event has not had the market, line or bookmaker in this time; "
    "odds-pipeline event ID lists its markets"
)
_EventId = Annotated[int, typer.Argument(metavar="EVENT", help="The event's id.", show_default=False)]
_Market = Annotated[
    str, typer.Option("--market", metavar="MARKET", help="betPawa's id of the market, or its name.", show_default=False)
]


def history(
    event_id: _EventId,
    market: _Market,
    line: Line = None,
    no_line: NoLine = False,
    bookmakers: Bookmakers = None,
    since: Since = None,
    until: Until = None,
    chart: Chart = None,
    show: Shown = 40,
    as_json: AsJson = False,
) -> None:
    """Show how the odds of a market went: every change, what it began with, and up to when the last was confirmed.

    Example: odds-pipeline history 1 --market 5000 --line 2.5 --since 2026-11-20T00:00Z --chart odds.png
    """
    with asking() as asked:
        choice = _choice(event_id, market, line, no_line, bookmakers)
        answer = odds_history(asked.source, choice, since, until, now=asked.now)
        if chart is not None:
            heading = _event_name(asked, event_id)
            save_chart(odds_history_chart(answer.points, heading=heading, until=_end(asked, until)), chart)
    if as_json:
        print_rows(answer.points)
    elif chart is None:
        _print_points(answer.points, ["outcomes"], [_offer_words(answer.points)], show=show)
    tell_unimported(answer.unimported)


def margins(
    event_id: _EventId,
    market: _Market,
    line: Line = None,
    no_line: NoLine = False,
    bookmakers: Bookmakers = None,
    since: Since = None,
    until: Until = None,
    chart: Chart = None,
    show: Shown = 40,
    as_json: AsJson = False,
) -> None:
    """Show how the margin of a market went, in percent, and why there is none where there is none.

    Example: odds-pipeline margins 1 --market "1X2 - FT" --bookmaker betpawa --chart margins.png
    """
    with asking() as asked:
        choice = _choice(event_id, market, line, no_line, bookmakers)
        answer = margin_history(asked.source, choice, since, until, now=asked.now)
        if chart is not None:
            heading = _event_name(asked, event_id)
            save_chart(margin_chart(answer.points, heading=heading, until=_end(asked, until)), chart)
    if as_json:
        print_rows(answer.points)
    elif chart is None:
        values = [answer.points["margin"].to_list(), answer.points["margin_missing"].to_list()]
        _print_points(answer.points, ["margin (%)", "no margin because"], values, show=show)
    tell_unimported(answer.unimported)


def _choice(
    event_id: int, market: str, line: Decimal | None, no_line: bool, bookmakers: list[str] | None
) -> MarketChoice:
    return MarketChoice(event_id, market_id_of(market), chosen_line(line, no_line), bookmakers)


def _event_name(asked: Asked, event_id: int) -> str:
    try:
        return event(asked.source, event_id, now=asked.now).event["name"].item()
    except NotFound:  # it was cleaned up: the archive keeps its odds, not its name
        return f"Event {event_id}"


def _end(asked: Asked, until: datetime | None) -> datetime:
    return asked.now if until is None else min(until, asked.now)


def _offer_words(points: pl.DataFrame) -> list[str]:
    return [
        "not on offer" if is_unavailable else outcome_words(outcomes)
        for is_unavailable, outcomes in points.select("is_unavailable", "outcomes").iter_rows()
    ]


def _print_points(
    points: pl.DataFrame, titles: Sequence[str], values: Sequence[Sequence[object]], *, show: int
) -> None:
    """The newest points in the order of time, whatever market they are of."""
    shown = points.with_row_index("row").sort("at", maintain_order=True).tail(show)
    rows = (
        (
            point["at"],
            point["bookmaker_slug"],
            line_word(point["line"]),
            point["point"],
            *(column[point["row"]] for column in values),
        )
        for point in shown.iter_rows(named=True)
    )
    name = points["betpawa_market_name"].last() if points.height else ""
    notes = ["(price): suspended."] if "outcomes" in titles else []
    notes.append(more(show, points.height, "earlier points"))
    print_table(
        ["at (UTC)", "bookmaker", "line", "point", *titles],
        rows,
        title=str(name),
        note=" ".join(notes),
        empty=_NO_POINTS,
    )
