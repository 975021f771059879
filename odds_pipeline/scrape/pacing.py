"""The order in which matches are asked for, and the pace that keeps a match's answers together.

The bookmakers differ in speed: let loose, the fastest would be done before the slowest had begun, and the prices of one
match would be minutes apart. So matches are started one after another, and only when each of their bookmakers has room.
"""

from __future__ import annotations

import asyncio
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from odds_pipeline.odds.observation import Listing

_WITHOUT_KICKOFF = datetime.max.replace(tzinfo=UTC)

#: Requests admitted for each slot: one under way and one waiting keeps a slot busy, more would only spread a match.
_ADMITTED_PER_SLOT = 2


def matches_in_order(listings: Iterable[Listing]) -> list[list[Listing]]:
    """The listings of each match together, nearest kick-off first.

    A match is a SportRadar id; a listing without one stands alone. Kick-offs being equal, matches go by the home team's
    name, which brings a listing without an id near its twins.
    """
    matches: dict[tuple[str, ...], list[Listing]] = defaultdict(list)
    for listing in listings:
        if listing.sportradar_id is not None:
            matches[(listing.sportradar_id,)].append(listing)
        else:
            matches[(listing.bookmaker, listing.external_event_id)].append(listing)
    return [
        match
        for _, match in sorted(
            matches.items(),
            key=lambda item: (
                min(listing.kickoff or _WITHOUT_KICKOFF for listing in item[1]),
                min(listing.home_team.casefold() for listing in item[1]),
                item[0],
            ),
        )
    ]


class Room:
    """How many requests to one bookmaker may be begun and not yet recorded."""

    def __init__(self, parallelism: int) -> None:
        self._free = parallelism * _ADMITTED_PER_SLOT
        self._places = asyncio.Semaphore(self._free)

    @property
    def free(self) -> int:
        """Places left."""
        return self._free

    async def enter(self) -> None:
        """Take a place, waiting for one if there is none."""
        await self._places.acquire()
        self._free -= 1

    def leave(self) -> None:
        """Give a place back."""
        self._free += 1
        self._places.release()


def fullest_first(match: Iterable[Listing], rooms: Mapping[str, Room]) -> list[Listing]:
    """The listings of a match so that the one that must wait is waited for before any other is asked."""
    return sorted(match, key=lambda listing: rooms[listing.bookmaker].free)


class Spread:
    """How far apart the answers about one match arrived."""

    def __init__(self) -> None:
        self._arrivals: dict[str, dict[str, datetime]] = defaultdict(dict)

    def arrived(self, listing: Listing, captured_at: datetime) -> None:
        """Note an answer; those without a SportRadar id belong to no match that others answer for."""
        if listing.sportradar_id is not None:
            self._arrivals[listing.sportradar_id].setdefault(listing.bookmaker, captured_at)

    def median_s(self) -> float | None:
        """Median over the matches of two or more bookmakers of last minus first arrival, in seconds."""
        spreads = [
            (max(moments.values()) - min(moments.values())).total_seconds()
            for moments in self._arrivals.values()
            if len(moments) > 1
        ]
        return statistics.median(spreads) if spreads else None
