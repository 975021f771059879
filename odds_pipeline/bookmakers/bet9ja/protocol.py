"""Bet9ja's PalimpsestAjax API: what to ask, and how its tree and its lists are read.

Protocol facts: success is ``R`` = ``OK`` (older notes: ``D``); 403 and empty bodies mean that it was asked too fast; a
``referer`` is needed; some collections are an object in one answer and a list in another; tournament ids can be
reassigned, so the tree is read on every cycle (B-32). How one event is read is in ``parser.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from odds_pipeline.bookmakers.answer import FOOTBALL
from odds_pipeline.bookmakers.base import (
    Answer,
    Discovery,
    EmptyAnswer,
    NotFound,
    ParseFailure,
    ScrapeFailure,
)
from odds_pipeline.bookmakers.bet9ja.parser import parse_event
from odds_pipeline.bookmakers.http import BookmakerHttp
from odds_pipeline.bookmakers.offer import (
    Entries,
    Offer,
    as_object,
    as_text,
    decode_object,
    digits_or_none,
    split_teams,
)
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import Listing, ParsedAnswer

_PATH = "/desktop/feapi/PalimpsestAjax/"
_FOOTBALL = "1"
_MOST_TOURNAMENTS = 3_000


class Bet9ja:
    """Bet9ja Nigeria."""

    slug: ClassVar[str] = "bet9ja"
    name: ClassVar[str] = "Bet9ja"
    base_url: ClassVar[str] = "https://sports.bet9ja.com"
    forbidden_is_rate_limit: ClassVar[bool] = True

    def __init__(self, *, cache_version: str, user_agent: str) -> None:
        self._cache_version = cache_version
        self._headers = {
            "accept": "application/json, text/plain, */*",
            "accept-language": "en-GB,en;q=0.9",
            "referer": "https://sports.bet9ja.com/",
            "user-agent": user_agent,
        }

    @property
    def headers(self) -> Mapping[str, str]:
        """Sent with every request; without the referer some clients get an empty body or 403."""
        return self._headers

    async def discover(self, http: BookmakerHttp) -> Discovery:
        """Read the tree, then every tournament in it. Raises ``ScrapeFailure`` when the tree cannot be read."""
        offer = Offer(self.slug)
        answer = await http.get(f"{_PATH}GetSports", self._parameters(DISP="0"), discovery=True)
        offer.arrived(answer.captured_at)
        tournaments = list(_tournaments(_content(answer, "GetSports")))
        if len(tournaments) > _MOST_TOURNAMENTS:
            offer.fail(ParseFailure(f"{len(tournaments)} tournaments; only {_MOST_TOURNAMENTS} are asked for"))

        async def read(tournament: _Tournament) -> None:
            try:
                await self._tournament(http, tournament, offer)
            except ScrapeFailure as failure:
                offer.fail(failure)

        await asyncio.gather(*(read(tournament) for tournament in tournaments[:_MOST_TOURNAMENTS]))
        return offer.discovery()

    async def fetch_event(self, http: BookmakerHttp, listing: Listing) -> Answer:
        """One event with all its markets (B-34: asked by ``ID``, not ``EXTID``). Raises ``ScrapeFailure``."""
        return await http.get(f"{_PATH}GetEvent", self._parameters(EVENTID=listing.external_event_id))

    def parse_event(self, body: bytes, mapper: Mapper, listing: Listing | None = None) -> ParsedAnswer:
        """See ``parser.parse_event``."""
        return parse_event(body, mapper, listing)

    def _parameters(self, **parameters: str) -> dict[str, str]:
        return parameters | {"v_cache_version": self._cache_version}

    async def _tournament(self, http: BookmakerHttp, tournament: _Tournament, offer: Offer) -> None:
        group_id, country, name, promised = tournament
        where = f"tournament {group_id} ({country}, {name})"
        answer = await http.get(
            f"{_PATH}GetEventsInGroupV2",
            self._parameters(GROUPID=group_id, DISP="0", GROUPMARKETID="1"),
            discovery=True,
        )
        content = _content(answer, where)
        if "E" not in content and promised:
            raise ParseFailure(f"{where}: no list of events")
        events = list(_members(content.get("E")))
        if promised and not events:
            raise EmptyAnswer(f"{where}: no event where {promised} were promised")
        entries = Entries(where)
        for _, event in events:
            listing = read_listing(event, country, name, entries)
            if listing is not None and as_text(event.get("SID", _FOOTBALL)) == _FOOTBALL:
                offer.add(listing)
        entries.report(offer)


_Tournament = tuple[str, str, str, int]
"""Group id, country, name, number of events promised (0: not said)."""


def _content(answer: Answer, where: str) -> dict[str, Any]:
    """``D`` of a successful envelope (B-38). Raises ``NotFound`` for ``R`` = ``E``, ``ParseFailure`` for any other."""
    document = decode_object(answer, where)
    result, content = document.get("R"), document.get("D")
    if result == "E":
        raise NotFound(f"{where}: R is 'E'")
    if result not in ("OK", "D"):
        raise ParseFailure(f"{where}: R is {result!r}")
    if not isinstance(content, dict):
        raise ParseFailure(f"{where}: D is no object")
    return content


def _tournaments(tree: dict[str, Any]) -> Iterator[_Tournament]:
    """Every football tournament of the tree. Raises ``ParseFailure`` when football or its tournaments are missing."""
    if "PAL" not in tree:
        raise ParseFailure("GetSports: no sports (PAL)")
    football = dict(_members(tree["PAL"])).get(_FOOTBALL)
    if football is None:
        raise EmptyAnswer("GetSports: no football (PAL['1'])")
    if "SG" not in football:
        raise ParseFailure("GetSports: football has no countries (SG)")
    for _, country in _members(football["SG"]):
        if "G" not in country:
            raise ParseFailure(f"GetSports: {country.get('SG_DESC')!r} has no tournaments (G)")
        for group_id, tournament in _members(country["G"]):
            promised = as_text(tournament.get("NUM"))
            yield (
                group_id,
                as_text(country.get("SG_DESC")),
                as_text(tournament.get("G_DESC")),
                int(promised) if promised.isdecimal() else 0,
            )


def _members(collection: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, member) of a collection that is an object keyed by id, or a list whose members carry their id."""
    if isinstance(collection, dict):
        for key, member in collection.items():
            yield key, as_object(member)
    elif isinstance(collection, list):
        for member in map(as_object, collection):
            ids = (as_text(member.get(field)) for field in ("ID", "GID", "SGID", "SID"))
            yield next(filter(None, ids), ""), member


def read_listing(event: dict[str, Any], country: str, tournament: str, entries: Entries) -> Listing | None:
    """The listing in one entry (B-31, B-34); None without an id, other gaps go to ``entries``.

    ``country`` and ``tournament`` are the tree's names, used where the entry has none of its own.
    """
    event_id = as_text(event.get("ID"))
    if not event_id:
        entries.lacks("ID")
        return None
    home, away = split_teams(as_text(event.get("DS")))
    if not home:
        entries.lacks("DS")
    try:
        # B-37: a bare STARTDATE is UTC.
        kickoff = datetime.strptime(as_text(event.get("STARTDATE")), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        entries.lacks("STARTDATE")
        kickoff = None
    return Listing(
        bookmaker=Bet9ja.slug,
        external_event_id=event_id,
        sportradar_id=digits_or_none(event.get("EXTID")),
        sport=FOOTBALL,
        country=as_text(event.get("SG")) or country,
        tournament=as_text(event.get("GN")) or tournament,
        home_team=home,
        away_team=away,
        kickoff=kickoff,
    )
