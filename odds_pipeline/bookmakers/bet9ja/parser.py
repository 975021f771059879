"""Reading Bet9ja's answer to "one event, all markets".

Protocol facts: success is ``R`` = ``OK`` (``D`` in older answers), not found ``E``; ``O`` is a flat object of
``prefix_market[@param]_outcome`` to a decimal string, where ``"1"`` (and ``"-"``) means not offered; ``MK`` describes every
market by name, group and outcome labels; keys of a match in play start with ``LIVES_``; a bare ``STARTDATE`` is UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from odds_pipeline.bookmakers import ledger
from odds_pipeline.bookmakers.answer import content_hash, decode_event, listing_of_answer, require_same_event
from odds_pipeline.bookmakers.base import NotFound, ParseFailure
from odds_pipeline.bookmakers.ledger import AnswerLedger, MarketEntry
from odds_pipeline.bookmakers.offer import as_object, as_text, digits_or_none, split_teams
from odds_pipeline.bookmakers.prices import read_price
from odds_pipeline.markets.mapper import Mapper, Place, Target, UnidentifiedMarket
from odds_pipeline.odds.observation import Listing, ParsedAnswer

_BOOKMAKER = "bet9ja"
_SUCCESS = frozenset({"OK", "D"})
_NOT_FOUND = "E"
_IN_PLAY = "LIVES_"
_PLACEHOLDERS = frozenset({"1", "-"})

# Reason for not offering
PLACEHOLDER = "bet9ja_placeholder"


def parse_event(body: bytes, mapper: Mapper, listing: Listing | None = None) -> ParsedAnswer:
    """One event answer as observations and their accounting. Raises ``ScrapeFailure`` for no answer about an event."""
    event = _event(decode_event(body, _BOOKMAKER))
    event_id = as_text(event.get("ID"))
    require_same_event(listing, event_id)
    if not event_id:
        raise ParseFailure("bet9ja event: ID is missing")
    found = _listing(event, event_id, listing)
    prices = as_object(event.get("O"))
    books = AnswerLedger()
    books.found(len(prices))
    if any(key.startswith(_IN_PLAY) for key in prices):
        return books.started(found, content_hash(body))
    _read_prices(prices, _Descriptions(event), mapper, books)
    return books.close(found, content_hash(body))


def _event(document: dict[str, Any]) -> dict[str, Any]:
    result, event = document.get("R"), document.get("D")
    if result == _NOT_FOUND:
        raise NotFound("bet9ja event: R is 'E'")
    if result not in _SUCCESS:
        raise ParseFailure(f"bet9ja event: R is {result!r}")
    if not isinstance(event, dict):
        raise ParseFailure("bet9ja event: D is no object")
    return event


def _listing(event: dict[str, Any], event_id: str, known: Listing | None) -> Listing:
    return listing_of_answer(
        _BOOKMAKER,
        event_id,
        known,
        sportradar_id=digits_or_none(event.get("EXTID")),
        country=as_text(event.get("SG")),
        tournament=as_text(event.get("GN")),
        teams=split_teams(as_text(event.get("DS"))),
        kickoff=_kickoff(as_text(event.get("STARTDATE"))),
    )


def _kickoff(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise ParseFailure(f"STARTDATE {text!r} is not YYYY-MM-DD HH:MM:SS") from error


class _Descriptions:
    """What ``MK``, or else ``TRANS``, says about the markets of one answer."""

    def __init__(self, event: dict[str, Any]) -> None:
        self._markets = {as_text(market.get("ID")): market for market in _members(event.get("MK"))}
        self._translations = as_object(event.get("TRANS"))

    def name(self, market_id: str) -> str:
        market = self._markets.get(market_id, {})
        translated = as_object(self._translations.get(f"M#{market_id}"))
        names = (market.get("DS"), market.get("NAME"), translated.get("NAME"))
        return next(filter(None, map(as_text, names)), market_id)

    def groups(self, market_id: str) -> list[str]:
        group = as_text(self._markets.get(market_id, {}).get("GCAT"))
        return [f"{_BOOKMAKER}:{group}"] if group else []

    def outcome(self, market_id: str, suffix: str) -> str:
        market = self._markets.get(market_id, {})
        suffixes, labels = market.get("SGNK"), market.get("SGN")
        label = ""
        if isinstance(suffixes, list) and isinstance(labels, list) and suffix in suffixes:
            position = suffixes.index(suffix)
            label = as_text(labels[position]) if position < len(labels) else ""
        return label or as_text(self._translations.get(f"M#{market_id}_{suffix}")) or suffix


def _members(collection: object) -> Iterator[dict[str, Any]]:
    """The members of a collection, which comes as a list or as an object keyed by id."""
    members = collection.values() if isinstance(collection, dict) else collection
    return (member for member in (members if isinstance(collection, (dict, list)) else ()) if isinstance(member, dict))


class _Market:
    """One ``market[@param]`` of an answer: its place, and an entry for each target as it is needed."""

    __slots__ = ("_books", "_descriptions", "_entries", "market_id", "param", "place")

    def __init__(
        self, market_id: str, param: str | None, place: Place, descriptions: _Descriptions, books: AnswerLedger
    ) -> None:
        self.market_id, self.param, self.place = market_id, param, place
        self._descriptions, self._books = descriptions, books
        self._entries: dict[str, MarketEntry] = {}

    def entry(self, target: Target) -> MarketEntry:
        entry = self._entries.get(target.market_id)
        if entry is None:
            name = target.name or self._descriptions.name(self.market_id)
            groups = self._descriptions.groups(self.market_id) if target.groups is None else target.groups
            entry = self._books.market(target, self.market_id, self.param, name, groups)
            self._entries[target.market_id] = entry
        return entry


def _read_prices(prices: dict[str, Any], descriptions: _Descriptions, mapper: Mapper, books: AnswerLedger) -> None:
    markets: dict[str, _Market | None] = {}
    for key, raw in prices.items():
        prefix, _, rest = key.partition("_")
        market_and_param, separator, suffix = rest.partition("_")
        if not (prefix and market_and_param and suffix):
            books.unidentified(1)
            continue
        full = f"{prefix}_{market_and_param}"
        if full in markets:
            market = markets[full]
        else:
            market = markets[full] = _market(full, descriptions, mapper, books)
        if market is None:
            books.unidentified(1)
            continue
        if raw.__class__ is str and raw in _PLACEHOLDERS:
            books.not_offered(PLACEHOLDER)
            continue
        mapped = market.place.outcomes.get(suffix)
        if mapped is None:
            target, outcome_key = market.place.target, market.place.own_key(suffix)
            name = descriptions.outcome(market.market_id, suffix)
        else:
            target, outcome_key, name = mapped
        odds = read_price(raw)
        if isinstance(odds, str):
            market.entry(target).refuse(odds)
        else:
            market.entry(target).offer(outcome_key, name, odds, True)


def _market(full: str, descriptions: _Descriptions, mapper: Mapper, books: AnswerLedger) -> _Market | None:
    market_id, at, param = full.partition("@")
    if at and not param:
        return None
    try:
        place = mapper.place(_BOOKMAKER, market_id, param or None)
    except UnidentifiedMarket:
        return None
    return _Market(market_id, param or None, place, descriptions, books)
