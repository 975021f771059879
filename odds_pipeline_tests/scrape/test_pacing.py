"""The order of matches and the measure of how far apart their answers lie."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from odds_pipeline.odds.observation import Listing
from odds_pipeline.scrape.pacing import Room, Spread, fullest_first, matches_in_order

NOON = datetime(2030, 3, 2, 12, 0, tzinfo=UTC)


def listing(
    bookmaker: str, event: str, sportradar_id: str | None, *, hours: float | None = 0, home: str = "Rovers"
) -> Listing:
    return Listing(
        bookmaker=bookmaker,
        external_event_id=event,
        sportradar_id=sportradar_id,
        sport="football",
        country="Nigeria",
        tournament="Premier Division",
        home_team=home,
        away_team="City",
        kickoff=None if hours is None else NOON + timedelta(hours=hours),
    )


def test_listings_of_one_sportradar_id_are_one_match_and_others_stand_alone() -> None:
    matches = matches_in_order(
        [
            listing("betpawa", "1", "9"),
            listing("sportybet", "sr:match:9", "9"),
            listing("bet9ja", "5", None),
            listing("betpawa", "5", None),
        ]
    )
    assert sorted(len(match) for match in matches) == [1, 1, 2]


def test_the_nearest_kickoff_comes_first_and_an_unknown_one_last() -> None:
    listings = [
        listing("betpawa", "late", "1", hours=5),
        listing("betpawa", "unknown", "2", hours=None),
        listing("betpawa", "soon", "3", hours=1),
    ]
    assert [match[0].external_event_id for match in matches_in_order(listings)] == ["soon", "late", "unknown"]


def test_a_match_goes_by_its_earliest_kickoff() -> None:
    postponed = [listing("betpawa", "a", "1", hours=9), listing("bet9ja", "b", "1", hours=1)]
    other = [listing("betpawa", "c", "2", hours=4)]
    assert len(matches_in_order([*other, *postponed])[0]) == 2


def test_a_listing_without_an_id_stands_next_to_its_twin_of_the_same_name_and_kickoff() -> None:
    listings = [listing("bet9ja", str(n), str(n), home=f"Team {n:03}") for n in range(50)]
    listings.append(listing("betpawa", "x", None, home="TEAM 020"))
    order = [match[0].external_event_id for match in matches_in_order(listings)]
    assert abs(order.index("x") - order.index("20")) == 1


def test_the_bookmaker_with_the_least_room_is_waited_for_first() -> None:
    async def run() -> None:
        rooms = {"betpawa": Room(50), "bet9ja": Room(2)}
        match = [listing("betpawa", "1", "9"), listing("bet9ja", "2", "9")]
        assert [one.bookmaker for one in fullest_first(match, rooms)] == ["bet9ja", "betpawa"]

    asyncio.run(run())


def test_a_room_admits_two_requests_for_each_slot_and_then_makes_wait() -> None:
    async def run() -> None:
        room = Room(3)
        for _ in range(6):
            await room.enter()
        waiting = asyncio.create_task(room.enter())
        await asyncio.sleep(0)
        assert (room.free, waiting.done()) == (0, False)
        room.leave()
        await waiting
        assert room.free == 0

    asyncio.run(run())


def test_the_spread_is_the_median_over_matches_that_two_bookmakers_answered() -> None:
    spread = Spread()
    for bookmaker, event, sportradar_id, seconds in [
        ("betpawa", "1", "1", 0),
        ("bet9ja", "1", "1", 2),
        ("sportybet", "1", "1", 1),
        ("betpawa", "2", "2", 5),
        ("bet9ja", "2", "2", 9),
        ("betpawa", "3", "3", 500),
        ("betpawa", "4", None, 900),
        ("bet9ja", "4", None, 0),
    ]:
        spread.arrived(listing(bookmaker, event, sportradar_id), NOON + timedelta(seconds=seconds))
    assert spread.median_s() == 3


def test_without_a_match_of_two_bookmakers_there_is_no_spread() -> None:
    assert Spread().median_s() is None
