"""``odds-pipeline events`` and ``odds-pipeline event``: who offers which matches, and all markets of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Annotated, Any

import polars as pl
import typer

from odds_pipeline.analysis import event as event_module
from odds_pipeline.analysis import events as events_module
from odds_pipeline.analysis.encode import rows
from odds_pipeline.analysis.events import EventCursor, EventFilter
from odds_pipeline.analysis.headline import HEADLINE, headline_place
from odds_pipeline.cli.answers import cell, line_word, more, outcome_words, price, print_object, print_rows, print_table
from odds_pipeline.cli.asking import AsJson, Bookmakers, Shown, Since, Until, asking

_OUTCOMES_SHOWN = 6


def events(
    since: Since = None,
    until: Until = None,
    tournament: Annotated[int | None, typer.Option(metavar="ID", help="Only events of this tournament.")] = None,
    country: Annotated[str | None, typer.Option(help="Only events of tournaments of this country.")] = None,
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only events whose name has this in it, in capitals or not.")
    ] = None,
    bookmakers: Bookmakers = None,
    is_available: Annotated[
        bool | None, typer.Option("--available/--not-available", help="Only what is on offer, or not any more.")
    ] = None,
    is_started: Annotated[
        bool | None, typer.Option("--started/--not-started", help="Only what has kicked off, or not yet.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Events of a page.")] = 25,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="The page after this place.")] = None,
    as_json: AsJson = False,
) -> None:
    """List events by kick-off, with their headline markets at all bookmakers. --since and --until are of the kick-off.

    Example: odds-pipeline events --not-started --country England --limit 10
    """
    with asking() as asked:
        wanted = EventFilter(
            kickoff_since=since,
            kickoff_until=until,
            tournament_id=tournament,
            country=country,
            bookmakers=bookmakers,
            is_available=is_available,
            is_started=is_started,
            name=name,
        )
        cursor = None if after is None else EventCursor.decode(after)
        page = events_module.events(asked.source, wanted, now=asked.now, limit=limit, after=cursor)
    if as_json:
        print_rows(page.rows)
    else:
        print_table(
            ["event", "kick-off (UTC)", "match", "bookmaker", *_headline_titles(page.rows)],
            (cells for found in page.rows.iter_rows(named=True) for cells in _event_rows(found)),
            note="(price): suspended; gone: not on offer any more",
            empty="No events: leave out a condition, or see odds-pipeline runs for whether a cycle has found any",
            are_grouped=True,
        )
    if page.next is not None:
        typer.echo(f"There are more: --after {page.next.encode()}", err=True)


def event(
    event_id: Annotated[int, typer.Argument(metavar="ID", help="The event's id.", show_default=False)],
    bookmakers: Bookmakers = None,
    show: Shown = 60,
    as_json: AsJson = False,
) -> None:
    """Show one event with all its markets: available, unavailable since when, or never offered, by bookmaker.

    Example: odds-pipeline event 1 --bookmaker betpawa --bookmaker bet9ja
    """
    with asking() as asked:
        answer = event_module.event(asked.source, event_id, now=asked.now, bookmakers=bookmakers)
    if as_json:
        print_object({"event": rows(answer.event)[0], "groups": event_module.by_group(answer.markets)})
        return
    for line in _event_lines(answer.event.row(0, named=True)):
        typer.echo(line)
    slugs = answer.markets["bookmaker_slug"].unique(maintain_order=True).to_list()
    grouped = answer.markets.group_by("betpawa_market_id", "line", maintain_order=True)
    markets = sorted((offers for _, offers in grouped), key=_importance)
    cells = [_market_cells(offers, slugs) for offers in markets[:show]]
    print_table(
        ["group", "market", "line", "outcomes", *slugs],
        cells,
        note=f"(price): suspended; -: not among the outcomes. {more(show, len(markets), 'markets')}",
    )


def _headline_titles(found: pl.DataFrame) -> list[str]:
    names: dict[tuple[str, object], str] = {}
    for (headline,) in found.select("headline").iter_rows():
        for market in headline:
            key = market["betpawa_market_id"], market["line"]
            names[key] = f"{market['betpawa_market_name']} {line_word(market['line'])}".strip()
    return [names.get(key, key[0]) for key in HEADLINE]


def _event_rows(found: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    """A row for each bookmaker: however narrow the table, its prices stand beside its name."""
    offers = {
        (market["betpawa_market_id"], market["line"], market["bookmaker_slug"]): market for market in found["headline"]
    }
    beginnings = [
        (str(found["event_id"]), found["kickoff"], found["name"]),
        (None, None, f"{found['tournament']}, {found['country']}"),
    ]
    for beginning, listing in zip_longest(beginnings, found["listings"]):
        slug = None if listing is None else listing["bookmaker_slug"]
        yield [
            *(beginning or (None, None, None)),
            None if listing is None else _listing_word(listing),
            *(_headline_word(offers.get((*market, slug))) for market in HEADLINE),
        ]


def _listing_word(listing: Mapping[str, Any]) -> str:
    state = " (gone)" if not listing["is_available"] else " (stale)" if listing["is_stale"] else ""
    return f"{listing['bookmaker_slug']}{state}"


def _headline_word(market: Mapping[str, Any] | None) -> str:
    if market is None or market["state"] == "never_offered":
        return ""
    prices = outcome_words(market["outcomes"], names=False)
    return prices if market["state"] == "available" else f"gone {prices}"


def _event_lines(found: Mapping[str, Any]) -> Iterator[str]:
    kickoff = "kick-off unknown" if found["kickoff"] is None else f"kick-off {cell(found['kickoff'])} UTC"
    yield f"{cell(found['name'])}, {cell(found['tournament'])}, {cell(found['country'])}, {kickoff}"
    for listing in found["listings"]:
        seen = "never" if listing["last_confirmed_at"] is None else f"{cell(listing['last_confirmed_at'])} UTC"
        yield f"{_listing_word(listing)}: event {cell(listing['external_event_id'])}, last confirmed {seen}"


def _importance(offers: pl.DataFrame) -> tuple[int, bool, int]:
    """Headline markets first, then popular ones, then what most bookmakers have: of their own there are many."""
    market_id, line, groups = offers.select("betpawa_market_id", "line", "market_groups").row(0)
    never_offered = offers.filter(state="never_offered").height
    return headline_place(market_id, line), "popular" not in (groups or ()), never_offered


def _market_cells(offers: pl.DataFrame, slugs: Sequence[str]) -> Sequence[object]:
    found = {offer["bookmaker_slug"]: offer for offer in offers.iter_rows(named=True)}
    names = {
        outcome["key"]: outcome["name"] or outcome["key"] for offer in found.values() for outcome in offer["outcomes"]
    }
    keys = list(names)[:_OUTCOMES_SHOWN]
    further = f" and {len(names) - len(keys)} more" if len(names) > len(keys) else ""
    first = next(iter(found.values()))
    return [
        (first["market_groups"] or ["ungrouped"])[0],
        first["betpawa_market_name"],
        line_word(first["line"]),
        " / ".join(names[key] for key in keys) + further,
        *(_offer_word(found[slug], keys) for slug in slugs),
    ]


def _offer_word(offer: Mapping[str, Any], keys: Sequence[str]) -> str:
    if offer["state"] == "never_offered":
        return "never"
    outcomes = {outcome["key"]: outcome for outcome in offer["outcomes"]}
    prices = " / ".join(_price_word(outcomes.get(key)) for key in keys)
    return prices if offer["state"] == "available" else f"gone since {cell(offer['unavailable_at'])}: {prices}"


def _price_word(outcome: Mapping[str, Any] | None) -> str:
    if outcome is None:
        return "-"
    return price(outcome["odds"]) if outcome["is_active"] else f"({price(outcome['odds'])})"
