"""Reading Bet9ja's answer to "one event, all markets".

Protocol facts: success is ``R`` = ``OK`` (``D`` in older answers), not found ``E``; ``O`` is a flat object of
``prefix_market[@param]_outcome`` to a decimal string, where ``"1"`` (and ``"-"``) means not offered; ``MK`` describes
every market by name, group and outcome labels; keys of a match in play start with ``LIVES_``; a bare ``STARTDATE`` is
UTC. A match in play also has another sport id. ``TRANS``, more than half of the answer, repeats ``MK`` and is not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from odds_pipeline.bookmakers.answer import content_hash, decode_as, listing_of_answer, require_same_event
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
_IN_PLAY_SPORT = "3000001"
_PLACEHOLDERS = frozenset({"1", "-"})

# Reason for not offering
PLACEHOLDER = "bet9ja_placeholder"


def parse_event(body: bytes, mapper: Mapper, listing: Listing | None = None) -> ParsedAnswer:
    """One event answer as observations and their accounting. Raises ``ScrapeFailure`` for no answer about an event."""
    event = _event(body)
    event_id = as_text(event.id)
    require_same_event(listing, event_id)
    if not event_id:
        raise ParseFailure("bet9ja event: ID is missing")
    found = _listing(event, event_id, listing)
    prices = _prices(event.o)
    books = AnswerLedger()
    books.found(len(prices))
    if as_text(event.sid) == _IN_PLAY_SPORT or any(key.startswith(_IN_PLAY) for key, _ in prices):
        return books.started(found, content_hash(body))
    descriptions = {as_text(market.get("ID")): market for market in _members(event.mk)}
    _read_prices(prices, descriptions, mapper, books)
    return books.close(found, content_hash(body))


class _Event(msgspec.Struct, rename="upper"):
    """The fields of ``D`` that are read; to skip the others saves a third of the decoding."""

    id: Any = None
    extid: Any = None
    ds: Any = None
    startdate: Any = None
    sg: Any = None
    gn: Any = None
    sid: Any = None
    o: msgspec.Raw = msgspec.Raw(b"null")
    mk: Any = None


class _Envelope(msgspec.Struct, rename="upper"):
    r: Any = None
    d: msgspec.Raw = msgspec.Raw(b"null")


def _event(body: bytes) -> _Event:
    envelope = decode_as(_Envelope, body, _BOOKMAKER)
    if envelope.r == _NOT_FOUND:
        raise NotFound("bet9ja event: R is 'E'")
    if not isinstance(envelope.r, str) or envelope.r not in _SUCCESS:
        raise ParseFailure(f"bet9ja event: R is {envelope.r!r}")
    return decode_as(_Event, envelope.d, _BOOKMAKER)


def _listing(event: _Event, event_id: str, known: Listing | None) -> Listing:
    return listing_of_answer(
        _BOOKMAKER,
        event_id,
        known,
        sportradar_id=digits_or_none(event.extid),
        country=as_text(event.sg),
        tournament=as_text(event.gn),
        teams=split_teams(as_text(event.ds)),
        kickoff=_kickoff(as_text(event.startdate)),
    )


def _kickoff(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise ParseFailure(f"STARTDATE {text!r} is not YYYY-MM-DD HH:MM:SS") from error


def _prices(raw: msgspec.Raw) -> list[tuple[str, Any]]:
    """The pairs of ``O``; a key that stands twice gives both, where decoding to an object keeps the last in silence.

    Raises as ``decode_as`` does: only now is looked at what stands in ``O``.
    """
    prices = as_object(decode_as(object, raw, _BOOKMAKER))
    if bytes(raw).count(b'":') == len(prices):
        return list(prices.items())
    pairs = json.loads(bytes(raw), object_pairs_hook=tuple)
    return list(pairs) if isinstance(pairs, tuple) else []


def _members(collection: Any) -> Iterator[dict[str, Any]]:
    """The members of a collection, which comes as a list or as an object keyed by id."""
    if isinstance(collection, dict):
        collection = collection.values()
    elif not isinstance(collection, list):
        return
    for member in collection:
        if isinstance(member, dict):
            yield member


class _Market:
    """One ``market[@param]`` of an answer: where it belongs, what ``MK`` says about it, an entry per target."""

    __slots__ = ("_books", "_description", "_entries", "id", "labels", "param", "place")

    def __init__(
        self, market_id: str, param: str | None, place: Place, description: dict[str, Any], books: AnswerLedger
    ) -> None:
        self.id, self.param, self.place = market_id, param, place
        self.labels = _labels(description)
        self._description, self._books = description, books
        self._entries: dict[str, MarketEntry] = {}

    def entry(self, target: Target) -> MarketEntry:
        """The entry of one target, made when the first of its outcomes is offered or refused."""
        entry = self._entries.get(target.market_id)
        if entry is None:
            described = self._description
            name = target.name or as_text(described.get("DS")) or as_text(described.get("NAME")) or self.id
            groups = target.groups
            if groups is None:
                group = as_text(described.get("GCAT"))
                groups = [f"{_BOOKMAKER}:{group}"] if group else []
            entry = self._entries[target.market_id] = self._books.market(target, self.id, self.param, name, groups)
        return entry


def _labels(description: dict[str, Any]) -> dict[str, str]:
    """Outcome suffix -> label: ``SGNK`` and ``SGN`` stand side by side."""
    suffixes, labels = description.get("SGNK"), description.get("SGN")
    if not isinstance(suffixes, list) or not isinstance(labels, list) or len(suffixes) != len(labels):
        return {}
    return {as_text(suffix): as_text(label) for suffix, label in zip(suffixes, labels, strict=True)}


def _read_prices(
    prices: Iterable[tuple[str, Any]],
    descriptions: dict[str, dict[str, Any]],
    mapper: Mapper,
    books: AnswerLedger,
) -> None:
    markets: dict[str, _Market | None] = {}
    for key, raw in prices:
        cut = key.find("_", key.find("_") + 1)
        head, suffix = key[:cut], key[cut + 1 :]
        if cut < 0 or not suffix:
            books.unidentified(1)
            continue
        try:
            market = markets[head]
        except KeyError:
            market = markets[head] = _market(head, descriptions, mapper, books)
        if market is None:
            books.unidentified(1)
            continue
        if raw.__class__ is str and raw in _PLACEHOLDERS:
            books.not_offered(PLACEHOLDER)
            continue
        place = market.place
        mapped = place.outcomes.get(suffix)
        if mapped is None:
            target, outcome_key = place.target, place.own_key(suffix)
            name = market.labels.get(suffix) or suffix
        else:
            target, outcome_key, name = mapped
        odds = read_price(raw)
        if isinstance(odds, str):
            market.entry(target).refuse(odds)
        else:
            market.entry(target).offer(outcome_key, name, odds, True)


def _market(head: str, descriptions: dict[str, dict[str, Any]], mapper: Mapper, books: AnswerLedger) -> _Market | None:
    """The market of ``prefix_market[@param]``, None if that cannot be read."""
    market_id, at, param = head.partition("@")
    prefix, _, market = market_id.partition("_")
    if not prefix or not market or (at and not param):
        return None
    try:
        place = mapper.place(_BOOKMAKER, market_id, param or None)
    except UnidentifiedMarket:
        return None
    return _Market(market_id, param or None, place, descriptions.get(market_id, {}), books)
