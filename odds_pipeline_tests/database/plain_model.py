"""The rules of change, absence and confirmation once more, in plain Python: the oracle of the property tests.

Written from the design's words, sharing no code with the writer: dictionaries, one market at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

Outcomes = dict[str, tuple[Decimal | None, bool]]
MarketKey = tuple[str, Decimal | None]
ListingKey = tuple[str, str]


@dataclass
class Answer:
    """What one bookmaker says of one event in one cycle."""

    bookmaker: str
    event: str
    at: datetime
    status: str
    kickoff: datetime | None
    markets: dict[MarketKey, Outcomes] = field(default_factory=dict)
    refused: set[MarketKey] = field(default_factory=set)


@dataclass
class Cycle:
    """One cycle: when, which offers were asked for (slug to arrival and success), and the answers."""

    at: datetime
    discoveries: dict[str, tuple[datetime, bool]]
    answers: list[Answer]

    @property
    def as_of(self) -> datetime:
        return max([self.at, *(answer.at for answer in self.answers), *(at for at, _ in self.discoveries.values())])


@dataclass
class Market:
    shown: Outcomes
    last_price: dict[str, Decimal]
    changed_at: datetime
    gone_at: datetime | None = None
    own_sighting: datetime | None = None

    def offer(self) -> frozenset[tuple[str, bool, Decimal | None]]:
        return frozenset((key, active, odds if active else None) for key, (odds, active) in self.shown.items())


@dataclass
class ListingState:
    kickoff: datetime | None = None
    last_answer: datetime | None = None
    last_confirmed: datetime | None = None
    is_listed: bool = False
    is_known: bool = False
    markets: dict[MarketKey, Market] = field(default_factory=dict)


@dataclass
class PlainModel:
    """Current and history as the rules say they must be."""

    listings: dict[ListingKey, ListingState] = field(default_factory=dict)
    history: list[tuple[ListingKey, MarketKey, datetime, Outcomes, bool]] = field(default_factory=list)
    last_discovery: dict[str, datetime] = field(default_factory=dict)

    def apply(self, cycle: Cycle) -> None:
        late: set[ListingKey] = set()
        repeated: set[ListingKey] = set()
        for answer in cycle.answers:
            key = (answer.bookmaker, answer.event)
            listing = self.listings.setdefault(key, ListingState())
            listing.kickoff = answer.kickoff or listing.kickoff
            if answer.status != "not_asked" and listing.last_answer is not None:
                if answer.at < listing.last_answer:
                    late.add(key)
                elif answer.at == listing.last_answer:
                    repeated.add(key)
        answers = [a for a in cycle.answers if (a.bookmaker, a.event) not in late]
        ended = self._ended(cycle, answers)
        for answer in answers:
            key = (answer.bookmaker, answer.event)
            listing = self.listings[key]
            if answer.status in ("complete", "failed"):
                self._observe(key, answer, changes_count=key not in repeated)
            if answer.status == "complete":
                for market_key, market in listing.markets.items():
                    if market.gone_at is None and market_key not in answer.markets:
                        if market_key in answer.refused:
                            market.own_sighting = market.own_sighting or self._sighting(listing, market)
                        elif key not in repeated:
                            self._gone(key, market_key, answer.at)
        for key, gone_at in ended.items():
            for market_key, market in self.listings[key].markets.items():
                if market.gone_at is None:
                    self._gone(key, market_key, gone_at)
        for answer in answers:
            listing = self.listings[answer.bookmaker, answer.event]
            if not listing.is_known:
                listing.is_known = listing.is_listed = True
            if answer.status == "complete":
                listing.last_confirmed = answer.at
            is_offered = answer.status == "complete" or (answer.status == "failed" and bool(answer.markets))
            if is_offered:
                listing.is_listed = True
            if is_offered or answer.status == "started":
                listing.last_answer = answer.at
        for key, gone_at in ended.items():
            listing = self.listings[key]
            listing.is_listed = False
            listing.last_answer = max(listing.last_answer or gone_at, gone_at)

    def _observe(self, key: ListingKey, answer: Answer, *, changes_count: bool) -> None:
        listing = self.listings[key]
        for market_key, outcomes in answer.markets.items():
            market = listing.markets.get(market_key)
            offered = frozenset((name, active, odds if active else None) for name, (odds, active) in outcomes.items())
            if market is not None and market.gone_at is None and market.offer() == offered:
                market.own_sighting = None
                continue
            if not changes_count:
                continue
            last_price = dict(market.last_price) if market else {}
            last_price |= {name: odds for name, (odds, active) in outcomes.items() if active and odds is not None}
            shown = {name: (last_price.get(name), active) for name, (_, active) in outcomes.items()}
            listing.markets[market_key] = Market(shown, last_price, answer.at)
            self.history.append((key, market_key, answer.at, shown, True))

    def _gone(self, key: ListingKey, market_key: MarketKey, at: datetime) -> None:
        listing = self.listings[key]
        market = listing.markets[market_key]
        market.own_sighting = market.own_sighting or self._sighting(listing, market)
        market.gone_at = market.changed_at = at
        self.history.append((key, market_key, at, market.shown, False))

    @staticmethod
    def _sighting(listing: ListingState, market: Market) -> datetime:
        return max(market.changed_at, listing.last_confirmed or market.changed_at)

    def _ended(self, cycle: Cycle, answers: list[Answer]) -> dict[ListingKey, datetime]:
        by_key = {(answer.bookmaker, answer.event): answer for answer in answers}
        mentioned = {(answer.bookmaker, answer.event) for answer in cycle.answers}
        ended: dict[ListingKey, datetime] = {}
        for answer in answers:
            if answer.status == "started" and answer.bookmaker not in cycle.discoveries:
                ended[answer.bookmaker, answer.event] = answer.at
        for slug, (discovery_at, succeeded) in cycle.discoveries.items():
            newest = self.last_discovery.get(slug)
            proves = succeeded and (newest is None or discovery_at >= newest)
            if proves:
                self.last_discovery[slug] = discovery_at
            for key, listing in self.listings.items():
                if key[0] != slug or not listing.is_listed:
                    continue
                answer = by_key.get(key)
                gone_at = self._gone_moment(
                    cycle, listing, answer, discovery_at if proves else None, is_discovered=key in mentioned
                )
                if gone_at is not None and not (listing.last_answer is not None and listing.last_answer >= gone_at):
                    ended[key] = gone_at
        return ended

    @staticmethod
    def _gone_moment(
        cycle: Cycle,
        listing: ListingState,
        answer: Answer | None,
        discovery_at: datetime | None,
        *,
        is_discovered: bool,
    ) -> datetime | None:
        if answer is not None and (answer.status == "complete" or (answer.status == "failed" and answer.markets)):
            return None
        started_at = answer.at if answer is not None and answer.status == "started" else None
        is_lost = discovery_at is not None and not is_discovered
        kickoff = listing.kickoff
        is_past = kickoff is not None and kickoff <= cycle.as_of
        offered_since = kickoff is not None and listing.last_answer is not None and listing.last_answer >= kickoff
        if started_at is None and not (is_past and (is_lost or not offered_since)):
            return discovery_at if is_lost else None
        proof = started_at or (discovery_at if is_lost else None) or cycle.as_of
        if kickoff is not None and kickoff <= proof and (listing.last_answer is None or listing.last_answer < kickoff):
            return kickoff
        return proof
