"""Discovery of each bookmaker's offer over real HTTP: paging, identity, and what makes it incomplete."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from odds_pipeline.bookmakers.base import (
    ApiChanged,
    Discovery,
    EmptyAnswer,
    Forbidden,
    NetworkFailure,
    NotFound,
    ParseFailure,
    RateLimited,
    ScrapeFailure,
    ServerFailure,
    UnexpectedContent,
)
from odds_pipeline.bookmakers.http import open_http
from odds_pipeline.bookmakers.registry import REGISTRY, bookmaker
from odds_pipeline.clock import ManualClock
from odds_pipeline_tests.bookmakers.loopback import Loopback, Reply, Request, json_reply
from odds_pipeline_tests.bookmakers.sites import (
    KICKOFF,
    SITES,
    Bet9jaSite,
    BetPawaSite,
    Match,
    Site,
    SportyBetSite,
    matches,
    quick_settings,
)

NOW = datetime(2030, 3, 2, 12, 0, tzinfo=UTC)


def discover(site: Site, **limits: Any) -> tuple[Discovery, Loopback]:
    """What the bookmaker of ``site`` finds there, and the server that was asked."""

    async def run() -> tuple[Discovery, Loopback]:
        async with Loopback(site.answer) as server:
            settings = quick_settings({site.slug: server.url}, **limits)
            source = bookmaker(site.slug, settings)
            async with open_http(source, settings, ManualClock(NOW)) as http:
                return await source.discover(http), server

    return asyncio.run(run())


@pytest.mark.parametrize("slug", REGISTRY)
def test_every_page_is_read_to_the_end_and_each_event_found_once(slug: str) -> None:
    """B-35, B-32: paging goes on to the end, and the whole offer is asked for anew each time."""
    site = SITES[slug](matches(257))
    discovery, _ = discover(site)
    assert discovery.is_complete, discovery.failures
    assert discovery.captured_at == NOW
    found = [listing.external_event_id for listing in discovery.listings]
    assert sorted(found) == sorted(site.id_of(match) for match in site.matches)


@pytest.mark.parametrize("slug", REGISTRY)
def test_a_listing_takes_country_tournament_teams_and_kickoff_from_the_right_fields(slug: str) -> None:
    """B-31, B-34, B-36, B-37: the right fields, the platform's own id beside the SportRadar id, aware UTC."""
    match = Match(1, country="England", tournament="Championship")
    (listing,) = discover(SITES[slug]([match]))[0].listings
    assert listing.bookmaker == slug
    assert (listing.country, listing.tournament) == ("England", "Championship")
    assert (listing.home_team, listing.away_team) == ("Rovers 1", "City 1")
    assert listing.kickoff == KICKOFF
    assert listing.kickoff is not None
    assert listing.kickoff.utcoffset() == timedelta(0)
    assert listing.sportradar_id == "90000001"
    assert listing.external_event_id == SITES[slug]([]).id_of(match)


@pytest.mark.parametrize("slug", REGISTRY)
def test_simulated_matches_are_left_out(slug: str) -> None:
    site = SITES[slug]([Match(1), Match(2, is_simulated=True)])
    discovery, _ = discover(site)
    assert [listing.home_team for listing in discovery.listings] == ["Rovers 1"]
    assert discovery.is_complete


@pytest.mark.parametrize("slug", ["betpawa", "bet9ja"])
def test_an_event_without_a_sportradar_id_is_found_all_the_same(slug: str) -> None:
    (listing,) = discover(SITES[slug]([Match(1, has_sportradar_id=False)]))[0].listings
    assert listing.sportradar_id is None


def test_betpawa_lists_may_come_without_widgets() -> None:
    site = BetPawaSite([Match(1)])
    site.has_widgets_in_lists = False
    (listing,) = discover(site)[0].listings
    assert listing.sportradar_id is None


HEADERS = {
    "betpawa": {"x-pawa-brand": "betpawa-nigeria", "accept": "application/json", "devicetype": "web"},
    "sportybet": {"clientid": "web", "operid": "2", "platform": "web", "accept-language": "en"},
    "bet9ja": {
        "referer": "https://sports.bet9ja.com/",
        "accept": "application/json, text/plain, */*",
    },
}


@pytest.mark.parametrize("slug", REGISTRY)
def test_every_request_carries_the_headers_that_the_bookmaker_needs(slug: str) -> None:
    _, server = discover(SITES[slug](matches(3)))
    for request in server.requests:
        assert HEADERS[slug].items() <= request.headers.items()
        assert "mozilla" in request.headers["user-agent"]
        assert "if-modified-since" not in request.headers


@pytest.mark.parametrize("slug", REGISTRY)
def test_an_offer_without_events_is_a_failure_never_an_empty_offer(slug: str) -> None:
    """B-13: zero events with 200 must not be read as "everything is gone"."""
    with pytest.raises(ParseFailure) as raised:
        discover(SITES[slug]([]))
    assert raised.value.error_type == "empty"


def betpawa_page(request: Request) -> int:
    return json.loads(request.params["q"])["queries"][0]["skip"]


def betpawa_second_page(request: Request) -> bool:
    return betpawa_page(request) == 90


def sportybet_second_page(request: Request) -> bool:
    return request.params["pageNum"] == "2"


def bet9ja_one_tournament(request: Request) -> bool:
    return request.params.get("GROUPID") == "3000002"


PARTS: dict[str, Callable[[Request], bool]] = {
    "betpawa": betpawa_second_page,
    "sportybet": sportybet_second_page,
    "bet9ja": bet9ja_one_tournament,
}

NOT_JSON: list[tuple[str, Reply, type[ScrapeFailure]]] = [
    ("429", Reply(429, headers={"retry-after": "0"}), RateLimited),
    ("500", Reply(500), ServerFailure),
    ("502", Reply(502), ServerFailure),
    ("503", Reply(503), ServerFailure),
    ("404", Reply(404), ApiChanged),
    ("redirect", Reply(302, headers={"location": "https://example.invalid/"}), ApiChanged),
    ("reset", Reply(reset=True), NetworkFailure),
    ("cut short", Reply(body=b"{", promised_length=10), NetworkFailure),
    ("truncated JSON", Reply(body=b'{"responses": [{'), UnexpectedContent),
    ("HTML", Reply(body=b"<html>", headers={"content-type": "text/html"}), ApiChanged),
    ("protobuf", Reply(body=b"\x0a\x01", headers={"content-type": "application/x-protobuf"}), ApiChanged),
    ("a JSON list", json_reply([]), ParseFailure),
    ("an empty object", json_reply({}), ParseFailure),
]
WRONG: dict[str, list[tuple[str, Reply, type[ScrapeFailure]]]] = {
    "betpawa": [
        ("403", Reply(403), Forbidden),
        ("no list", json_reply({"responses": [{"responses": 5}]}), ParseFailure),
        ("a field renamed", json_reply({"answers": [{"responses": []}]}), ParseFailure),
    ],
    "sportybet": [
        ("403", Reply(403), Forbidden),
        ("bizCode", json_reply({"bizCode": 19000, "message": "Invalid", "data": None}), ParseFailure),
        ("no data", json_reply({"bizCode": 10000, "data": None}), ParseFailure),
        ("a field renamed", json_reply({"bizCode": 10000, "data": {"totalNum": 3, "groups": []}}), ParseFailure),
    ],
    "bet9ja": [
        ("403", Reply(403), RateLimited),
        ("empty body", Reply(body=b""), UnexpectedContent),
        ("R is E", json_reply({"R": "E"}), NotFound),
        ("R is another", json_reply({"R": "X", "D": {}}), ParseFailure),
        ("D is a list", json_reply({"R": "OK", "D": []}), ParseFailure),
        ("a field renamed", json_reply({"R": "OK", "D": {"EVENTS": [], "SPORTS": {}}}), ParseFailure),
    ],
}
FAULTS = [
    pytest.param(slug, reply, expected, id=f"{slug}-{name}")
    for slug in REGISTRY
    for name, reply, expected in NOT_JSON + WRONG[slug]
]


@pytest.mark.parametrize(("slug", "reply", "expected"), FAULTS)
def test_a_discovery_that_fails_wholly_raises_what_went_wrong(
    slug: str, reply: Reply, expected: type[ScrapeFailure]
) -> None:
    """B-13, B-47: every fault at discovery is a typed failure, never an empty offer."""
    with pytest.raises(expected):
        discover(SITES[slug](matches(5), fault=lambda _: reply))


@pytest.mark.parametrize(("slug", "reply", "expected"), FAULTS)
def test_one_failing_page_makes_the_discovery_incomplete_and_keeps_what_was_found(
    slug: str, reply: Reply, expected: type[ScrapeFailure]
) -> None:
    """B-13, B-35: a page that fails proves nothing absent."""
    part = PARTS[slug]
    site = SITES[slug](matches(250), fault=lambda request: reply if part(request) else None)
    discovery, _ = discover(site)
    assert not discovery.is_complete
    assert isinstance(discovery.failures[0], expected)
    assert 140 <= len(discovery.listings) < 250


@pytest.mark.parametrize("slug", REGISTRY)
def test_an_empty_page_amid_the_list_makes_the_discovery_incomplete(slug: str) -> None:
    """B-13: an empty list with 200 is no proof that its events are gone."""
    empty = {
        "betpawa": {"responses": [{"responses": []}]},
        "sportybet": {"bizCode": 10000, "data": {"totalNum": 250, "tournaments": []}},
        "bet9ja": {"R": "OK", "D": {"E": []}},
    }[slug]
    part = PARTS[slug]
    site = SITES[slug](matches(250), fault=lambda request: json_reply(empty) if part(request) else None)
    discovery, _ = discover(site)
    assert not discovery.is_complete
    assert discovery.listings


RENAMED = {
    "betpawa": ["id", "startTime", "region", "competition"],
    "sportybet": ["eventId", "estimateStartTime", "homeTeamName", "awayTeamName", "sport"],
    "bet9ja": ["ID", "STARTDATE", "DS"],
}


@pytest.mark.parametrize(("slug", "field"), [(slug, field) for slug, fields in RENAMED.items() for field in fields])
def test_a_field_renamed_in_one_entry_makes_the_discovery_incomplete(slug: str, field: str) -> None:
    class Renaming(SITES[slug]):
        def entry(self, match: Match, **rest: Any) -> dict[str, Any]:
            entry = super().entry(match, **rest)  # pyright: ignore[reportAttributeAccessIssue]
            if match.number == 1:
                entry[f"{field}Renamed"] = entry.pop(field)
            return entry

    discovery, _ = discover(Renaming(matches(3)))  # pyright: ignore[reportAbstractUsage]
    (failure,) = discovery.failures
    assert isinstance(failure, ParseFailure)
    assert field in str(failure)
    assert len(discovery.listings) == (2 if field in ("id", "eventId", "ID") else 3)


def test_betpawa_pages_overlap_so_that_a_kickoff_amid_paging_loses_nothing() -> None:
    """B-35: five matches leave the front of the list between two pages; the rest moves up."""
    site = BetPawaSite(matches(257))

    def five_kick_off(request: Request) -> None:
        if betpawa_page(request) == 90:
            site.matches = site.matches[5:]

    site.fault = five_kick_off
    discovery, _ = discover(site)
    assert discovery.is_complete
    assert len(discovery.listings) == 257


def test_betpawa_notices_when_more_matches_left_the_list_than_pages_overlap() -> None:
    """B-35, I3: the events that were passed over must not look absent."""
    site = BetPawaSite(matches(257))

    def forty_kick_off(request: Request) -> None:
        if betpawa_page(request) == 90:
            site.matches = site.matches[40:]

    site.fault = forty_kick_off
    discovery, _ = discover(site)
    assert not discovery.is_complete
    assert "moved" in str(discovery.failures[0])


def test_betpawa_paging_ends_when_the_site_ignores_the_offset() -> None:
    site = BetPawaSite(matches(100))
    whole = json_reply(site.discovery(Request("", {"q": '{"queries":[{"skip":0,"take":100}]}'}, {}, 0)))
    site.fault = lambda _: whole
    discovery, server = discover(site)
    assert not discovery.is_complete
    assert len(server.requests) <= 4


def test_betpawa_gives_up_a_list_of_which_every_later_page_fails() -> None:
    site = BetPawaSite(matches(500), fault=lambda request: Reply(403) if betpawa_page(request) else None)
    discovery, server = discover(site)
    assert len(discovery.listings) == 100
    assert len(server.requests) <= 6


def test_sportybet_notices_that_fewer_events_came_than_were_promised() -> None:
    """B-35: fewer distinct events than ``totalNum`` is an incomplete discovery."""
    site = SportyBetSite(matches(150))
    site.promised = 151
    discovery, _ = discover(site)
    assert not discovery.is_complete
    assert "150 different events found where 151 were promised" in str(discovery.failures[0])


def test_sportybet_without_a_total_is_incomplete() -> None:
    site = SportyBetSite(matches(3))
    site.promised = "many"  # pyright: ignore[reportAttributeAccessIssue]
    discovery, _ = discover(site)
    assert not discovery.is_complete
    assert len(discovery.listings) == 3


def test_sportybet_reads_a_bounded_number_of_pages() -> None:
    site = SportyBetSite(matches(3))
    site.promised = 10_000_000
    discovery, server = discover(site)
    assert not discovery.is_complete
    assert len(server.requests) == 100


def test_bet9ja_collections_may_be_lists_or_objects() -> None:
    site = Bet9jaSite(matches(12))
    site.collections_are_lists = True
    discovery, _ = discover(site)
    assert discovery.is_complete
    assert len(discovery.listings) == 12


def test_bet9ja_tournaments_are_asked_for_in_parallel_within_the_limit() -> None:
    site = Bet9jaSite(matches(50), latency_s=0.01)
    _, server = discover(site, parallelism=3)
    assert server.most_under_way == 3


def test_a_bookmaker_that_goes_silent_amid_discovery_is_reported_once() -> None:
    site = Bet9jaSite(matches(50), fault=lambda request: Reply(403) if "GROUPID" in request.params else None)
    with pytest.raises(RateLimited):
        discover(site, give_up_after=2, parallelism=1)


def test_an_offer_of_which_nothing_is_real_football_is_empty() -> None:
    with pytest.raises(EmptyAnswer):
        discover(BetPawaSite([Match(1, is_simulated=True)]))
