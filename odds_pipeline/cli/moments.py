"""``odds-pipeline at``: the state at a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from odds_pipeline.analysis import moments
from odds_pipeline.analysis.asked import require_come
from odds_pipeline.analysis.market_names import market_ids_of
from odds_pipeline.analysis.moments import Scope
from odds_pipeline.analysis.runs import first_cycle
from odds_pipeline.cli.answers import cell, line_word, more, outcome_words, print_rows, print_table
from odds_pipeline.cli.asking import (
    AsJson,
    Bookmakers,
    Line,
    Markets,
    NoLine,
    Shown,
    asking,
    chosen_line,
    tell_unimported,
    time_of,
)


def at(
    moment: Annotated[
        datetime, typer.Argument(parser=time_of, metavar="MOMENT", help="ISO 8601 with its zone.", show_default=False)
    ],
    events: Annotated[list[int] | None, typer.Option("--event", metavar="ID", help="Only of this event.")] = None,
    tournament: Annotated[int | None, typer.Option(metavar="ID", help="Only of this tournament.")] = None,
    bookmakers: Bookmakers = None,
    markets: Markets = None,
    line: Line = None,
    no_line: NoLine = False,
    show: Shown = 60,
    as_json: AsJson = False,
) -> None:
    """Show exactly what was current at a moment, and how fresh it was then: of an event, a tournament, or everything.

    Example: odds-pipeline at 2026-11-20T12:00Z --event 1 --market 3743
    """
    with asking() as asked:
        scope = Scope(
            event_ids=events,
            tournament_id=tournament,
            bookmakers=bookmakers,
            betpawa_market_ids=market_ids_of(markets),
            line=chosen_line(line, no_line),
        )
        answer = moments.at(asked.source, scope, require_come(moment, asked.now, "the moment"))
        nothing = _why_nothing(moment, first_cycle(asked.source)) if answer.rows.is_empty() else ""
    if nothing:
        typer.echo(nothing, err=True)
    elif as_json:
        print_rows(answer.rows)
    else:
        shown = answer.rows.sort("event_id", "betpawa_market_name", "line", "bookmaker_slug").head(show)
        print_table(
            ["event", "market", "line", "bookmaker", "outcomes", "state since (UTC)", "last confirmed (UTC)"],
            (
                (
                    str(row["event_id"]),
                    row["betpawa_market_name"],
                    line_word(row["line"]),
                    row["bookmaker_slug"],
                    "not on offer" if row["is_unavailable"] else outcome_words(row["outcomes"]),
                    row["captured_at"],
                    f"{cell(row['last_confirmed_at'])}{' (stale)' if row['is_stale'] else ''}",
                )
                for row in shown.iter_rows(named=True)
            ),
            title=f"State at {cell(moment)} UTC",
            note=f"(price): suspended. {more(show, answer.rows.height, 'markets')}",
        )
    tell_unimported(answer.unimported)


def _why_nothing(moment: datetime, first: datetime | None) -> str:
    if first is None:
        return "Nothing was known: no cycle has run yet (odds-pipeline run)"
    if moment < first:
        return f"Nothing was known yet at {cell(moment)} UTC: the first cycle was at {cell(first)} UTC"
    return f"Nothing of what was asked for had been seen by {cell(moment)} UTC"
