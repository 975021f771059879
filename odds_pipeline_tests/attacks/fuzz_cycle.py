"""Whole cycles over spoilt answers: parsed, staged, compared and committed by the real code, and what must come of it.

Every cycle asks each bookmaker for the same events: *victims*, whose answers are spoilt, and *neighbours*, whose
answers are whole and must be stored as if nothing had happened.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from odds_pipeline.bookmakers.base import Answer, Bookmaker, Discovery
from odds_pipeline.bookmakers.http import BookmakerHttp, require_json
from odds_pipeline.bookmakers.registry import bookmaker
from odds_pipeline.clock import ManualClock
from odds_pipeline.database.archived_files import named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import AnswerStatus, Listing, ParsedAnswer
from odds_pipeline.scrape.collect import Collected, collect
from odds_pipeline.scrape.cycle import Cycle, write_scraped
from odds_pipeline.scrape.staging import Staging
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.fuzz_answers import SLUGS, Pool, about, listing
from odds_pipeline_tests.attacks.fuzz_mutations import mutated, written
from odds_pipeline_tests.bookmakers.sites import quick_settings
from odds_pipeline_tests.database.cycles import running
from odds_pipeline_tests.database.reading import query

START = datetime(2030, 3, 2, 12, tzinfo=UTC)
PERIOD = timedelta(minutes=5)
FIRST_EVENT = 70_000_000
_ANSWERS_OF_AN_EVENT = 3
MAPPER = Mapper.load()
#: Nobody is asked over HTTP, and a victim's answers may well end it: neither is this attack's.
SETTINGS = quick_settings(dict.fromkeys(SLUGS, "http://127.0.0.1:9")).model_copy(update={"guard_least_events": 10**6})

Event = tuple[str, str]
"""Bookmaker, its event."""
Offer = dict[tuple[str, str, str, Decimal | None], frozenset[tuple[str, Decimal | None]]]
"""What is on offer: (bookmaker, its event, market, line) to (outcome key, odds, or None while suspended)."""


@dataclass
class Tampered:
    """A bookmaker whose answers are given; what its parser makes of them is noted."""

    inner: Bookmaker
    clock: ManualClock
    bodies: Mapping[str, bytes]
    listings: tuple[Listing, ...]
    parsed: dict[str, ParsedAnswer] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def discover(self, http: BookmakerHttp) -> Discovery:
        return Discovery(self.inner.slug, self.clock.now(), self.listings)

    async def fetch_event(self, http: BookmakerHttp, listing: Listing) -> Answer:
        body = self.bodies[listing.external_event_id]
        require_json(body, "application/json", "/event")
        return Answer(body, self.clock.now())

    def parse_event(self, body: bytes, mapper: Mapper, listing: Listing | None = None) -> ParsedAnswer:
        parsed = self.inner.parse_event(body, mapper, listing)
        assert parsed.is_balanced(), "stored + not offered + refused is not all (I7)"
        assert listing is not None
        self.parsed[listing.external_event_id] = parsed
        return parsed


@dataclass
class Attacked:
    """What one cycle was given and what it did."""

    run_id: int
    record: WriteRecord
    collected: Mapping[str, Collected]
    parsed: dict[Event, ParsedAnswer]
    offered_before: Offer


class Fuzz:
    """The same events cycle after cycle, on a clock that moves on by a period each time."""

    def __init__(
        self, database: Database, staging_root: Path, answers: Pool, seed: int, *, victims: int, neighbours: int
    ) -> None:
        self.database = database
        self.clock = ManualClock(START)
        self.bodies: dict[Event, bytes] = {}
        self._root = staging_root
        self._pool = answers
        self._chance = Random(seed)
        numbers = range(FIRST_EVENT, FIRST_EVENT + victims + neighbours)
        kickoff = START + timedelta(days=3)
        self._listings = {slug: tuple(listing(slug, number, kickoff) for number in numbers) for slug in SLUGS}
        self.victims = {(slug, one.external_event_id) for slug in SLUGS for one in self._listings[slug][:victims]}
        self.outcomes: Counter[str] = Counter()

    def cycle(self) -> Attacked:
        """Spoil, scrape, write; raises whatever a cycle must not raise."""
        self.clock.advance(PERIOD)
        before = on_offer(self.database)
        self.bodies = {
            (slug, each.external_event_id): self._body(each) for slug in SLUGS for each in self._listings[slug]
        }
        asked: list[Any] = [
            Tampered(
                bookmaker(slug, SETTINGS),
                self.clock,
                {each.external_event_id: self.bodies[slug, each.external_event_id] for each in self._listings[slug]},
                self._listings[slug],
            )
            for slug in SLUGS
        ]
        run_id = running(self.database, self.clock.now(), settings=SETTINGS)
        staging = Staging(self._root, run_id)
        collected = asyncio.run(
            collect(
                asked,
                run_id=run_id,
                cycle_at=self.clock.now(),
                settings=SETTINGS,
                mapper=MAPPER,
                clock=self.clock,
                staging=staging,
            )
        )
        record = write_scraped(
            self.database,
            archive_of(self.database),
            Cycle(run_id, self.clock.now(), staging),
            settings=SETTINGS,
            clock=self.clock,
        )
        parsed = {(each.inner.slug, event): answer for each in asked for event, answer in each.parsed.items()}
        return Attacked(run_id, record, collected, parsed, before)

    def _body(self, known: Listing) -> bytes:
        answers = self._pool[known.bookmaker]
        # A few answers for each event, in turn: its markets come, move, go and return.
        place = int(known.sportradar_id or 0) * _ANSWERS_OF_AN_EVENT + self._chance.randrange(_ANSWERS_OF_AN_EVENT)
        answer = about(known, answers[place % len(answers)])
        if (known.bookmaker, known.external_event_id) in self.victims:
            return mutated(answer, self._chance)
        return written(answer)

    def assert_survived(self, attacked: Attacked) -> None:
        """I3 and I7, and nothing that the database or the code had not foreseen."""
        self._assert_foreseen(attacked)
        now = on_offer(self.database)
        by_event: dict[Event, Offer] = defaultdict(dict)
        for market, offer in now.items():
            by_event[market[:2]][market] = offer
        for slug, listings in self._listings.items():
            for each in listings:
                event = (slug, each.external_event_id)
                said = attacked.parsed.get(event)
                if event not in self.victims:
                    assert said is not None, f"{event} was whole and could not be read"
                    assert said.status is AnswerStatus.COMPLETE
                    assert by_event[event] == offered_by(said), f"{event} was harmed by others (I3)"
                self.outcomes[said.status if said else "unreadable"] += 1
        self._assert_nothing_vanished(attacked, now)
        self._assert_counted(attacked)

    def _assert_foreseen(self, attacked: Attacked) -> None:
        for slug, collected in attacked.collected.items():
            assert not collected.failures["internal_error"], (slug, collected.failures)
            assert collected.answered_complete + collected.answered_started + collected.failed == collected.found
        refused = query(self.database, "SELECT message FROM scrape_errors WHERE error_type = 'integrity_error'")
        assert not refused, f"the database refused rows that were thought to be fit: {refused}"
        assert attacked.record.set_aside == 0

    def _assert_nothing_vanished(self, attacked: Attacked, now: Offer) -> None:
        """I3: of an answer that proves nothing, every market that was on offer still is."""
        for market in attacked.offered_before.keys() - now.keys():
            said = attacked.parsed.get(market[:2])
            kickoff = said.listing.kickoff if said else None
            is_proof = said is not None and said.status in (AnswerStatus.COMPLETE, AnswerStatus.STARTED)
            assert is_proof or (kickoff is not None and kickoff <= self.clock.now()), f"{market} vanished (I3)"

    def _assert_counted(self, attacked: Attacked) -> None:
        """I7: what the archived coverage says of an answer's outcomes is all of them, and what it stored is there."""
        with self.database.connect() as connection:
            (file,) = (file for file in named_files(connection, "coverage") if file.run_id == attacked.run_id)
        current = on_offer(self.database)
        for row in archive_of(self.database).read(file.path).iter_rows(named=True):
            event = (row["bookmaker"], row["external_event_id"])
            said = attacked.parsed.get(event)
            counts = row["outcomes_stored"] or 0, row["outcomes_not_offered"] or 0, row["outcomes_refused"] or 0
            assert sum(counts) == (said.outcomes_in_answer if said else 0), f"{event} lost an outcome (I7)"
            offered = offered_by(said) if said else {}
            stored = sum(len(offer & current.get(market, frozenset())) for market, offer in offered.items())
            # One that was refused this time may be stored as it was before.
            is_stored = counts[0] == stored or counts[0] < stored <= counts[0] + counts[2]
            assert is_stored, f"{event} says {counts}, and {stored} of {offered} are stored (I7)"


def offered_by(answer: ParsedAnswer) -> Offer:
    """What an answer offers."""
    slug, event = answer.listing.bookmaker, answer.listing.external_event_id
    return {
        (slug, event, each.betpawa_market_id, each.line): frozenset(
            (outcome.key, outcome.odds if outcome.is_active else None) for outcome in each.outcomes
        )
        for each in answer.observations
    }


_CURRENT = """
    SELECT bookmaker.slug, listing.external_event_id, type.betpawa_market_id, market.line,
           odds_outcomes(current.state, outcome_set.keys, outcome_set.names)
    FROM current_odds AS current
    JOIN markets AS market ON market.id = current.market_id
    JOIN market_types AS type ON type.id = market.market_type_id
    JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
    JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id
    JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
    WHERE current.unavailable_at IS NULL
"""


def on_offer(database: Database) -> Offer:
    """Every market of current that is available, secondary listings included."""
    return {
        row[:4]: frozenset((one["key"], Decimal(str(one["odds"])) if one["is_active"] else None) for one in row[4])
        for row in query(database, _CURRENT)
    }
