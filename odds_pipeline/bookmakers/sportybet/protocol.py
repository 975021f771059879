"""SportyBet's factsCenter API: what to ask, and how its event list is read.

Protocol facts: every answer is an envelope whose ``bizCode`` is 10000 when it succeeded; ``pcUpcomingEvents`` pages all
football and says how many events there are; ``_t`` only defeats caches. How one event is read is in ``parser.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from odds_pipeline.bookmakers.answer import FOOTBALL
from odds_pipeline.bookmakers.base import Answer, Discovery, ParseFailure, ScrapeFailure
from odds_pipeline.bookmakers.http import BookmakerHttp
from odds_pipeline.bookmakers.offer import (
    Entries,
    Offer,
    as_object,
    as_text,
    decode_object,
    digits_or_none,
)
from odds_pipeline.bookmakers.sportybet.parser import parse_event
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import Listing, ParsedAnswer

_FOOTBALL = "sr:sport:1"
_SUCCESS = 10000
_PRE_MATCH = "3"
_PAGE_SIZE = 100
_MOST_PAGES = 100
#: An event is listed when it has one of these; the site itself asks for them.
_MAIN_MARKETS = "1,18,10,29,11,26,36,14"
_MATCH_PREFIX = "sr:match:"


class SportyBet:
    """SportyBet Nigeria."""

    slug: ClassVar[str] = "sportybet"
    name: ClassVar[str] = "SportyBet"
    base_url: ClassVar[str] = "https://www.sportybet.com"
    forbidden_is_rate_limit: ClassVar[bool] = False

    def __init__(self, *, user_agent: str) -> None:
        self._headers = {
            "accept": "application/json",
            "clientid": "web",
            "operid": "2",
            "platform": "web",
            "accept-language": "en",
            "referer": "https://www.sportybet.com/ng/",
            "user-agent": user_agent,
        }

    @property
    def headers(self) -> Mapping[str, str]:
        """Sent with every request."""
        return self._headers

    async def discover(self, http: BookmakerHttp) -> Discovery:
        """Read all pages of upcoming football. Raises ``ScrapeFailure`` when the first page cannot be read."""
        offer = Offer(self.slug)
        seen: set[str] = set()
        promised = [await self._page(http, 1, offer, seen)]
        pages = -(-promised[0] // _PAGE_SIZE)
        if pages > _MOST_PAGES:
            offer.fail(ParseFailure(f"{promised[0]} events promised; only {_MOST_PAGES} pages are read"))

        async def read(number: int) -> None:
            try:
                promised.append(await self._page(http, number, offer, seen))
            except ScrapeFailure as failure:
                offer.fail(failure)

        await asyncio.gather(*(read(number) for number in range(2, min(pages, _MOST_PAGES) + 1)))
        # The largest total: an event that left the list while it was paged moved another one past the reader.
        if len(seen) < max(promised) and not offer.failures:
            offer.fail(ParseFailure(f"{len(seen)} different events found where {max(promised)} were promised"))
        return offer.discovery()

    async def fetch_event(self, http: BookmakerHttp, listing: Listing) -> Answer:
        """One event with all its markets. Raises ``ScrapeFailure``."""
        return await http.get(
            "/api/ng/factsCenter/event",
            {"eventId": listing.external_event_id, "productId": _PRE_MATCH, "_t": _milliseconds(http)},
        )

    def parse_event(self, body: bytes, mapper: Mapper, listing: Listing | None = None) -> ParsedAnswer:
        """See ``parser.parse_event``."""
        return parse_event(body, mapper, listing)

    async def _page(self, http: BookmakerHttp, number: int, offer: Offer, seen: set[str]) -> int:
        """Add one page to ``offer`` and its event ids to ``seen``; return the number of events promised in all."""
        where = f"event list page {number}"
        answer = await http.get(
            "/api/ng/factsCenter/pcUpcomingEvents",
            {
                "sportId": _FOOTBALL,
                "marketId": _MAIN_MARKETS,
                "pageSize": str(_PAGE_SIZE),
                "pageNum": str(number),
                "option": "1",
                "_t": _milliseconds(http),
            },
            discovery=True,
        )
        offer.arrived(answer.captured_at)
        document = decode_object(answer, where)
        if document.get("bizCode") != _SUCCESS:
            raise ParseFailure(f"{where}: bizCode {document.get('bizCode')!r}: {document.get('message')!r}")
        data = as_object(document.get("data"))
        tournaments = data.get("tournaments")
        if not isinstance(tournaments, list):
            raise ParseFailure(f"{where}: no list of tournaments")
        entries = Entries(where)
        for tournament in map(as_object, tournaments):
            events = tournament.get("events")
            if not isinstance(events, list):
                entries.lacks("events")
                continue
            for event in map(as_object, events):
                seen.add(as_text(event.get("eventId")))
                if not is_football(event):
                    continue
                listing = read_listing(event, as_text(tournament.get("name")), entries)
                if listing is not None:
                    offer.add(listing)
        entries.report(offer)
        total = data.get("totalNum")
        if not isinstance(total, int):
            offer.fail(ParseFailure(f"{where}: totalNum is {total!r}"))
            return 0
        return total


def is_football(event: dict[str, Any]) -> bool:
    """Whether this is a match of real teams: virtual ones have other team ids and stand under other sports."""
    sport = as_object(event.get("sport")).get("id", _FOOTBALL)
    teams = (event.get("homeTeamId"), event.get("awayTeamId"))
    return sport == _FOOTBALL and all(not team or str(team).startswith("sr:competitor:") for team in teams)


def read_listing(event: dict[str, Any], tournament: str, entries: Entries) -> Listing | None:
    """The listing in one entry (B-31); None without an id, other gaps go to ``entries``.

    ``tournament`` is the name of the group that the entry stands in, used where the entry has none of its own.
    """
    event_id = as_text(event.get("eventId"))
    if not event_id:
        entries.lacks("eventId")
        return None
    milliseconds = event.get("estimateStartTime")
    kickoff = None
    if isinstance(milliseconds, int) and 0 < milliseconds < 10**14:
        kickoff = datetime.fromtimestamp(milliseconds / 1000, UTC)
    else:
        entries.lacks("estimateStartTime")
    category = as_object(as_object(event.get("sport")).get("category"))
    names = {
        "sport.category.name": as_text(category.get("name")),
        "tournament": as_text(as_object(category.get("tournament")).get("name")) or tournament,
        "homeTeamName": as_text(event.get("homeTeamName")),
        "awayTeamName": as_text(event.get("awayTeamName")),
    }
    for field, name in names.items():
        if not name:
            entries.lacks(field)
    return Listing(
        bookmaker=SportyBet.slug,
        external_event_id=event_id,
        sportradar_id=digits_or_none(event_id.removeprefix(_MATCH_PREFIX)),
        sport=FOOTBALL,
        country=names["sport.category.name"],
        tournament=names["tournament"],
        home_team=names["homeTeamName"],
        away_team=names["awayTeamName"],
        kickoff=kickoff,
    )


def _milliseconds(http: BookmakerHttp) -> str:
    return str(int(http.clock.now().timestamp() * 1000))
