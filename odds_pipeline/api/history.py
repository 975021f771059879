"""Odds through time: a market's history and margins, the state at a moment, and the way towards kick-off."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from odds_pipeline.analysis.asked import require_come
from odds_pipeline.analysis.kickoff import OPENING_CLOSING, TO_KICKOFF, opening_closing, time_to_kickoff
from odds_pipeline.analysis.margins import MARGIN_POINTS, margin_history
from odds_pipeline.analysis.market_names import market_id_of, market_ids_of
from odds_pipeline.analysis.moments import STATE_ROWS, Scope, at
from odds_pipeline.analysis.odds_history import ODDS_POINTS, MarketChoice, odds_history
from odds_pipeline.api import parameters
from odds_pipeline.api.answers import AnswerShape, answer
from odds_pipeline.api.parameters import EventId
from odds_pipeline.api.service import Asked

router = APIRouter(tags=["odds through time"])


@router.get(
    "/events/{event_id}/odds",
    summary="Odds history of a market",
    **AnswerShape("Points by market and time.").rows(ODDS_POINTS).unimported_days().documented(404),
)
def show_odds(event_id: EventId, asked: Asked, question: Annotated[parameters.Market, Query()]) -> Response:
    """What held when the time began, every change, stretches without an offer, and up to when the last state was seen
    unchanged."""
    found = odds_history(asked.source, _choice(event_id, question), question.since, question.until, now=asked.now())
    return answer(rows=found.points, unimported_days=found.unimported)


@router.get(
    "/events/{event_id}/margins",
    summary="Margin history of a market",
    **AnswerShape("Points by market and time.").rows(MARGIN_POINTS).unimported_days().documented(404),
)
def show_margins(event_id: EventId, asked: Asked, question: Annotated[parameters.Market, Query()]) -> Response:
    """The bookmaker's margin in percent at each point of the odds history, or why there is none."""
    found = margin_history(asked.source, _choice(event_id, question), question.since, question.until, now=asked.now())
    return answer(rows=found.points, unimported_days=found.unimported)


@router.get(
    "/moments",
    summary="State at a moment",
    **AnswerShape("The state of each market, by market id.")
    .rows(STATE_ROWS)
    .next("integer", 4711)
    .unimported_days()
    .documented(404),
)
def show_moment(asked: Asked, question: Annotated[parameters.Moments, Query()]) -> Response:
    """Exactly what was current then, of events, a tournament or everything, and how fresh it was."""
    scope = Scope(
        event_ids=question.event_ids,
        tournament_id=question.tournament_id,
        bookmakers=question.bookmakers,
        betpawa_market_ids=market_ids_of(question.markets),
        line=question.chosen_line,
    )
    moment = require_come(question.moment, asked.now(), "the moment")
    found = at(asked.source, scope, moment, limit=question.limit, after=question.after)
    return answer(rows=found.rows, next=found.next, unimported_days=found.unimported)


@router.get(
    "/time-to-kickoff",
    summary="Odds and margins towards kick-off",
    **AnswerShape("Sums by group and bucket of time.").rows(TO_KICKOFF).unimported_days().documented(404),
)
def show_time_to_kickoff(asked: Asked, question: Annotated[parameters.TimeToKickoff, Query()]) -> Response:
    """Changes, margins and moves of the odds in buckets of time before kick-off, of the events that kick off in a
    window or of those named."""
    found = time_to_kickoff(asked.source, **question.choice, by=question.by, now=asked.now())
    return answer(rows=found.rows, unimported_days=found.unimported)


@router.get(
    "/opening-closing",
    summary="Opening against closing prices",
    **AnswerShape("Each outcome's first and last price.").rows(OPENING_CLOSING).unimported_days().documented(404),
)
def show_opening_closing(asked: Asked, question: Annotated[parameters.TowardsKickoff, Query()]) -> Response:
    """Each outcome's first price against its last one before kick-off as it was known then."""
    found = opening_closing(asked.source, **question.choice, now=asked.now())
    return answer(rows=found.rows, unimported_days=found.unimported)


def _choice(event_id: int, question: parameters.Market) -> MarketChoice:
    return MarketChoice(event_id, market_id_of(question.market), question.chosen_line, question.bookmakers)
