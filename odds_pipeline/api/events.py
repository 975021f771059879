"""Events: the list, one with all its markets, and its bookmakers side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from odds_pipeline.analysis import comparison
from odds_pipeline.analysis.comparison import COMPARISON, MOVES
from odds_pipeline.analysis.encode import rows
from odds_pipeline.analysis.event import MARKETS_BY_GROUP, by_group, event
from odds_pipeline.analysis.events import EVENTS, events
from odds_pipeline.analysis.market_names import market_ids_of
from odds_pipeline.api import parameters
from odds_pipeline.api.answers import AnswerShape, answer
from odds_pipeline.api.parameters import EventId
from odds_pipeline.api.service import Asked

router = APIRouter(tags=["events"])


@router.get(
    "/events",
    summary="The event list",
    **AnswerShape("Events by kick-off, with their headline markets.").rows(EVENTS).next("string", "MTIg").documented(),
)
def list_events(asked: Asked, question: Annotated[parameters.Events, Query()]) -> Response:
    """Events by kick-off, each with its listings and, of all bookmakers, 1X2, over/under 2.5, both to score and double
    chance."""
    page = events(asked.source, question.wanted, now=asked.now(), limit=question.limit, after=question.cursor)
    return answer(rows=page.rows, next=None if page.next is None else page.next.encode())


@router.get(
    "/events/{event_id}",
    summary="One event with all its markets",
    **AnswerShape("The event, and its markets by group.")
    .row(EVENTS, "event")
    .rows(MARKETS_BY_GROUP, "groups")
    .documented(404),
)
def show_event(event_id: EventId, asked: Asked, question: Annotated[parameters.Event, Query()]) -> Response:
    """Every market by market group, and of each bookmaker that lists the event whether it offers it, when it was last
    confirmed, or that it never offered it."""
    found = event(asked.source, event_id, now=asked.now(), bookmakers=question.bookmakers)
    return answer(event=rows(found.event)[0], groups=by_group(found.markets))


@router.get(
    "/events/{event_id}/comparison",
    summary="Bookmakers side by side",
    **AnswerShape("Each outcome with the price of every bookmaker.").rows(COMPARISON).unimported_days().documented(404),
)
def compare_event(event_id: EventId, asked: Asked, question: Annotated[parameters.Compare, Query()]) -> Response:
    """The best price of each outcome, and each bookmaker's difference to betPawa's, now or at a moment."""
    found = comparison.compare(
        asked.source,
        event_id,
        moment=question.moment,
        betpawa_market_ids=market_ids_of(question.markets),
        line=question.chosen_line,
        bookmakers=question.bookmakers,
        now=asked.now(),
    )
    return answer(rows=found.rows, unimported_days=found.unimported)


@router.get(
    "/events/{event_id}/moves",
    summary="Who moved first",
    **AnswerShape("Rounds of moves in one direction.").rows(MOVES).unimported_days().documented(404),
)
def list_moves(event_id: EventId, asked: Asked, question: Annotated[parameters.Moves, Query()]) -> Response:
    """Price moves of the event's outcomes: which bookmaker moved first, and which followed how much later."""
    found = comparison.moves(
        asked.source,
        event_id,
        question.since,
        question.until,
        within=question.within,
        betpawa_market_ids=market_ids_of(question.markets),
        now=asked.now(),
    )
    return answer(rows=found.rows, unimported_days=found.unimported)
