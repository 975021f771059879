"""A whole pass over the bookmakers, over real HTTP: what is asked, what is staged, and what failures cost."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from odds_pipeline.bookmakers.base import Bookmaker
from odds_pipeline.odds.frames import require_schema
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA, Listing
from odds_pipeline_tests.bookmakers.loopback import Reply, Request, json_reply
from odds_pipeline_tests.bookmakers.sites import KICKOFF, SITES, Bet9jaSite, BetPawaSite, Match, Site, matches
from odds_pipeline_tests.scrape.passes import CYCLE, Passed, scrape

SLUGS = tuple(SITES)


def all_sites(count: int, **rest: Any) -> list[Site]:
    return [site(matches(count), **rest) for site in SITES.values()]


def on_event(number: int, reply: Reply) -> Callable[[Site], None]:
    """Make a site give ``reply`` for the event of match ``number``."""

    def spoil(site: Site) -> None:
        spoilt = site.id_of(Match(number))
        site.fault = lambda request: (
            reply if not site.is_discovery(request) and site.event_id(request) == spoilt else None
        )

    return spoil


def test_every_event_of_every_bookmaker_is_asked_for_and_staged(tmp_path: Path) -> None:
    """B-42, B-57: all events with the markets of their own answers, from nothing."""
    passed = scrape(tmp_path, *all_sites(12))
    for slug, collected in passed.collected.items():
        assert collected.is_complete
        assert (collected.found, collected.answered_complete, collected.failed) == (12, 12, 0)
        assert not collected.failures
        coverage = passed.coverage(slug)
        assert coverage[None]["status"] == "complete"
        assert {row["status"] for row in coverage.values()} == {"complete"}
        assert len(coverage) == 13
        assert all(row["run_id"] == 7 and row["cycle_at"] == CYCLE for row in coverage.values())
        observations = passed.observations(slug)
        assert observations.height == collected.observations == 12
        assert set(observations["betpawa_market_id"]) == {"3743"}
        assert collected.outcomes_stored == 36
        require_schema(passed.staging.scan_observations(slug), OBSERVATION_SCHEMA, source=slug)
        require_schema(passed.staging.read_coverage(slug), COVERAGE_SCHEMA, source=slug)
    assert passed.collected["bet9ja"].outcomes_not_offered == 24
    assert passed.collected["betpawa"].requests == 13


def test_staged_rows_are_those_of_the_parser(tmp_path: Path) -> None:
    """B-44: what is staged is what ``parse_event`` says of the same body, with the answer's arrival."""
    passed = scrape(tmp_path, *all_sites(1))
    for slug in SLUGS:
        (row,) = passed.observations(slug).to_dicts()
        assert row["sportradar_id"] == "90000000"
        assert row["kickoff"] == KICKOFF
        assert row["cycle_at"] == CYCLE
        assert row["captured_at"] == passed.coverage(slug)[row["external_event_id"]]["captured_at"]
        assert {(o["key"], o["name"]) for o in row["outcomes"]} == {("3744", "1"), ("3745", "X"), ("3746", "2")}
    suspended = {o["key"]: o["is_active"] for o in passed.observations("betpawa")["outcomes"][0]}
    assert suspended == {"3744": True, "3745": True, "3746": False}


def test_the_sportradar_id_is_learnt_from_the_event_where_the_list_has_none(tmp_path: Path) -> None:
    site = BetPawaSite(matches(2))
    site.has_widgets_in_lists = False
    passed = scrape(tmp_path, site, Bet9jaSite(matches(2)))
    assert sorted(passed.observations("betpawa")["sportradar_id"]) == ["90000000", "90000001"]
    assert {row["sportradar_id"] for key, row in passed.coverage("betpawa").items() if key} == {
        "90000000",
        "90000001",
    }
    assert passed.collected["betpawa"].median_spread_s is not None


@pytest.mark.parametrize("slug", SLUGS)
def test_a_match_under_way_is_started_not_failed(tmp_path: Path, slug: str) -> None:
    site = SITES[slug](matches(3))
    on_event(1, json_reply(site.started(Match(1))))(site)
    passed = scrape(tmp_path, site)
    collected = passed.collected[slug]
    assert (collected.answered_complete, collected.answered_started, collected.failed) == (2, 1, 0)
    assert passed.coverage(slug)[site.id_of(Match(1))]["status"] == "started"


ANYWHERE: list[tuple[str, Reply, str]] = [
    ("429 in seconds", Reply(429, headers={"retry-after": "0"}), "rate_limit"),
    ("429 by date", Reply(429, headers={"retry-after": "Sat, 02 Mar 2019 12:00:00 GMT"}), "rate_limit"),
    ("500", Reply(500), "server_error"),
    ("502", Reply(502), "server_error"),
    ("503", Reply(503), "server_error"),
    ("404", Reply(404), "not_found"),
    ("redirect", Reply(302, headers={"location": "/"}), "api_changed"),
    ("reset", Reply(reset=True), "network"),
    ("cut short", Reply(body=b"{", promised_length=10), "network"),
    ("truncated JSON", Reply(body=b'{"id": "1", "markets": [{'), "unexpected_content"),
    ("HTML", Reply(body=b"<html>", headers={"content-type": "text/html"}), "unexpected_content"),
    ("protobuf", Reply(body=b"\x0a\x01", headers={"content-type": "application/x-protobuf"}), "unexpected_content"),
    ("an empty body", Reply(), "unexpected_content"),
    ("an empty object", json_reply({}), "parse_error"),
    ("an empty list", json_reply([]), "parse_error"),
]
AT_ONE: dict[str, list[tuple[str, Reply, str]]] = {
    "betpawa": [("403", Reply(403), "forbidden")],
    "sportybet": [
        ("403", Reply(403), "forbidden"),
        ("bizCode", json_reply({"bizCode": 19000, "message": "Invalid"}), "not_found|parse_error"),
        ("no data", json_reply({"bizCode": 10000, "data": None}), "not_found"),
    ],
    "bet9ja": [
        ("403", Reply(403), "rate_limit"),
        ("R is E", json_reply({"R": "E"}), "not_found"),
        ("R is another", json_reply({"R": "X", "D": {}}), "parse_error"),
    ],
}
FAULTS = [
    pytest.param(slug, reply, expected, id=f"{slug}-{name}")
    for slug in SLUGS
    for name, reply, expected in ANYWHERE + AT_ONE[slug]
]


@pytest.mark.parametrize(("slug", "reply", "expected"), FAULTS)
def test_a_failing_event_is_typed_and_costs_no_other_event(
    tmp_path: Path, slug: str, reply: Reply, expected: str
) -> None:
    """B-13, B-38, B-43: each fault at one event fails that event only, by its type, and proves nothing absent."""
    site = SITES[slug](matches(4))
    on_event(2, reply)(site)
    passed = scrape(tmp_path, site)
    failed = passed.coverage(slug).pop(site.id_of(Match(2)))
    assert failed["status"] == "failed"
    assert failed["reason"] in expected.split("|")
    assert failed["message"]
    assert passed.collected[slug].failures == {failed["reason"]: 1}
    assert (passed.collected[slug].answered_complete, passed.collected[slug].failed) == (3, 1)
    assert passed.observations(slug)["external_event_id"].n_unique() == 3
    assert passed.coverage(slug)[None]["status"] == "complete"


@pytest.mark.parametrize("slug", SLUGS)
def test_a_silent_event_times_out_and_costs_no_other_event(tmp_path: Path, slug: str) -> None:
    """B-40, B-43"""
    site = SITES[slug](matches(4))
    on_event(2, Reply(hang=True))(site)
    passed = scrape(tmp_path, site, timeout_s=0.1)
    assert passed.coverage(slug)[site.id_of(Match(2))]["reason"] == "timeout"
    assert passed.collected[slug].failures == {"timeout": 1}
    assert passed.collected[slug].retries == 2
    assert passed.collected[slug].answered_complete == 3


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("without", ["markets renamed", "markets empty"])
def test_an_event_without_markets_is_never_a_complete_answer(tmp_path: Path, slug: str, without: str) -> None:
    """B-13: an answer that has lost its markets fails; it does not say that they are gone."""
    site = SITES[slug](matches(2))
    document = site.event(Match(1))
    holder = document if slug == "betpawa" else document["data" if slug == "sportybet" else "D"]
    field = "O" if slug == "bet9ja" else "markets"
    empty: Any = {} if slug == "bet9ja" else []
    was = holder.pop(field)
    holder.update({"renamed": was} if without == "markets renamed" else {field: empty})
    on_event(1, json_reply(document))(site)
    passed = scrape(tmp_path, site)
    row = passed.coverage(slug)[site.id_of(Match(1))]
    assert (row["status"], row["reason"]) == ("failed", "empty")
    assert row["message"]
    assert passed.collected[slug].failures == {"empty": 1}


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize(
    ("reply", "expected"),
    [(Reply(503), "server_error"), (Reply(404), "api_changed"), (Reply(reset=True), "network")],
    ids=["503", "404", "reset"],
)
def test_a_bookmaker_that_fails_wholly_is_loud_and_costs_no_other(
    tmp_path: Path, slug: str, reply: Reply, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """B-13, B-39, B-43, B-47: the failure is counted and logged, and the other two are collected in full."""
    sites = [
        site(matches(5), fault=(lambda _: reply) if name == slug else lambda _: None) for name, site in SITES.items()
    ]
    passed = scrape(tmp_path, *sites)
    assert passed.collected[slug].is_failed
    assert not passed.collected[slug].discovery_complete
    assert passed.collected[slug].failures == {expected: 1}
    (row,) = passed.coverage(slug).values()
    assert (row["external_event_id"], row["status"], row["reason"]) == (None, "failed", expected)
    assert passed.observations(slug).is_empty()
    assert any(record.levelno >= logging.WARNING and slug in record.getMessage() for record in caplog.records)
    for other in set(SLUGS) - {slug}:
        assert passed.collected[other].is_complete
        assert passed.observations(other).height == 5


def test_an_incomplete_discovery_is_recorded_as_failed_and_its_events_are_still_asked(tmp_path: Path) -> None:
    """B-13, B-35: absence cannot be concluded, odds are collected."""

    def second_page(request: Request) -> Reply | None:
        is_second = "q" in request.params and json.loads(request.params["q"])["queries"][0]["skip"] == 90
        return Reply(500) if is_second else None

    passed = scrape(tmp_path, BetPawaSite(matches(120), fault=second_page))
    discovery = passed.coverage("betpawa")[None]
    assert (discovery["status"], discovery["reason"]) == ("failed", "server_error")
    assert passed.collected["betpawa"].answered_complete == passed.collected["betpawa"].found >= 100
    assert not passed.collected["betpawa"].is_complete


@pytest.mark.parametrize(("status", "expected"), [(403, "forbidden"), (429, "rate_limit"), (502, "server_error")])
def test_a_bookmaker_whose_events_all_fail_is_given_up_and_the_rest_not_asked(
    tmp_path: Path, status: int, expected: str
) -> None:
    """B-39, B-46: a dead bookmaker does not hold the cycle, and the coverage says what was not asked and why."""
    site = BetPawaSite(matches(60))
    site.fault = lambda request: None if site.is_discovery(request) else Reply(status)
    passed = scrape(tmp_path, site, Bet9jaSite(matches(60)), give_up_after=10, parallelism=4)
    collected = passed.collected["betpawa"]
    assert 10 <= collected.failed <= 14
    assert collected.not_asked == 60 - collected.failed
    assert collected.failures == {expected: collected.failed}
    last = passed.coverage("betpawa")[site.id_of(Match(59))]
    assert (last["status"], last["reason"]) == ("not_asked", "given_up")
    assert expected in last["message"]
    assert passed.collected["bet9ja"].is_complete


def test_a_parsers_own_mistake_costs_one_event(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """B-43: an error that nobody foresaw is recorded as such, with its text, and logged with its traceback."""

    class Stumbling:
        def __init__(self, bookmaker: Bookmaker) -> None:
            self._bookmaker = bookmaker

        def __getattr__(self, name: str) -> Any:
            return getattr(self._bookmaker, name)

        def parse_event(self, body: bytes, mapper: Any, listing: Listing | None = None) -> Any:
            if listing is not None and listing.home_team == "Rovers 1":
                raise KeyError("odds")
            return self._bookmaker.parse_event(body, mapper, listing)

    passed = scrape(tmp_path, BetPawaSite(matches(3)), wrap=lambda bookmakers: [Stumbling(b) for b in bookmakers])
    row = passed.coverage("betpawa")[BetPawaSite([]).id_of(Match(1))]
    assert (row["status"], row["reason"], row["message"]) == ("failed", "internal_error", "KeyError: 'odds'")
    assert passed.collected["betpawa"].answered_complete == 2
    assert any(record.exc_info for record in caplog.records)


def test_answers_are_fetched_in_parallel_and_parsed_and_written_in_one_other_thread(tmp_path: Path) -> None:
    """B-55: many requests are under way at once, one thread reads and writes all bookmakers' answers."""
    threads: set[int] = set()

    class Watched:
        def __init__(self, bookmaker: Bookmaker) -> None:
            self._bookmaker = bookmaker

        def __getattr__(self, name: str) -> Any:
            return getattr(self._bookmaker, name)

        def parse_event(self, body: bytes, mapper: Any, listing: Listing | None = None) -> Any:
            threads.add(threading.get_ident())
            return self._bookmaker.parse_event(body, mapper, listing)

    sites = [site(matches(20), latency_s=0.02) for site in SITES.values()]
    passed = scrape(tmp_path, *sites, wrap=lambda bookmakers: [Watched(b) for b in bookmakers], parallelism=5)
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert all(1 < server.most_under_way <= 5 for server in passed.servers.values())


def test_only_the_given_listings_are_asked_and_no_discovery_is_recorded(tmp_path: Path) -> None:
    """B-44: the refresh of one event goes the same way as a cycle."""
    sites = [BetPawaSite(matches(5)), Bet9jaSite(matches(5))]
    whole = scrape(tmp_path / "whole", *sites)
    listings = [listing_in(whole, site, 3) for site in sites]
    for site in sites:
        site.asked_events.clear()
    passed = scrape(tmp_path / "one", *sites, only_event=listings)
    for site in sites:
        assert passed.collected[site.slug].discovery_complete is None
        assert passed.collected[site.slug].is_complete
        assert site.asked_events == [site.id_of(Match(3))]
        assert list(passed.coverage(site.slug)) == [site.id_of(Match(3))]
        assert len(passed.servers[site.slug].requests) == 1
        assert (
            passed.observations(site.slug)
            .drop("captured_at")
            .equals(whole.observations(site.slug).filter(external_event_id=site.id_of(Match(3))).drop("captured_at"))
        )


def listing_in(passed: Passed, site: Site, number: int) -> Listing:
    row = passed.coverage(site.slug)[site.id_of(Match(number))]
    return Listing(**{name: row[name] for name in Listing.__struct_fields__})


def test_a_listing_of_a_bookmaker_that_takes_no_part_is_refused(tmp_path: Path) -> None:
    site = BetPawaSite(matches(1))
    listing = listing_in(scrape(tmp_path, site), site, 0)
    with pytest.raises(ValueError, match="bet9ja"):
        scrape(tmp_path, site, only_event=[msgspec.structs.replace(listing, bookmaker="bet9ja")])


def test_progress_counts_up_to_every_event(tmp_path: Path) -> None:
    passed = scrape(tmp_path, *all_sites(4))
    for slug in SLUGS:
        steps = [progress for progress in passed.progress if progress.bookmaker == slug]
        answered = [step.answered for step in steps]
        assert (answered[0], answered[-1], len(answered)) == (0, 4, 5)
        assert answered == sorted(answered)
        assert {step.found for step in steps} == {4}


def test_events_are_asked_for_nearest_kickoff_first_also_past_it(tmp_path: Path) -> None:
    """Events past their kick-off are asked as well: the answer says whether they started."""
    jumbled = [
        replace(match, kickoff=KICKOFF + timedelta(minutes=(7 * match.number) % 20 - 10_000)) for match in matches(20)
    ]
    site = Bet9jaSite(jumbled)
    scrape(tmp_path, site, parallelism=1)
    by_kickoff = sorted(jumbled, key=lambda match: match.kickoff)
    assert site.asked_events == [site.id_of(match) for match in by_kickoff]


def test_the_answers_about_a_match_lie_close_together_although_bookmakers_differ_in_speed(tmp_path: Path) -> None:
    """B-46: paced by the slowest bookmaker, close to its own floor, without the fast ones running ahead."""
    sites = [BetPawaSite(matches(120), latency_s=0.004), Bet9jaSite(matches(120), latency_s=0.03)]
    limits = {"betpawa": {"parallelism": 50}, "bet9ja": {"parallelism": 3}}
    passed = scrape(tmp_path, *sites, limits=limits)
    slowest = passed.collected["bet9ja"]
    assert passed.servers["bet9ja"].most_under_way == 3
    assert slowest.answers_seconds >= 120 * 0.03 / 3
    assert slowest.median_spread_s is not None
    assert slowest.median_spread_s < 0.15 * slowest.answers_seconds
    assert passed.collected["betpawa"].answers_seconds > 0.7 * slowest.answers_seconds


def test_two_listings_of_one_match_by_one_bookmaker_are_both_asked(tmp_path: Path) -> None:
    """More listings of a match than its bookmaker has room for must not hold the pass up."""
    twins = [Match(1), *(replace(match, kickoff=KICKOFF) for match in matches(7)[2:])]

    class Twins(Bet9jaSite):
        def entry(self, match: Match) -> dict[str, Any]:
            return super().entry(match) | {"EXTID": "90000001"}

    passed = scrape(tmp_path, Twins(twins), parallelism=1)
    assert passed.collected["bet9ja"].answered_complete == 6
    assert set(passed.observations("bet9ja")["sportradar_id"]) == {"90000001"}


def test_a_pass_that_cannot_write_fails_and_leaves_no_half_file(tmp_path: Path) -> None:
    site = BetPawaSite(matches(3))
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "betpawa.observations.partial").mkdir()
    with pytest.raises(OSError, match="partial"):
        scrape(tmp_path, site)
    assert not list(folder.glob("*.parquet"))


def test_an_interruption_passes_by_its_own_name_and_leaves_no_file(tmp_path: Path) -> None:
    """Whoever runs the pass tells it from a failure."""

    class Interruption(BaseException):
        pass

    class Interrupted:
        def __init__(self, bookmaker: Bookmaker) -> None:
            self._bookmaker = bookmaker

        def __getattr__(self, name: str) -> Any:
            return getattr(self._bookmaker, name)

        async def fetch_event(self, http: Any, listing: Listing) -> Any:
            raise Interruption

    with pytest.raises(Interruption):
        scrape(tmp_path, BetPawaSite(matches(3)), wrap=lambda bookmakers: [Interrupted(b) for b in bookmakers])
    assert not list((tmp_path / "7").glob("*.parquet"))
