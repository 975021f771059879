"""Generated cycles over a few days, and a plain walk over them that knows what was on offer and when it was seen."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from odds_pipeline_tests.database.plain_model import Answer, Cycle, ListingKey, MarketKey, Outcomes, PlainModel

MARKETS: tuple[MarketKey, ...] = (("3743", None), ("5000", None), ("5000", Decimal("2.5")))

_WHAT_MARKETS_DO = ["stays"] * 8 + ["moves", "moves", "goes", "is refused", "is suspended"]
_WHAT_ANSWERS_ARE = ["complete"] * 12 + ["failed", "failed in part", "not_asked", "started", "late"]


@st.composite
def cycles_of_days(
    draw: st.DrawFn, first_midnight: datetime, slugs: tuple[str, ...], events: tuple[str, ...], *, days: int
) -> list[Cycle]:
    """Whole cycles four a day, and refreshes of one event between them; offers mostly stay as they were."""
    offers: dict[ListingKey, dict[MarketKey, Outcomes]] = defaultdict(dict)
    kickoffs = {event: first_midnight + timedelta(hours=draw(st.sampled_from([500, 500, 30, 53]))) for event in events}
    cycles: list[Cycle] = []
    for number in range(4 * days):
        at = first_midnight + timedelta(hours=6 * number, minutes=1)
        if draw(st.integers(0, 5)) == 0:
            slug, event = draw(st.sampled_from(slugs)), draw(st.sampled_from(events))
            when = at - timedelta(hours=draw(st.sampled_from([1, 3])))
            said = [_answer(draw, slug, event, when, kickoffs[event], offers[slug, event])]
            cycles.append(Cycle(when, {}, said))
        discoveries: dict[str, tuple[datetime, bool]] = {}
        answers: list[Answer] = []
        for slug in slugs:
            kind = draw(st.sampled_from(["whole"] * 8 + ["failed", "none"]))
            if kind != "none":
                discoveries[slug] = (at, kind == "whole")
            listed = [event for event in events if at < kickoffs[event] and draw(st.integers(0, 9)) > 0]
            answers += [_answer(draw, slug, event, at, kickoffs[event], offers[slug, event]) for event in listed]
        cycles.append(Cycle(at, discoveries, answers))
    return cycles


def _answer(
    draw: st.DrawFn, slug: str, event: str, at: datetime, kickoff: datetime, offer: dict[MarketKey, Outcomes]
) -> Answer:
    kind = draw(st.sampled_from(_WHAT_ANSWERS_ARE))
    refused: set[MarketKey] = set()
    for market in MARKETS:
        match draw(st.sampled_from(_WHAT_MARKETS_DO)):
            case "moves":
                offer[market] = {key: (_price(draw), True) for key in "ab"}
            case "is suspended":
                offer[market] = offer.get(market, {}) | {"b": (None, False)}
            case "goes":
                offer.pop(market, None)
            case "is refused":
                refused.add(market)
            case _:
                offer.setdefault(market, {"a": (Decimal("1.9"), True)})
    seconds = -3600 if kind == "late" else draw(st.sampled_from([5, 20, 40]))
    status = {"late": "complete", "failed in part": "failed"}.get(kind, kind)
    is_read = kind in ("complete", "late", "failed in part")
    markets = {market: dict(offer[market]) for market in offer if market not in refused} if is_read else {}
    return Answer(slug, event, at + timedelta(seconds=seconds), status, kickoff, markets, refused if is_read else set())


def _price(draw: st.DrawFn) -> Decimal:
    return Decimal(draw(st.sampled_from(["1.5", "1.9", "2.25", "180.5"])))


class Walk(PlainModel):
    """The plain model, which also remembers when each market was seen as it then was."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[tuple[ListingKey, MarketKey], list[datetime]] = defaultdict(list)
        self.answers: dict[ListingKey, list[Answer]] = defaultdict(list)

    def apply(self, cycle: Cycle) -> None:
        known = {key: listing.last_answer for key, listing in self.listings.items()}
        super().apply(cycle)
        for answer in cycle.answers:
            newest = known.get((answer.bookmaker, answer.event))
            if answer.status != "not_asked" and (newest is None or answer.at >= newest):
                self.answers[answer.bookmaker, answer.event].append(answer)

    def _observe(self, key: ListingKey, answer: Answer, *, changes_count: bool) -> None:
        super()._observe(key, answer, changes_count=changes_count)
        for market_key, outcomes in answer.markets.items():
            market = self.listings[key].markets.get(market_key)
            offered = frozenset((name, active, odds if active else None) for name, (odds, active) in outcomes.items())
            if market is not None and market.gone_at is None and market.offer() == offered:
                self.seen[key, market_key].append(answer.at)

    def state_at(self, moment: datetime) -> dict[Any, tuple[Outcomes, bool, datetime]]:
        """(bookmaker, event, market, line) to outcomes, whether on offer, and since when; the last change wins."""
        return {
            (*listing, *market): (outcomes, is_available, at)
            for listing, market, at, outcomes, is_available in sorted(self.history, key=lambda change: change[2])
            if at <= moment
        }

    def confirmed_at(self, key: tuple[str, str, str, Decimal | None]) -> datetime:
        """When the market, which is on offer, was last confirmed after all cycles."""
        listing = self.listings[key[:2]]
        market = listing.markets[key[2:]]
        return market.own_sighting or max(market.changed_at, listing.last_confirmed or market.changed_at)

    def last_seen(self, key: tuple[str, str, str, Decimal | None], moment: datetime) -> datetime:
        """When the market was last seen by a moment at which it was on offer."""
        return max(at for at in self.seen[key[:2], key[2:]] if at <= moment)

    def was_stale(self, listing: ListingKey, moment: datetime) -> bool:
        """Whether of its answers by then the last three failed, or none was read for a quarter of an hour."""
        told = [answer for answer in self.answers[listing] if answer.at <= moment]
        read_at = [answer.at for answer in told if answer.status != "failed" or answer.markets]
        is_failing = len(told) >= 3 and all(answer.status == "failed" for answer in told[-3:])
        return is_failing or moment - max(read_at) > timedelta(minutes=15)
