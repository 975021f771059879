"""Many events vanishing at once from a bookmaker's offer are not believed before a second discovery agrees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from odds_pipeline.clock import ManualClock
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.bookmakers.loopback import Loopback, Reply, Request
from odds_pipeline_tests.bookmakers.sites import KICKOFF, SITES, Match, Site, matches, quick_settings
from odds_pipeline_tests.cycle.small_world import (
    SLUGS,
    Ran,
    confirmed_at,
    errors_of,
    query,
    run_cycle,
    run_status,
    stored,
)

FIVE_MINUTES = timedelta(minutes=5)
EARLY = KICKOFF - timedelta(hours=5)


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The base URL of a site that is served by a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name=site.slug)
    thread.start()
    server = Loopback(site.answer)
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        yield server.url
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class Bookmakers:
    """Three sites that list the same matches until a test takes some away, and cycles over them."""

    database: Database
    folder: Path
    urls: dict[str, str]
    sites: dict[str, Site]
    clock: ManualClock = field(default_factory=lambda: ManualClock(EARLY))

    def list(self, slug: str, offer: list[Match]) -> None:
        self.sites[slug].matches = offer

    def cycle(self) -> Ran:
        self.clock.advance(FIVE_MINUTES)
        return run_cycle(self.database, self.folder, quick_settings(self.urls), self.clock)

    def gone(self) -> dict[tuple[str, str], datetime]:
        """When the bookmakers' events that are no longer offered became unavailable."""
        return {
            market[:2]: state.unavailable_at
            for market, state in stored(self.database).items()
            if state.unavailable_at is not None
        }

    def ids(self, slug: str, offer: list[Match]) -> set[tuple[str, str]]:
        return {(slug, self.sites[slug].id_of(match)) for match in offer}


@pytest.fixture
def bookmakers(database: Database, tmp_path: Path) -> Iterator[Bookmakers]:
    sites = {slug: SITES[slug](matches(25)) for slug in SLUGS}
    with ExitStack() as stack:
        urls = {slug: stack.enter_context(served(site)) for slug, site in sites.items()}
        yield Bookmakers(database, tmp_path, urls, sites)


def assert_held(ran: Ran, database: Database, slug: str) -> None:
    assert ran.record.guard_held == (slug,)
    assert ran.record.inserted_history == 0
    assert errors_of(database, ran.run_id) == {(slug, None, "mass_disappearance"): 1}
    held = query(
        database,
        """
        SELECT bookmaker.slug FROM scrape_coverage JOIN bookmakers AS bookmaker ON bookmaker.id = bookmaker_id
        WHERE run_id = %s AND guard_held
        """,
        [ran.run_id],
    )
    assert held == [(slug,)]


@pytest.mark.parametrize("slug", SLUGS)
def test_a_mass_disappearance_is_believed_when_a_second_discovery_agrees(bookmakers: Bookmakers, slug: str) -> None:
    """B-12, B-13: 10 of 25 events vanish: nothing is retired at first; the others are confirmed meanwhile."""
    everything = matches(25)
    bookmakers.cycle()
    bookmakers.list(slug, everything[:15])
    ran = bookmakers.cycle()
    assert_held(ran, bookmakers.database, slug)
    assert not bookmakers.gone()
    confirmed = {market[:2]: moment for market, moment in confirmed_at(bookmakers.database).items()}
    missing = bookmakers.ids(slug, everything[15:])
    assert {event for event, moment in confirmed.items() if moment < ran.at} == missing

    ran = bookmakers.cycle()
    assert ran.record.guard_held == ()
    assert ran.record.unavailable == 10
    assert bookmakers.gone() == dict.fromkeys(missing, ran.at)
    assert run_status(bookmakers.database, ran.run_id) == "completed"


def test_events_that_come_back_after_a_mass_disappearance_were_never_gone(bookmakers: Bookmakers) -> None:
    """B-13: no history, and the next disappearance is a first one again."""
    everything = matches(25)
    bookmakers.cycle()
    odds = stored(bookmakers.database)
    for _ in range(2):
        bookmakers.list("betpawa", everything[:15])
        assert_held(bookmakers.cycle(), bookmakers.database, "betpawa")
        bookmakers.list("betpawa", everything)
        ran = bookmakers.cycle()
        assert (ran.record.inserted_history, ran.record.guard_held) == (0, ())
        assert set(confirmed_at(bookmakers.database).values()) == {ran.at}
    assert stored(bookmakers.database) == odds


def test_a_discovery_that_fails_neither_agrees_nor_disagrees(bookmakers: Bookmakers) -> None:
    """B-13: the second opinion must be a complete one."""
    bookmakers.cycle()
    bookmakers.list("bet9ja", matches(15))
    bookmakers.cycle()
    site = bookmakers.sites["bet9ja"]

    def broken(request: Request) -> Reply | None:
        return Reply(500) if site.is_discovery(request) else None

    site.fault = broken
    ran = bookmakers.cycle()
    assert (ran.record.unavailable, ran.record.guard_held) == (0, ())
    assert not bookmakers.gone()
    site.fault = lambda _: None
    assert bookmakers.cycle().record.unavailable == 10


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (25, 18),  # 28 % of 25: not more than 30 %
        (19, 5),  # fewer than 20 events
    ],
)
def test_a_disappearance_below_the_guards_limits_is_believed_at_once(
    bookmakers: Bookmakers, before: int, after: int
) -> None:
    """B-12."""
    bookmakers.list("sportybet", matches(before))
    bookmakers.cycle()
    bookmakers.list("sportybet", matches(after))
    ran = bookmakers.cycle()
    assert ran.record.guard_held == ()
    assert ran.record.unavailable == before - after
    assert bookmakers.gone() == dict.fromkeys(bookmakers.ids("sportybet", matches(before)[after:]), ran.at)


def test_events_past_their_kick_off_end_by_themselves_and_are_not_counted(bookmakers: Bookmakers) -> None:
    """B-12: 15 of 40 events kick off between two cycles and leave the lists: no mass disappearance."""
    everything = matches(40)
    for slug in SLUGS:
        bookmakers.list(slug, everything)
    bookmakers.clock.moment = KICKOFF - FIVE_MINUTES - timedelta(seconds=30)
    bookmakers.cycle()
    for slug in SLUGS:
        bookmakers.list(slug, everything[15:])
    bookmakers.clock.advance(2 * FIVE_MINUTES)
    ran = bookmakers.cycle()
    assert ran.record.guard_held == ()
    assert bookmakers.gone() == {
        event: match.kickoff for slug in SLUGS for match in everything[:15] for event in bookmakers.ids(slug, [match])
    }

    # Of betPawa's 25 that are left five kick off, and of the other 20 six vanish: not more than 30 %.
    bookmakers.list("betpawa", everything[26:])
    ran = bookmakers.cycle()
    assert ran.record.guard_held == ()
    gone = {event: moment for event, moment in bookmakers.gone().items() if event[0] == "betpawa"}
    assert {gone[event] for event in bookmakers.ids("betpawa", everything[20:26])} == {ran.at}
    assert len(gone) == 26
