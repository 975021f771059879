"""Spoilt lists of events: the real discoveries, given pages of the simulator of which some are not what they were."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from odds_pipeline.bookmakers.base import Answer, Bookmaker, Discovery, NotFound, ScrapeFailure
from odds_pipeline.bookmakers.http import BookmakerHttp, open_http, require_json
from odds_pipeline.bookmakers.registry import bookmaker
from odds_pipeline.clock import ManualClock
from odds_pipeline.database.engine import Database
from odds_pipeline.odds.observation import Listing
from odds_pipeline.scrape.collect import Collected, collect
from odds_pipeline.scrape.cycle import Cycle, write_scraped
from odds_pipeline.scrape.staging import Staging
from odds_pipeline.simulator.simulator import Simulator
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.fuzz_answers import SLUGS
from odds_pipeline_tests.attacks.fuzz_cycle import MAPPER, PERIOD, SETTINGS, START
from odds_pipeline_tests.attacks.fuzz_mutations import mutated
from odds_pipeline_tests.bookmakers.sites import quick_settings
from odds_pipeline_tests.database.cycles import running

_SPOILT = 0.3
"""Share of the pages of a discovery that are spoilt."""

Pages = dict[tuple[str, str], bytes]
"""Bodies by (path, parameters)."""


@dataclass
class Memory:
    """Stands before a client and remembers the pages that it brings."""

    http: BookmakerHttp
    clock: ManualClock
    pages: Pages = field(default_factory=dict)

    async def get(self, path: str, params: Mapping[str, str] | None = None, *, discovery: bool = False) -> Answer:
        answer = await self.http.get(path, params, discovery=discovery)
        self.pages[_page(path, params)] = answer.body
        return answer


@dataclass
class SpoiltPages:
    """Stands in a client's place, and brings remembered pages, some of them spoilt."""

    pages: Pages
    clock: ManualClock
    chance: Random

    async def get(self, path: str, params: Mapping[str, str] | None = None, *, discovery: bool = False) -> Answer:
        body = self.pages.get(_page(path, params))
        if body is None:
            raise NotFound(f"{path}: HTTP 404")
        if self.chance.random() < _SPOILT:
            body = mutated(msgspec.json.decode(body), self.chance)
            require_json(body, "application/json", path)
        return Answer(body, self.clock.now())


def _page(path: str, params: Mapping[str, str] | None) -> tuple[str, str]:
    """Which page is asked for: SportyBet's is asked for with the time as well."""
    return path, repr({name: value for name, value in (params or {}).items() if name != "_t"})


@dataclass
class Found:
    """A bookmaker whose discovery is given, and which answers for no event."""

    inner: Bookmaker
    discovery: Discovery

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def discover(self, http: BookmakerHttp) -> Discovery:
        return self.discovery

    async def fetch_event(self, http: BookmakerHttp, listing: Listing) -> Answer:
        raise NotFound("HTTP 404")


def recorded_pages(events: int, seed: int) -> dict[str, Pages]:
    """Every page that the discoveries of all bookmakers read of a simulated offer."""

    async def discover(slug: str, urls: Mapping[str, str], clock: ManualClock) -> Pages:
        settings = quick_settings(dict(urls))
        asked = bookmaker(slug, settings)
        async with open_http(asked, settings, clock) as http:
            memory: Any = Memory(http, clock)
            await asked.discover(memory)
        return memory.pages

    clock = ManualClock(START)
    with Simulator(events=events, seed=seed, clock=clock, period=timedelta(minutes=5)) as simulator:
        return {slug: asyncio.run(discover(slug, simulator.urls, clock)) for slug in SLUGS}


class OfferFuzz:
    """Discovers spoilt offers over and over; all that was found in a round is written as one cycle."""

    def __init__(self, database: Database, staging_root: Path, pages: Mapping[str, Pages], seed: int) -> None:
        self.database = database
        self.clock = ManualClock(START)
        self.found = self.not_found = 0
        self._root = staging_root
        self._pages = pages
        self._chance = Random(seed)

    def round(self, discoveries: int) -> None:
        """Raises for whatever is no typed failure, and when not every listing that was found gets stored."""
        self.clock.advance(PERIOD)
        found = {slug: self._listings(slug, discoveries) for slug in SLUGS}
        asked: list[Any] = [
            Found(bookmaker(slug, SETTINGS), Discovery(slug, self.clock.now(), tuple(listings.values())))
            for slug, listings in found.items()
        ]
        collected = self._write(asked)
        assert not any(each.failures["internal_error"] for each in collected.values())
        with self.database.connect() as connection:
            rows = connection.execute(
                """
                SELECT bookmaker.slug, listing.external_event_id FROM event_bookmakers AS listing
                JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
                """
            ).fetchall()
        assert {(slug, event) for slug, listings in found.items() for event in listings} <= set(rows)

    def _listings(self, slug: str, discoveries: int) -> dict[str, Listing]:
        listings: dict[str, Listing] = {}
        asked = bookmaker(slug, SETTINGS)
        for _ in range(discoveries):
            http: Any = SpoiltPages(self._pages[slug], self.clock, self._chance)
            try:
                discovery = asyncio.run(asked.discover(http))
            except ScrapeFailure:
                self.not_found += 1
                continue
            self.found += 1
            listings.update((listing.external_event_id, listing) for listing in discovery.listings)
        return listings

    def _write(self, asked: Sequence[Any]) -> dict[str, Collected]:
        now = self.clock.now()
        run_id = running(self.database, now, settings=SETTINGS)
        staging = Staging(self._root, run_id)
        collected = asyncio.run(
            collect(
                asked,
                run_id=run_id,
                cycle_at=now,
                settings=SETTINGS,
                mapper=MAPPER,
                clock=self.clock,
                staging=staging,
            )
        )
        cycle = Cycle(run_id, now, staging)
        record = write_scraped(self.database, archive_of(self.database), cycle, settings=SETTINGS, clock=self.clock)
        assert record.set_aside == 0
        return collected
