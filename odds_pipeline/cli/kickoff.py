"""``odds-pipeline kickoff``: how odds and margins move towards kick-off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import typer

from odds_pipeline.analysis.headline import HEADLINE
from odds_pipeline.analysis.kickoff import GROUPINGS, opening_closing, time_to_kickoff
from odds_pipeline.analysis.market_names import market_id_of
from odds_pipeline.charts.kickoff import kickoff_chart
from odds_pipeline.cli.answers import cell, line_word, more, print_rows, print_table, save_chart
from odds_pipeline.cli.asking import (
    AsJson,
    Bookmakers,
    Chart,
    Line,
    Markets,
    Shown,
    Since,
    Until,
    asking,
    tell_unimported,
)

_GROUPS = ("betpawa_market_id", "line", "bookmaker_slug")


def kickoff(
    since: Since = None,
    until: Until = None,
    events: Annotated[list[int] | None, typer.Option("--event", metavar="ID", help="Only this event.")] = None,
    tournament: Annotated[int | None, typer.Option(metavar="ID", help="Only events of this tournament.")] = None,
    bookmakers: Bookmakers = None,
    markets: Markets = None,
    line: Line = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="GROUPING",
            help=f"Group by one of {', '.join(GROUPINGS)}; may be repeated.",
            show_default="market, line and bookmaker",
        ),
    ] = None,
    is_opening_closing: Annotated[
        bool, typer.Option("--opening-closing", help="Each outcome's opening against its closing price instead.")
    ] = False,
    chart: Chart = None,
    show: Shown = 60,
    as_json: AsJson = False,
) -> None:
    """Show margins and odds moves by time to kick-off. --since and --until are of the kick-off; without them: today.

    Of the headline markets, or of --market with --line (none: without a line).

    Example: odds-pipeline kickoff --since 2026-11-20T00:00Z --until 2026-11-21T00:00Z --chart kickoff.png
    """
    if is_opening_closing and (chart is not None or by is not None):
        raise typer.BadParameter("--opening-closing has neither a chart nor groups; leave out --chart and --by")
    if line is not None and markets is None:
        raise typer.BadParameter("--line is of a market; give --market as well")
    with asking() as asked:
        if events is None and since is None and until is None:
            since = asked.now.replace(hour=0, minute=0, second=0, microsecond=0)
            until = since + timedelta(days=1)
        choice: dict[str, Any] = {
            "kickoff_since": since,
            "kickoff_until": until,
            "markets": _markets(markets, line),
            "event_ids": events,
            "tournament_id": tournament,
            "bookmakers": bookmakers,
            "now": asked.now,
        }
        if is_opening_closing:
            answer = opening_closing(asked.source, **choice)
        else:
            answer = time_to_kickoff(asked.source, **choice, by=by or _GROUPS)
        if chart is not None:
            save_chart(kickoff_chart(answer.rows, heading="Time to kick-off", note=_window(since, until)), chart)
    if as_json:
        print_rows(answer.rows)
    elif chart is None:
        titles, cells, what = _OPENING_CLOSING if is_opening_closing else _TO_KICKOFF
        print_table(
            titles,
            map(cells, answer.rows.head(show).iter_rows(named=True)),
            title=_window(since, until),
            note=more(show, answer.rows.height, what),
            empty=f"{_window(since, until) or 'The events asked for'}: no odds of these markets before kick-off",
        )
        if is_opening_closing and answer.rows.height and answer.rows["closing_at"].null_count() == answer.rows.height:
            typer.echo("None of these matches has kicked off yet: nothing has closed", err=True)
    tell_unimported(answer.unimported)


def _markets(names: list[str] | None, line: Decimal | None) -> tuple[tuple[str, Decimal | None], ...]:
    return HEADLINE if names is None else tuple((market_id_of(name), line) for name in names)


def _window(since: datetime | None, until: datetime | None) -> str:
    return "" if since is None or until is None else f"Kick-offs from {cell(since)} to {cell(until)} UTC"


def _to_kickoff_cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        row["betpawa_market_name"],
        line_word(row["line"]),
        row["tournament"],
        row["bookmaker_slug"],
        row["bucket"],
        f"{row['events']:,}",
        f"{row['changes']:,}",
        row["mean_margin"],
        row["mean_odds_move"],
    )


def _opening_closing_cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        str(row["event_id"]),
        row["betpawa_market_name"],
        line_word(row["line"]),
        row["bookmaker_slug"],
        row["name"] or row["key"],
        row["opening_at"],
        row["opening_odds"],
        row["closing_at"],
        row["closing_odds"],
        row["move_percent"],
        row["opening_margin"],
        row["closing_margin"],
        row["is_kickoff_moved"],
    )


_TO_KICKOFF = (
    ["market", "line", "tournament", "bookmaker", "bucket", "events", "changes", "margin (%)", "odds move (%)"],
    _to_kickoff_cells,
    "rows",
)
_OPENING_CLOSING = (
    [
        "event",
        "market",
        "line",
        "bookmaker",
        "outcome",
        "opened (UTC)",
        "at",
        "closed with (UTC)",
        "at",
        "move (%)",
        "opening margin (%)",
        "closing margin (%)",
        "kick-off moved",
    ],
    _opening_closing_cells,
    "outcomes",
)
