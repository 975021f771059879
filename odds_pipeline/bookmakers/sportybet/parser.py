"""Reading SportyBet's answer to "one event, all markets".

Protocol facts: success is ``bizCode`` 10000; event ``status`` 0 is not started; a market with a ``status`` other than
0, or ``banned``, is not offered whatever its outcomes say; ``isActive`` 0 suspends one outcome, whose price then means
nothing; one object per market and specifier; ``name``, ``group``, ``specifier``, ``lastOddsChangeTime`` may be absent.
"""

from __future__ import annotations

from typing import Any

from odds_pipeline.bookmakers import ledger
from odds_pipeline.bookmakers.answer import (
    content_hash,
    decode_event,
    listing_of_answer,
    require_same_event,
    time_from_milliseconds,
)
from odds_pipeline.bookmakers.base import NotFound, ParseFailure
from odds_pipeline.bookmakers.ledger import AnswerLedger, MarketEntry
from odds_pipeline.bookmakers.offer import as_object, as_text, digits_or_none
from odds_pipeline.bookmakers.prices import read_price
from odds_pipeline.markets.mapper import Mapper, Place, UnidentifiedMarket
from odds_pipeline.odds.observation import Listing, ParsedAnswer

_BOOKMAKER = "sportybet"
_SUCCESS = 10000
_INVALID_PARAMETER = 19000
_NOT_STARTED = 0
_OFFERED = 0

# Reasons for not offering
BANNED = "banned"
EVENT_BANNED = "event_banned"
MARKET_STATUS = "market_status"


def parse_event(body: bytes, mapper: Mapper, listing: Listing | None = None) -> ParsedAnswer:
    """One event answer as observations and their accounting. Raises ``ScrapeFailure`` for no answer about an event."""
    event = _event(decode_event(body, _BOOKMAKER))
    event_id = as_text(event.get("eventId"))
    require_same_event(listing, event_id)
    status = event.get("status")
    if not event_id or not isinstance(status, int):
        raise ParseFailure(f"sportybet event {event_id or '?'}: eventId or status is missing")
    found = _listing(event, event_id, listing)
    markets = event.get("markets")
    markets = markets if isinstance(markets, list) else []
    books = AnswerLedger()
    if status != _NOT_STARTED:
        books.found(sum(len(_outcomes(market) or ()) for market in markets))
        return books.started(found, content_hash(body))
    is_banned = event.get("banned") is True
    for market in markets:
        _read_market(market, mapper, books, is_banned)
    return books.close(found, content_hash(body))


def _event(document: dict[str, Any]) -> dict[str, Any]:
    code, event = document.get("bizCode"), document.get("data")
    if code == _INVALID_PARAMETER or not isinstance(code, int):
        raise ParseFailure(f"sportybet event: bizCode {code!r}: {document.get('message')!r}")
    if code != _SUCCESS or event is None:
        raise NotFound(f"sportybet event: bizCode {code}, {'no data' if event is None else document.get('message')!r}")
    if not isinstance(event, dict):
        raise ParseFailure("sportybet event: data is no object")
    return event


def _listing(event: dict[str, Any], event_id: str, known: Listing | None) -> Listing:
    category = as_object(as_object(event.get("sport")).get("category"))
    return listing_of_answer(
        _BOOKMAKER,
        event_id,
        known,
        sportradar_id=digits_or_none(event_id.removeprefix("sr:match:")),
        country=as_text(category.get("name")),
        tournament=as_text(as_object(category.get("tournament")).get("name")),
        teams=(as_text(event.get("homeTeamName")), as_text(event.get("awayTeamName"))),
        kickoff=time_from_milliseconds(event.get("estimateStartTime"), "estimateStartTime"),
    )


def _outcomes(market: Any) -> list[Any] | None:
    outcomes = market.get("outcomes") if isinstance(market, dict) else None
    return outcomes if isinstance(outcomes, list) else None


def _read_market(market: Any, mapper: Mapper, books: AnswerLedger, is_event_banned: bool) -> None:
    outcomes = _outcomes(market)
    count = len(outcomes) if outcomes else 0
    books.found(count)
    if not isinstance(market, dict):
        books.unidentified(count)
        return
    if is_event_banned:
        books.not_offered(EVENT_BANNED, count)
        return
    status = market.get("status")
    if market.get("banned") is True:
        books.not_offered(BANNED, count)
        return
    if isinstance(status, int) and status != _OFFERED:
        books.not_offered(MARKET_STATUS, count)
        return
    specifier = market.get("specifier") or None
    market_id = as_text(market.get("id"))
    if not market_id or not (specifier is None or isinstance(specifier, str)):
        books.unidentified(count)
        return
    try:
        place = mapper.place(_BOOKMAKER, market_id, specifier)
    except UnidentifiedMarket:
        books.unidentified(count)
        return
    if outcomes is not None and not count:
        return
    target = place.target
    groups = target.groups
    if groups is None:
        group = as_text(market.get("group"))
        groups = [f"{_BOOKMAKER}:{group}"] if group else []
    name = target.name or as_text(market.get("name")) or as_text(market.get("desc")) or market_id
    entry = books.market(target, market_id, specifier, name, groups)
    if outcomes is None:
        entry.refuse_wholly(ledger.OUTCOMES_MISSING)
        return
    if not isinstance(status, int):
        entry.refuse_wholly(ledger.STATUS_UNREADABLE)
    _read_outcomes(outcomes, place, entry)


def _read_outcomes(outcomes: list[Any], place: Place, entry: MarketEntry) -> None:
    known = place.outcomes
    for outcome in outcomes:
        try:
            outcome_id = outcome["id"]
            active = outcome["isActive"]
        except (KeyError, TypeError):
            entry.refuse(_unreadable(outcome))
            continue
        if not isinstance(outcome_id, str) or not outcome_id:
            entry.refuse(ledger.OUTCOME_WITHOUT_ID)
            continue
        mapped = known.get(outcome_id)
        if mapped is None:
            key, name = place.own_key(outcome_id), outcome.get("desc") or outcome_id
            if not isinstance(name, str):
                name = outcome_id
        else:
            _, key, name = mapped
        if active == 1:
            odds = read_price(outcome.get("odds"))
            if isinstance(odds, str):
                entry.refuse(odds)
            else:
                entry.offer(key, name, odds, True)
        elif active == 0:
            entry.offer(key, name, None, False)
        else:
            entry.refuse(ledger.ACTIVITY_UNREADABLE)


def _unreadable(outcome: Any) -> str:
    if not isinstance(outcome, dict):
        return ledger.OUTCOME_UNREADABLE
    return ledger.ACTIVITY_UNREADABLE if "id" in outcome else ledger.OUTCOME_WITHOUT_ID
