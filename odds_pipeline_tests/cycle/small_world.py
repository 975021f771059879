"""A small simulated world, whole cycles over it through HTTP, and what must be stored, read off the world itself."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from odds_pipeline.bookmakers.registry import bookmaker
from odds_pipeline.clock import ManualClock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import AnswerStatus
from odds_pipeline.scrape.collect import Collected
from odds_pipeline.scrape.cycle import scrape_cycle, write_scraped
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.schedule import Listed
from odds_pipeline.simulator.simulator import Simulator
from odds_pipeline.simulator.world import World
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.bookmakers.sites import quick_settings

SLUGS = ("betpawa", "sportybet", "bet9ja")
EVENTS, SEED = 18, 100
"""A world in which some matches are listed twice, lack a SportRadar id at a bookmaker, or are not offered by all."""
PERIOD = timedelta(minutes=5)
_NOON = datetime(2030, 3, 2, 12, tzinfo=UTC)

MarketId = tuple[str, str, str, Decimal | None]
"""Bookmaker, its event, market, line."""
Offer = frozenset[tuple[str, Decimal | None]]
"""(outcome key, odds, or None while suspended)."""

MAPPER = Mapper.load()


@dataclass(frozen=True)
class Stored:
    """One market of current, as the tables have it."""

    offer: Offer
    unavailable_at: datetime | None
    updated_at: datetime
    is_primary: bool


@dataclass(frozen=True)
class Ran:
    """What one whole cycle did."""

    run_id: int
    at: datetime
    record: WriteRecord
    collected: Mapping[str, Collected]


class SmallWorld:
    """The world's truth beside the simulator that serves it, on one clock that stands still unless it is advanced.

    It begins with a period, after a match has kicked off and left the lists; until ``next_kickoff`` the matches stay.
    """

    def __init__(self, events: int = EVENTS, seed: int = SEED) -> None:
        self.events, self.seed = events, seed
        self.clock = ManualClock(_NOON)
        self.simulator = Simulator(events=events, seed=seed, clock=self.clock, period=PERIOD)
        self._world = World(seed=seed, events=events, clock=self.clock, period=PERIOD)
        self.start = self.clock.moment = self.next_kickoff + 2 * PERIOD
        self._read: dict[tuple[str, int], dict[MarketId, Offer]] = {}

    @property
    def settings(self) -> Settings:
        """Settings that reach the simulator, with waits of milliseconds."""
        return quick_settings(self.simulator.urls)

    @property
    def next_kickoff(self) -> datetime:
        """When the next match kicks off."""
        return min(x.match.kickoff for slug in SLUGS for x in self.upcoming(slug) if x.match is not None)

    def advance(self, periods: int = 1) -> datetime:
        """To the start of the next period, in which 5 % of the markets have moved."""
        into_period = (self.clock.moment - self.start) % PERIOD
        return self.clock.advance(PERIOD * periods - into_period)

    def listed(self, slug: str) -> Sequence[Listed]:
        """What a bookmaker lists now, matches that have just kicked off included."""
        return self._world.listed(slug)

    def upcoming(self, slug: str) -> list[Listed]:
        """What a bookmaker offers now, that has not kicked off."""
        now = self.clock.moment
        return [x for x in self.listed(slug) if x.match is not None and x.match.kickoff > now]

    def truth(self, *slugs: str) -> dict[MarketId, Offer]:
        """Every market on offer now, by the parser alone: no HTTP, no database."""
        return {
            market: offer
            for slug in slugs or SLUGS
            for listed in self.upcoming(slug)
            for market, offer in self.offered(listed).items()
        }

    def offered(self, listed: Listed) -> dict[MarketId, Offer]:
        """Every market that a bookmaker offers on one event now."""
        key = (listed.key, (self.clock.moment - self.start) // PERIOD)
        if key not in self._read:
            self._read[key] = read_offer(listed.bookmaker, listed.event_id, gzip.decompress(self._world.body(listed)))
        return self._read[key]


def read_offer(slug: str, event: str, body: bytes) -> dict[MarketId, Offer]:
    """What one answer offers."""
    parsed = bookmaker(slug, Settings()).parse_event(body, MAPPER)
    assert parsed.status is AnswerStatus.COMPLETE
    return {
        (slug, event, row.betpawa_market_id, row.line): frozenset(
            (outcome.key, outcome.odds if outcome.is_active else None) for outcome in row.outcomes
        )
        for row in parsed.observations
    }


def run_cycle(
    database: Database,
    staging_root: Path,
    settings: Settings,
    clock: ManualClock,
    slugs: Sequence[str] = SLUGS,
) -> Ran:
    """One cycle as production runs it: scrape over HTTP, then write."""
    cycle, collected = scrape_cycle(
        database, slugs, trigger="manual", settings=settings, clock=clock, staging_root=staging_root
    )
    record = write_scraped(database, archive_of(database), cycle, settings=settings, clock=clock)
    return Ran(cycle.run_id, cycle.cycle_at, record, collected)


def stored(database: Database) -> dict[MarketId, Stored]:
    """Every market of current, secondary listings included."""
    rows = query(
        database,
        """
        SELECT bookmaker.slug, listing.external_event_id, type.betpawa_market_id, market.line,
               odds_outcomes(current.state, outcome_set.keys, outcome_set.names), current.unavailable_at,
               current.captured_at, listing.is_primary
        FROM current_odds AS current
        JOIN markets AS market ON market.id = current.market_id
        JOIN market_types AS type ON type.id = market.market_type_id
        JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
        JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        """,
    )
    return {row[:4]: Stored(offer_of(row[4]), *row[5:]) for row in rows}


def offer_of(outcomes: list[dict[str, Any]]) -> Offer:
    """An offer out of the ``outcomes`` of the views."""
    return frozenset((o["key"], Decimal(str(o["odds"])) if o["is_active"] else None) for o in outcomes)


def available(markets: Mapping[MarketId, Stored]) -> dict[MarketId, Offer]:
    """The markets on offer among those stored."""
    return {market: state.offer for market, state in markets.items() if state.unavailable_at is None}


def confirmed_at(database: Database) -> dict[MarketId, datetime]:
    """``last_confirmed_at`` of every market that readers are shown as available."""
    rows = query(
        database,
        """
        SELECT bookmaker_slug, external_event_id, betpawa_market_id, line, last_confirmed_at
        FROM market_odds_current WHERE unavailable_at IS NULL
        """,
    )
    return {row[:4]: row[4] for row in rows}


def errors_of(database: Database, run_id: int) -> dict[tuple[str | None, str | None, str], int]:
    """Occurrences in ``scrape_errors`` by (bookmaker, its event, type); the event is None for a whole offer."""
    rows = query(
        database,
        """
        SELECT bookmaker.slug, listing.external_event_id, error.error_type, sum(error.occurrences)::int
        FROM scrape_errors AS error
        LEFT JOIN bookmakers AS bookmaker ON bookmaker.id = error.bookmaker_id
        LEFT JOIN event_bookmakers AS listing ON listing.id = error.event_bookmaker_id
        WHERE error.scrape_run_id = %s GROUP BY 1, 2, 3
        """,
        [run_id],
    )
    return {row[:3]: row[3] for row in rows}


def run_status(database: Database, run_id: int) -> str:
    """``scrape_runs.status``."""
    return query(database, "SELECT status FROM scrape_runs WHERE id = %s", [run_id])[0][0]


def query(database: Database, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of one query."""
    with database.connect() as connection:
        return connection.execute(statement.encode(), parameters).fetchall()
