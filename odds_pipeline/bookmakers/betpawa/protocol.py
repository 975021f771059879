"""betPawa's API v4: what to ask, and how its event list is read.

Protocol facts: v4 speaks protobuf unless JSON is asked for; ``take`` is capped at 100; pages can overlap; ``widgets``
may be missing in lists, so that the SportRadar id is learnt from the event answer. How one event is read is in
``parser.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from odds_pipeline.bookmakers.answer import FOOTBALL
from odds_pipeline.bookmakers.base import Answer, Discovery, EmptyAnswer, ParseFailure, ScrapeFailure
from odds_pipeline.bookmakers.betpawa.parser import parse_event, teams_of
from odds_pipeline.bookmakers.http import BookmakerHttp
from odds_pipeline.bookmakers.offer import (
    Entries,
    Offer,
    as_object,
    as_text,
    decode_object,
    digits_or_none,
)
from odds_pipeline.clock import require_utc
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import Listing, ParsedAnswer

_FOOTBALL = "2"
_TAKE = 100
#: Matches that kick off while the list is paged leave its front and move the rest up; pages overlap by this much.
_OVERLAP = 10
_MOST_PAGES = 100
_MOST_FAILING_PAGES = 3


class BetPawa:
    """betPawa Nigeria, or the country whose brand header and URL are set."""

    slug: ClassVar[str] = "betpawa"
    name: ClassVar[str] = "betPawa"
    base_url: ClassVar[str] = "https://www.betpawa.ng"
    forbidden_is_rate_limit: ClassVar[bool] = False

    def __init__(self, *, brand: str, user_agent: str) -> None:
        self._headers = {
            "x-pawa-brand": brand,
            "accept": "application/json",
            "devicetype": "web",
            "x-pawa-language": "en",
            "user-agent": user_agent,
            "accept-language": "en-GB,en;q=0.9",
        }

    @property
    def headers(self) -> Mapping[str, str]:
        """Sent with every request; the API needs the brand and the ``accept``."""
        return self._headers

    async def discover(self, http: BookmakerHttp) -> Discovery:
        """Page through all upcoming football. Raises ``ScrapeFailure`` when the first page cannot be read."""
        offer = Offer(self.slug)
        first_page = await self._page(http, 0, offer)
        page: list[str] | None = first_page
        pages, failing = 1, 0
        while page is None or len(page) >= _TAKE:
            if pages == _MOST_PAGES:
                offer.fail(ParseFailure(f"the list is not at its end after {_MOST_PAGES} pages"))
                break
            before = page
            try:
                page = await self._page(http, pages * (_TAKE - _OVERLAP), offer)
            except ScrapeFailure as failure:
                offer.fail(failure)
                page, failing = None, failing + 1
                if failing == _MOST_FAILING_PAGES:
                    break
            pages += 1
            if page == [] and before:
                offer.fail(EmptyAnswer(f"page {pages} is empty where it overlaps the one before it"))
            if page is not None and page == before:
                offer.fail(ParseFailure(f"page {pages} repeats the one before it"))
                break
        if pages > 1:
            await self._require_unmoved(http, first_page, offer)
        return offer.discovery()

    async def fetch_event(self, http: BookmakerHttp, listing: Listing) -> Answer:
        """One event with all its markets. Raises ``ScrapeFailure``."""
        event_id = quote(listing.external_event_id, safe="")
        return await http.get(f"/api/sportsbook/v4/events/{event_id}")

    def parse_event(self, body: bytes, mapper: Mapper, listing: Listing | None = None) -> ParsedAnswer:
        """See ``parser.parse_event``."""
        return parse_event(body, mapper, listing)

    async def _page(self, http: BookmakerHttp, skip: int, offer: Offer) -> list[str]:
        """Add one page to ``offer`` and return its event ids."""
        query = {
            "query": {
                "eventType": "UPCOMING",
                "categories": [_FOOTBALL],
                "zones": {},
                "hasOdds": True,
            },
            "view": {},
            "sort": {"startTime": "ASC"},
            "skip": skip,
            "take": _TAKE,
        }
        where = f"event list from {skip}"
        answer = await http.get(
            "/api/sportsbook/v4/events/lists/by-queries",
            {"q": msgspec.json.encode({"queries": [query]}).decode()},
            discovery=True,
        )
        offer.arrived(answer.captured_at)
        document = decode_object(answer, where)
        responses = document.get("responses")
        if not isinstance(responses, list) or not responses or not isinstance(responses[0], dict):
            raise ParseFailure(f"{where}: no responses[0]")
        # v4 omits what is empty: a page beyond the end may come without its list.
        events = responses[0].get("responses", [])
        if not isinstance(events, list):
            raise ParseFailure(f"{where}: responses[0].responses is no list")
        entries, ids = Entries(where), []
        for event in events:
            listing = read_listing(as_object(event), entries)
            ids.append("" if listing is None else listing.external_event_id)
            if listing is not None and as_object(event.get("category")).get("id", _FOOTBALL) == _FOOTBALL:
                offer.add(listing)
        entries.report(offer)
        return ids

    async def _require_unmoved(self, http: BookmakerHttp, first_page: list[str], offer: Offer) -> None:
        """Ask for the front of the list again: had more matches left it than pages overlap, some were passed over."""
        try:
            now_first = (await self._page(http, 0, offer))[:1]
        except ScrapeFailure as failure:
            offer.fail(failure)
            return
        if not now_first or now_first[0] not in first_page[: _OVERLAP + 1]:
            offer.fail(ParseFailure(f"the list moved by more than {_OVERLAP} events while it was paged"))


def read_listing(event: dict[str, Any], entries: Entries) -> Listing | None:
    """The listing in one entry of the event list (B-31, B-34); None without an id, other gaps go to ``entries``."""
    event_id = as_text(event.get("id"))
    if not event_id:
        entries.lacks("id")
        return None
    home, away = teams_of(event)
    if not home or not away:
        entries.lacks("participants")
    try:
        kickoff = require_utc(datetime.fromisoformat(as_text(event.get("startTime"))))
    except ValueError:
        entries.lacks("startTime")
        kickoff = None
    names = {field: as_text(as_object(event.get(field)).get("name")) for field in ("region", "competition")}
    for field, name in names.items():
        if not name:
            entries.lacks(field)
    widgets = event.get("widgets")
    sportradar_ids = [
        digits_or_none(widget.get("id"))
        for widget in (widgets if isinstance(widgets, list) else [])
        if isinstance(widget, dict) and widget.get("type") == "SPORTRADAR"
    ]
    return Listing(
        bookmaker=BetPawa.slug,
        external_event_id=event_id,
        sportradar_id=next(filter(None, sportradar_ids), None),
        sport=FOOTBALL,
        country=names["region"],
        tournament=names["competition"],
        home_team=home,
        away_team=away,
        kickoff=kickoff,
    )
