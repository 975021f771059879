"""Reading betPawa's answer to "one event, all markets", API v4 and the older v3.

Protocol facts: a price is ``odds`` (v4) or ``price`` (v3); v4 omits every false, null, empty and 0; a market's outcomes
are laid out over several rows for display, to be merged by (market type, handicap); ``row.handicap`` is four times the
line, from the home side's view; ``suspended`` alone decides whether an outcome can be bet on, never its price.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

from odds_pipeline.bookmakers import ledger
from odds_pipeline.bookmakers.answer import (
    content_hash,
    decode_event,
    listing_of_answer,
    require_same_event,
    time_from_text,
)
from odds_pipeline.bookmakers.base import ParseFailure
from odds_pipeline.bookmakers.ledger import AnswerLedger, MarketEntry
from odds_pipeline.bookmakers.offer import as_object, as_text, digits_or_none, split_teams
from odds_pipeline.bookmakers.prices import read_price
from odds_pipeline.markets.mapper import Mapper, Target, canonical_target
from odds_pipeline.markets.specifier import SpecifierError, format_line, read_line
from odds_pipeline.odds.observation import Listing, ParsedAnswer

_BOOKMAKER = "betpawa"
_ALL_MARKETS = "all"
_HANDICAP_TYPES = {
    "NORMAL": ("over_under", "total"),
    "ASIAN": ("asian", "hcp"),
    "EUROPEAN": ("european", "hcp"),
    "NUMBER_SPECIFIER": ("number", "number"),
}


def parse_event(body: bytes, mapper: Mapper, listing: Listing | None = None) -> ParsedAnswer:
    """One event answer as observations and their accounting. Raises ``ScrapeFailure`` for no answer about an event."""
    event = decode_event(body, _BOOKMAKER)
    event_id = as_text(event.get("id"))
    if not event_id:
        raise ParseFailure("betpawa event: id is missing")
    require_same_event(listing, event_id)
    found = _listing(event, event_id, listing)
    markets = event.get("markets")
    markets = markets if isinstance(markets, list) else []
    books = AnswerLedger()
    if as_object(event.get("additionalInfo")).get("live") is True or event.get("results"):
        books.found(sum(len(_prices(row) or ()) for market in markets for row in _rows(market) or ()))
        return books.started(found, content_hash(body))
    for market in markets:
        _read_market(market, mapper, books)
    return books.close(found, content_hash(body))


def _listing(event: dict[str, Any], event_id: str, known: Listing | None) -> Listing:
    sportradar_ids = (
        digits_or_none(widget.get("id"))
        for widget in _objects(event.get("widgets"))
        if widget.get("type") == "SPORTRADAR"
    )
    return listing_of_answer(
        _BOOKMAKER,
        event_id,
        known,
        sportradar_id=next(filter(None, sportradar_ids), None),
        country=as_text(as_object(event.get("region")).get("name")),
        tournament=as_text(as_object(event.get("competition")).get("name")),
        teams=teams_of(event),
        kickoff=time_from_text(event.get("startTime"), "startTime"),
    )


def teams_of(event: dict[str, Any]) -> tuple[str, str]:
    """Home and away by ``position``: the order of the participants is not the authority."""
    teams: dict[int, str] = {}
    for team in _objects(event.get("participants")):
        position = team.get("position")
        if isinstance(position, int):
            teams[position] = as_text(team.get("name"))
    if teams.get(1) and teams.get(2):
        return teams[1], teams[2]
    return split_teams(as_text(event.get("name")))


def _objects(collection: Any) -> list[dict[str, Any]]:
    return [member for member in collection if isinstance(member, dict)] if isinstance(collection, list) else []


def _rows(market: Any) -> list[Any] | None:
    rows = market.get("row") if isinstance(market, dict) else None
    return rows if isinstance(rows, list) else None


def _prices(row: Any) -> list[Any] | None:
    prices = row.get("prices") if isinstance(row, dict) else None
    return prices if isinstance(prices, list) else None


def _read_market(market: Any, mapper: Mapper, books: AnswerLedger) -> None:
    rows = _rows(market)
    kind = as_object(market.get("marketType")) if isinstance(market, dict) else {}
    market_id = as_text(kind.get("id"))
    handicap_type = as_text(kind.get("handicapType"))
    if not market_id or not rows:
        count = sum(len(_prices(row) or ()) for row in rows or ())
        books.found(count)
        books.unidentified(count)
        return
    name = as_text(kind.get("name")) or mapper.name(market_id) or market_id
    tabs = kind.get("tabs")
    if isinstance(tabs, list):
        groups = sorted(tab for tab in map(as_text, tabs) if tab and tab != _ALL_MARKETS)
    else:
        groups = mapper.groups(market_id)
    has_line = handicap_type in _HANDICAP_TYPES or mapper.handicap_type(market_id) is not None
    for row in rows:
        prices = _prices(row)
        count = len(prices) if prices else 0
        books.found(count)
        try:
            target, specifier = _target(market_id, handicap_type, _handicap(row, handicap_type, has_line))
        except SpecifierError:
            books.unidentified(count)
            continue
        entry = books.market(target, market_id, specifier, name, groups)
        if prices is None:
            entry.refuse_wholly(ledger.OUTCOMES_MISSING)
        else:
            _read_prices(prices, entry)


def _handicap(row: Any, handicap_type: str, has_line: bool) -> str | None:
    """``row.handicap`` as text, None if the market has no line. Raises ``SpecifierError`` if it should have one."""
    if not isinstance(row, dict):
        raise SpecifierError("a row is no object")
    handicap = row.get("handicap")
    if handicap is not None:
        return repr(handicap) if isinstance(handicap, float) else str(handicap)
    if not has_line:
        return None
    # v4 omits a handicap of 0, which the prices then still say; any other missing handicap is a fault.
    said = [as_text(price.get("handicap")) for price in _objects(row.get("prices"))]
    if handicap_type in ("ASIAN", "EUROPEAN") and "handicap" not in row and all(_says_zero(text) for text in said):
        return "0"
    raise SpecifierError(f"a {handicap_type} row has no handicap")


def _says_zero(handicap: str) -> bool:
    """Whether a price's handicap (``"-0.5"``, ``"Home -1"``) is 0 or not said."""
    return not handicap or handicap.split()[-1].lstrip("+-").strip("0.") == ""


@lru_cache(maxsize=16_384)
def _target(market_id: str, handicap_type: str, handicap: str | None) -> tuple[Target, str | None]:
    """The target of a row and the text of its line. Raises ``SpecifierError`` for a handicap that is no number."""
    if handicap is None:
        return canonical_target(market_id, None, None), None
    kind, key = _HANDICAP_TYPES.get(handicap_type, (None, "handicap"))
    target = canonical_target(market_id, read_line(handicap) / Decimal(4), kind)
    assert target.line is not None
    return target, f"{key}={format_line(target.line)}"


def _read_prices(prices: list[Any], entry: MarketEntry) -> None:
    for price in prices:
        if not isinstance(price, dict):
            entry.refuse(ledger.OUTCOME_UNREADABLE)
            continue
        key = price.get("typeId")
        if not isinstance(key, str) or not key:
            entry.refuse(ledger.OUTCOME_WITHOUT_ID)
            continue
        name = price.get("name")
        if not isinstance(name, str) or not name:
            name = key
        suspended = price.get("suspended")
        if suspended is True:
            entry.offer(key, name, None, False)
        elif suspended is None or suspended is False:
            odds = read_price(price["odds"] if "odds" in price else price.get("price"))
            if isinstance(odds, str):
                entry.refuse(odds)
            else:
                entry.offer(key, name, odds, True)
        else:
            entry.refuse(ledger.ACTIVITY_UNREADABLE)
