"""The event list: what a row says, every filter on its own and combined, and pages that lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.events import EVENTS, EventCursor, EventFilter, events
from odds_pipeline.analysis.headline import HEADLINE
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline.markets.catalogue import Catalogue
from odds_pipeline.odds.frames import require_schema
from odds_pipeline_tests.analysis.hand_made import (
    BOTH_TO_SCORE,
    DOUBLE_CHANCE,
    MATCHES,
    NOW,
    OVER_UNDER,
    RESULT,
    HandMade,
    MarketKey,
    hand_made,
    moment,
    outcomes,
)
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.rows import insert, insert_event, insert_listing


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    """The hand-made world, which these tests only read."""
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


def found(world: HandMade, wanted: EventFilter, now: datetime = NOW) -> list[str]:
    """The events that a filter finds, by their name in the world, in order."""
    names = {event_id: name for name, event_id in world.events.items()}
    return [names[event_id] for event_id in events(world.source, wanted, now=now).rows["event_id"]]


def headline(
    market: MarketKey, bookmaker: str, updated_in: int | None, prices: list[dict[str, Any]], gone_in: int | None = None
) -> dict[str, Any]:
    """An element of ``headline``; the cycles that changed it last and took it away."""
    market_id, line = market
    names = {"3743": "1X2 - FT", "5000": "Total Score Over/Under - FT", "3795": "Both Teams To Score - FT"}
    state = "never_offered" if updated_in is None else "available" if gone_in is None else "unavailable"
    return {
        "betpawa_market_id": market_id,
        "betpawa_market_name": names.get(market_id, "Double Chance - FT"),
        "line": line,
        "bookmaker_slug": bookmaker,
        "state": state,
        "unavailable_at": None if gone_in is None else moment(gone_in, bookmaker),
        "last_updated_at": None if updated_in is None else moment(updated_in, bookmaker),
        "outcomes": prices,
    }


def test_a_row_tells_an_event_with_its_listings_and_headline_markets(world: HandMade) -> None:
    rows = events(world.source, now=NOW).rows
    require_schema(rows, EVENTS, source="the event list")
    derby = rows.row(1, named=True)
    assert derby == {
        "event_id": world.events["derby"],
        "name": "Arsenal - Chelsea",
        "home_team": "Arsenal",
        "away_team": "Chelsea",
        "kickoff": datetime(2026, 11, 20, 18, tzinfo=UTC),
        "country": "England",
        "tournament": "Premier League",
        "tournament_id": world.tournaments["Premier League"],
        "sportradar_id": "1001",
        "is_started": False,
        "is_available": True,
        # The oldest of what is on offer: Bet9ja has failed since.
        "last_confirmed_at": moment(3, "bet9ja"),
        "is_stale": True,
        "listings": [
            {
                "bookmaker_slug": bookmaker,
                "external_event_id": listing,
                "kickoff": datetime(2026, 11, 20, 18, tzinfo=UTC),
                "is_available": True,
                "last_confirmed_at": moment(confirmed_in, bookmaker),
                "is_stale": is_stale,
            }
            for bookmaker, listing, confirmed_in, is_stale in [
                ("betpawa", "p1", 6, False),
                ("sportybet", "s1", 6, False),
                ("bet9ja", "n1", 3, True),
            ]
        ],
        "headline": [
            headline(RESULT, "betpawa", 3, outcomes(RESULT, "1.90", "3.50", "4.10")),
            headline(RESULT, "sportybet", 4, outcomes(RESULT, "1.92", "3.40", "4.00")),
            headline(RESULT, "bet9ja", 2, outcomes(RESULT, "1.88", "3.45", "4.05")),
            headline(OVER_UNDER, "betpawa", 1, outcomes(OVER_UNDER, "1.85", "1.95")),
            headline(OVER_UNDER, "sportybet", 1, outcomes(OVER_UNDER, "1.83", "1.97")),
            headline(OVER_UNDER, "bet9ja", 3, outcomes(OVER_UNDER, "1.80", "2.00"), gone_in=3),
            headline(BOTH_TO_SCORE, "betpawa", 4, outcomes(BOTH_TO_SCORE, "1.75", "2.10", suspended=("No",))),
            headline(BOTH_TO_SCORE, "sportybet", 1, outcomes(BOTH_TO_SCORE, "1.72", "2.05")),
            headline(BOTH_TO_SCORE, "bet9ja", None, []),
            headline(DOUBLE_CHANCE, "betpawa", 1, outcomes(DOUBLE_CHANCE, "1.25", "1.75", "1.30")),
            headline(DOUBLE_CHANCE, "sportybet", None, []),
            headline(DOUBLE_CHANCE, "bet9ja", None, []),
        ],
    }


def test_an_event_that_has_kicked_off_was_last_seen_before_and_is_not_stale(world: HandMade) -> None:
    home = events(world.source, now=NOW).rows.row(0, named=True)
    kickoff = datetime(2026, 11, 20, 12, 8, tzinfo=UTC)
    assert (home["is_started"], home["is_available"], home["is_stale"]) == (True, False, False)
    assert home["last_confirmed_at"] == moment(4, "betpawa")
    assert [listing["is_available"] for listing in home["listings"]] == [False]
    assert [(market["state"], market["unavailable_at"]) for market in home["headline"]] == [
        ("unavailable", kickoff),
        *[("never_offered", None)] * 3,
    ]
    # Nothing was heard of its listing for an hour, as it should be.
    later = events(world.source, now=NOW + timedelta(hours=1)).rows.row(0, named=True)
    assert ([listing["is_stale"] for listing in later["listings"]], later["is_stale"]) == ([True], False)


def test_freshness_is_against_the_time_asked_at(world: HandMade) -> None:
    fresh = events(world.source, now=moment(6, "betpawa") + timedelta(minutes=15)).rows
    assert fresh.filter(name="Kano Pillars - Enugu Rangers")["is_stale"].to_list() == [False]
    later = events(world.source, now=moment(6, "betpawa") + timedelta(minutes=15, microseconds=1)).rows
    (moved,) = later.filter(name="Kano Pillars - Enugu Rangers").to_dicts()
    # betPawa's newest answer is older than three intervals, SportyBet's, two seconds younger, is not.
    assert [listing["is_stale"] for listing in moved["listings"]] == [True, False]
    assert (moved["is_stale"], moved["last_confirmed_at"]) == (True, moment(6, "betpawa"))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EventFilter(), ["home", "derby", "away", "moved"]),
        (EventFilter(kickoff_since=at(20, 12, 8), kickoff_until=at(20, 18)), ["home"]),
        (EventFilter(kickoff_since=at(20, 18)), ["derby", "away", "moved"]),
        (EventFilter(kickoff_until=at(20, 18, 1)), ["home", "derby"]),
        (EventFilter(kickoff_since=at(22, 18), kickoff_until=at(22, 20)), []),  # it was there before it moved
        (EventFilter(kickoff_since=at(22, 20), kickoff_until=at(22, 20)), []),
        (EventFilter(country="Nigeria"), ["home", "moved"]),
        (EventFilter(country="Atlantis"), []),
        (EventFilter(name="aRSENAL - ch"), ["derby"]),
        (EventFilter(name="%"), []),
        (EventFilter(name="Arsenal_-_Chelsea"), []),
        (EventFilter(name="\\"), []),
        (EventFilter(tournament_id=2**40), []),
        (EventFilter(bookmakers=["bet9ja"]), ["derby"]),
        (EventFilter(bookmakers=["sportybet"]), ["derby", "away", "moved"]),
        (EventFilter(bookmakers=["bet9ja", "betpawa"]), ["home", "derby", "moved"]),
        (EventFilter(bookmakers=[]), []),
        (EventFilter(is_available=True), ["derby", "away", "moved"]),
        (EventFilter(is_available=False), ["home"]),
        (EventFilter(is_started=True), ["home"]),
        (EventFilter(is_started=False), ["derby", "away", "moved"]),
        (EventFilter(country="Nigeria", is_started=False), ["moved"]),
        (EventFilter(country="England", bookmakers=["betpawa"], is_available=True), ["derby"]),
        (EventFilter(bookmakers=["betpawa"], is_available=False, kickoff_since=at(20, 12)), ["home"]),
        (EventFilter(bookmakers=["bet9ja"], is_available=False), []),
        (EventFilter(is_started=True, is_available=True), []),
    ],
    ids=str,
)
def test_a_filter_finds_the_events_that_meet_every_condition(
    world: HandMade, wanted: EventFilter, expected: list[str]
) -> None:
    assert found(world, wanted) == expected


def test_a_tournament_is_found_by_its_id(world: HandMade) -> None:
    assert found(world, EventFilter(tournament_id=world.tournaments["Premier League"])) == ["derby", "away"]


def test_an_event_has_started_from_its_kickoff_on(world: HandMade) -> None:
    kickoff = MATCHES["home"].kickoff
    assert found(world, EventFilter(is_started=True), kickoff) == ["home"]
    assert found(world, EventFilter(is_started=True), kickoff - timedelta(microseconds=1)) == []


def test_a_filter_by_bookmaker_still_shows_the_others(world: HandMade) -> None:
    (derby,) = events(world.source, EventFilter(bookmakers=["bet9ja"]), now=NOW).rows.to_dicts()
    assert len(derby["listings"]) == 3
    assert len(derby["headline"]) == 12


def test_what_makes_no_sense_is_refused(world: HandMade) -> None:
    def ask(wanted: EventFilter, *, now: datetime = NOW, limit: int = 100) -> None:
        events(world.source, wanted, now=now, limit=limit)

    with pytest.raises(BadQuestion, match="limit is 0; a page has 1 to 500 rows"):
        ask(EventFilter(), limit=0)
    with pytest.raises(BadQuestion, match="limit is 501"):
        ask(EventFilter(), limit=501)
    with pytest.raises(BadQuestion, match="no bookmaker is called 'bet365'; known are betpawa, sportybet, bet9ja"):
        ask(EventFilter(bookmakers=["bet365"]))
    with pytest.raises(BadQuestion, match="before it begins"):
        ask(EventFilter(kickoff_since=at(21, 0), kickoff_until=at(20, 0)))
    with pytest.raises(BadQuestion, match="country is"):
        ask(EventFilter(country="Nige\0ria"))
    with pytest.raises(BadQuestion, match="name is"):
        ask(EventFilter(name="Ars\0enal"))
    with pytest.raises(ValueError, match="has no time zone"):
        ask(EventFilter(kickoff_since=datetime(2026, 11, 20)))  # noqa: DTZ001
    with pytest.raises(ValueError, match="has no time zone"):
        ask(EventFilter(), now=datetime(2026, 11, 20))  # noqa: DTZ001


@pytest.mark.parametrize("cursor", [EventCursor(NOW, 7), EventCursor(None, 2**40), EventCursor(NOW.replace(year=1), 0)])
def test_a_cursor_survives_as_a_word(cursor: EventCursor) -> None:
    word = cursor.encode()
    assert EventCursor.decode(word) == cursor
    assert word.replace("-", "").replace("_", "").isalnum(), "needs no quoting in a URL"


@pytest.mark.parametrize("word", ["", "x", "é", "7", "NyAyMDI2", "a b", EventCursor(NOW, 7).encode() + "A"])
def test_a_word_that_is_no_cursor_is_refused(word: str) -> None:
    with pytest.raises(BadQuestion, match="is no place in the event list"):
        EventCursor.decode(word)


def test_the_headline_markets_are_in_the_catalogue() -> None:
    markets = Catalogue.load().markets
    assert [markets[market].name for market, _ in HEADLINE] == [
        "1X2 - FT",
        "Total Score Over/Under - FT",
        "Both Teams To Score - FT",
        "Double Chance - FT",
    ]
    assert [line is not None for _, line in HEADLINE] == [markets[id].handicap_type is not None for id, _ in HEADLINE]


def test_an_event_without_a_kickoff_comes_last_and_has_not_started(database: Database) -> None:
    world = hand_made(database)
    with database.connect() as connection:
        unnamed = insert_event(connection)
        connection.execute("UPDATE events SET kickoff = NULL WHERE id = %s", [unnamed])
        insert_listing(connection, unnamed, "betpawa", "unnamed")
    rows = events(world.source, now=NOW).rows
    assert rows["event_id"].to_list() == [*(world.events[name] for name in ("home", "derby", "away", "moved")), unnamed]
    last = rows.row(-1, named=True)
    # Nobody has answered about it yet: it is listed, and nothing about it is known to be fresh.
    assert (last["is_started"], last["is_available"], last["last_confirmed_at"], last["is_stale"]) == (
        False,
        True,
        None,
        True,
    )
    assert [market["state"] for market in last["headline"]] == ["never_offered"] * 4
    assert unnamed in events(world.source, EventFilter(is_started=False), now=NOW).rows["event_id"]
    assert unnamed not in events(world.source, EventFilter(kickoff_since=at(1, 0)), now=NOW).rows["event_id"]


def test_a_secondary_listing_is_left_out(database: Database) -> None:
    world = hand_made(database)
    before = events(world.source, now=NOW).rows
    with database.connect() as connection:
        insert_listing(connection, world.events["derby"], "betpawa", "second p1", is_primary=False)
        insert_listing(connection, world.events["away"], "bet9ja", "second n3", is_primary=False)
    assert events(world.source, now=NOW).rows.equals(before)
    assert found(world, EventFilter(bookmakers=["bet9ja"])) == ["derby"]


def test_an_empty_database_has_an_empty_list(database: Database) -> None:
    page = events(OddsSource(database, archive_of(database), lambda since, until: []), now=NOW)
    require_schema(page.rows, EVENTS, source="the event list")
    assert (page.rows.height, page.next) == (0, None)


@pytest.mark.parametrize("seed", range(4))
def test_pages_are_complete_and_without_doubles_while_events_arrive(database: Database, seed: int) -> None:
    random = Random(seed)
    source = OddsSource(database, archive_of(database), lambda since, until: [])
    # Few kick-offs, so that many events share one, and some have none.
    kickoffs = [None, *(NOW + timedelta(hours=hour) for hour in range(4))]

    def arrive(count: int) -> list[int]:
        with database.connect() as connection:
            tournament = connection.execute("SELECT tournament_id FROM events LIMIT 1").fetchone()
            tournament_id = tournament[0] if tournament else insert(
                connection, "tournaments", sport_id=1, name="League", country="Nigeria"
            )  # fmt: skip
            return [
                insert(
                    connection, "events", tournament_id=tournament_id, name="A - B", home_team="A", away_team="B",
                    kickoff=random.choice(kickoffs),
                )
                for _ in range(count)
            ]  # fmt: skip

    there = arrive(40)
    seen: list[int] = []
    after: EventCursor | None = None
    while True:
        page = events(source, now=NOW, limit=random.randint(1, 9), after=after)
        seen += page.rows["event_id"].to_list()
        if page.next is None:
            break
        after = EventCursor.decode(page.next.encode())
        arrive(random.randint(0, 2))
        assert len(seen) < 300
    assert len(seen) == len(set(seen))
    assert set(there) <= set(seen)
    with database.connect() as connection:
        ordered = [row[0] for row in connection.execute("SELECT id FROM events ORDER BY kickoff NULLS LAST, id")]
    assert seen == [event_id for event_id in ordered if event_id in set(seen)]


@pytest.mark.parametrize("part", ["100%", "_b", "\\", "É", "\\_B"])
def test_a_part_of_a_name_means_its_characters_and_no_pattern(database: Database, part: str) -> None:
    source = OddsSource(database, archive_of(database), lambda since, until: [])
    with database.connect() as connection:
        insert(connection, "tournaments", sport_id=1, name="League", country="Nigeria")
        for name in ("100% \\_B - Équipe", "1000 xB - Equipe"):
            insert(connection, "events", tournament_id=1, name=name, home_team="A", away_team="B")
    told = events(source, EventFilter(name=part), now=NOW).rows
    assert told["name"].to_list() == ["100% \\_B - Équipe"]


def test_a_page_that_holds_exactly_the_rest_is_the_last(world: HandMade) -> None:
    first = events(world.source, now=NOW, limit=2)
    assert first.next is not None
    second = events(world.source, now=NOW, limit=2, after=first.next)
    assert (second.rows.height, second.next) == (2, None)


def test_the_ends_of_time_are_times(world: HandMade) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    whole = EventFilter(kickoff_since=first, kickoff_until=last)
    assert found(world, whole, first) == found(world, whole, last) == ["home", "derby", "away", "moved"]
    assert events(world.source, now=last, after=EventCursor(first, 0)).rows.height == 4
    assert events(world.source, now=first, after=EventCursor(last, 2**70)).rows.height == 0
