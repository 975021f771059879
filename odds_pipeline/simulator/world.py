"""The simulated offer of the three bookmakers at a moment: who lists what, and what each answer says.

A pure function of seed and time. The only thing that is kept is how far the world's time was moved ahead of its clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal, Protocol

from odds_pipeline.clock import Clock
from odds_pipeline.simulator.bet9ja_answers import Bet9jaAnswers
from odds_pipeline.simulator.betpawa_answers import BetpawaAnswers
from odds_pipeline.simulator.compression import gzip_body
from odds_pipeline.simulator.mix import units_of
from odds_pipeline.simulator.pages import Pages
from odds_pipeline.simulator.schedule import BOOKMAKERS, EPOCH, Listed, Schedule
from odds_pipeline.simulator.sportybet_answers import SportybetAnswers

Sizes = Literal["audit", "xl", "full"]

#: Units on the smallest match and how steeply their number rises with the match's size, so that sizes are those of
#: the 199-event audit (means of 56 betPawa types, 193 and 168 markets), of scale XL (680,000 markets on 1,300 matches:
#: betPawa's types have two lines each) or of the full captures (reference, section 4).
_SIZES: dict[Sizes, dict[str, tuple[int, float]]] = {
    "audit": {"betpawa": (12, 1.85), "sportybet": (60, 6.6), "bet9ja": (60, 2.2)},
    "xl": {"betpawa": (80, 1.0), "sportybet": (60, 5.6), "bet9ja": (60, 1.8)},
    "full": {"betpawa": (80, 1.0), "sportybet": (370, 1.5), "bet9ja": (200, 1.5)},
}


class Offer(Protocol):
    """What the simulator serves: the simulated world, or a folder of captured answers."""

    def now(self) -> datetime: ...

    def advance(self, periods: int) -> datetime:
        """Move the world's time on by whole periods and return it."""
        ...

    def listed(self, bookmaker: str, *, in_play: bool = False) -> Sequence[Listed]:
        """The events in a bookmaker's lists, or those in play."""
        ...

    def find(self, bookmaker: str, event_id: str) -> Listed | None: ...

    def body(self, listed: Listed) -> bytes:
        """The gzip-compressed answer about one event."""
        ...

    def market_count(self, listed: Listed) -> int:
        """About how many markets the answer about an event has."""
        ...

    def markets(self, listed: Listed, wanted: frozenset[str]) -> list[bytes]:
        """The wanted markets (by the bookmaker's ids, every line) as they stand in the bookmaker's lists."""
        ...


class World:
    """The world made by ``seed``, with ``events`` matches listed at any moment; markets move every ``period``."""

    def __init__(self, *, seed: int, events: int, clock: Clock, period: timedelta, sizes: Sizes = "audit") -> None:
        self.period = period
        self._clock = clock
        self._ahead = timedelta()
        self._schedule = Schedule(seed, events)
        self._sizes = _SIZES[sizes]
        self._offers = lru_cache(maxsize=8)(self._schedule.offers)
        formats = {
            "betpawa": BetpawaAnswers(),
            "sportybet": SportybetAnswers(period // timedelta(milliseconds=1)),
            "bet9ja": Bet9jaAnswers(),
        }
        self._formats = formats
        self._pages = Pages(seed, formats)

    def now(self) -> datetime:
        """The world's time."""
        return self._clock.now() + self._ahead

    def advance(self, periods: int) -> datetime:
        self._ahead += periods * self.period
        return self.now()

    def listed(self, bookmaker: str, *, in_play: bool = False) -> Sequence[Listed]:
        if in_play:
            return self._schedule.in_play(bookmaker, self.now())
        # Lists change at kick-offs only, which stand on whole minutes.
        return self._offers(bookmaker, self.now().replace(second=0, microsecond=0))

    def find(self, bookmaker: str, event_id: str) -> Listed | None:
        return self._schedule.find(bookmaker, event_id, self.now())

    def body(self, listed: Listed) -> bytes:
        return self._body(listed, self.now())

    def market_count(self, listed: Listed) -> int:
        return self._units_on(listed)

    def markets(self, listed: Listed, wanted: frozenset[str]) -> list[bytes]:
        assert listed.match is not None
        now = self.now()
        if listed.match.kickoff <= now:
            return []
        units = self._units_on(listed)
        indexes = [i for i in self._wanted(listed.bookmaker, wanted) if i < units]
        return self._pages.in_list(listed, indexes, units, self._period_at(now))

    def render_ahead(self, periods: int) -> Iterator[Listed]:
        """Render every answer of the period that lies ``periods`` ahead, yielding after each, nearest kick-off first.

        After the current period (0 ahead), pages of events that nobody lists any more are dropped.
        """
        moment = self.now() + periods * self.period
        everyone = sorted((x for slug in BOOKMAKERS for x in self._schedule.offers(slug, moment)), key=_by_kickoff)
        for listed in everyone:
            self._body(listed, moment)
            yield listed
        if periods == 0:
            self._pages.forget_all_but({listed.key for listed in everyone})

    def _body(self, listed: Listed, moment: datetime) -> bytes:
        assert listed.match is not None
        if listed.match.kickoff <= moment:
            minutes = int((moment - listed.match.kickoff) / timedelta(minutes=1))
            return gzip_body(self._formats[listed.bookmaker].in_play(listed, minutes))
        return self._pages.body(listed, self._units_on(listed), self._period_at(moment))

    def _period_at(self, moment: datetime) -> int:
        return (moment - EPOCH) // self.period

    def _units_on(self, listed: Listed) -> int:
        assert listed.match is not None
        least, steepness = self._sizes[listed.bookmaker]
        most = len(units_of(listed.bookmaker))
        return least + round((most - least) * listed.match.size**steepness)

    @staticmethod
    @lru_cache(maxsize=256)
    def _wanted(bookmaker: str, wanted: frozenset[str]) -> list[int]:
        return [i for i, unit in enumerate(units_of(bookmaker)) if unit.market_id in wanted]


def _by_kickoff(listed: Listed) -> tuple[datetime, str]:
    return listed.kickoff, listed.key
