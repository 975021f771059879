"""A match that a bookmaker lists twice: whichever tier its rows lie in, answers have its primary listing alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from odds_pipeline.analysis.comparison import compare
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.cleanup import clean_up
from odds_pipeline.days.read import Wanted
from odds_pipeline.settings import Settings
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.database.test_listings import FIVE_MINUTES, T0, commit, listing
from odds_pipeline_tests.days.questions import EVERYTHING, current_at, retire, told

A_DAY = timedelta(days=1) // FIVE_MINUTES
LONG_AFTER = datetime(2026, 4, 20, tzinfo=UTC)
BY_BOOKMAKER = Wanted(bookmakers=["betpawa"])
ALL_TIME = (T0, LONG_AFTER)

Told = list[tuple[str, Decimal]]


@pytest.fixture
def event_id(database: Database) -> int:
    """Listed twice by betPawa, at another price by SportyBet; over for long."""
    for day, price in enumerate(("2.5", "2.7")):
        one, other = listing("betpawa", "p1"), listing("betpawa", "p2")
        commit(database, day * A_DAY, one, price=price)
        commit(database, day * A_DAY + 1, one, other, listing("sportybet", "s1"), price=price)
        commit(database, day * A_DAY + 2, other, price="1" + price)
    return query(database, "SELECT DISTINCT event_id FROM event_bookmakers")[0][0]


def end_the_days(database: Database) -> int:
    """Retire every day, and clean up; how many events went."""
    retire(database, LONG_AFTER.date())
    return clean_up(database, Bounds.of(Settings(), LONG_AFTER))["events"]


def changes(database: Database, archive: Archive, wanted: Wanted) -> Told:
    rows = told(database, archive, wanted, *ALL_TIME).rows
    return [(row["external_event_id"], row["outcomes"][0]["odds"]) for row in rows.to_dicts()]


def states(database: Database, archive: Archive, wanted: Wanted) -> Told:
    rows = current_at(database, archive, wanted, T0 + timedelta(days=1, hours=1)).rows
    return [(row["external_event_id"], row["outcomes"][0]["odds"]) for row in rows.to_dicts()]


def test_a_secondary_listing_stays_out_when_its_event_is_cleaned_up(
    event_id: int, database: Database, archive: Archive
) -> None:
    questions = (Wanted(event_ids=[event_id]), BY_BOOKMAKER, EVERYTHING)
    before = [(changes(database, archive, each), states(database, archive, each)) for each in questions]
    assert before[0][0] == [
        ("p1", Decimal("2.5")),
        ("p1", Decimal("2.7")),
        ("s1", Decimal("2.5")),
        ("s1", Decimal("2.7")),
    ]
    assert before[1][1] == [("p1", Decimal("2.7"))]
    source = OddsSource(database, archive, lambda first, last: [])
    moment = T0 + timedelta(days=1, hours=1)
    side_by_side = compare(source, event_id, moment=moment, now=LONG_AFTER).rows.select("prices", "best_bookmakers")
    assert end_the_days(database) == 1
    assert [(changes(database, archive, each), states(database, archive, each)) for each in questions] == before
    cleaned = compare(source, event_id, moment=moment, now=LONG_AFTER).rows
    assert (
        cleaned["best_bookmakers"].to_list() == side_by_side["best_bookmakers"].to_list() == [["betpawa", "sportybet"]]
    )
    assert [price["bookmaker_slug"] for price in cleaned["prices"][0]] == ["betpawa", "sportybet"]


def test_a_later_listing_under_the_same_id_is_told(event_id: int, database: Database, archive: Archive) -> None:
    """Bookmakers use ids again: what was noted is about the listing that ended."""
    end_the_days(database)
    commit(database, 2 * A_DAY, listing("betpawa", "p2", sportradar_id="90000002"), price="3.3")
    (later,) = query(database, "SELECT event_id FROM event_bookmakers")[0]
    assert later != event_id
    assert changes(database, archive, Wanted(event_ids=[later])) == [("p2", Decimal("3.3"))]
    assert end_the_days(database) == 1
    assert changes(database, archive, Wanted(event_ids=[later])) == [("p2", Decimal("3.3"))]
    assert [event for event, _ in changes(database, archive, BY_BOOKMAKER)] == ["p1", "p1", "p2"]


def test_only_secondary_listings_are_noted_and_again_when_their_id_is(
    event_id: int, database: Database, archive: Archive
) -> None:
    ((first,),) = query(
        database,
        "SELECT max(market.id) FROM markets AS market "
        "JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id WHERE NOT listing.is_primary",
    )
    end_the_days(database)
    noted = "SELECT external_event_id, last_market_id FROM secondary_listings"
    assert query(database, noted) == [("p2", first)]
    again = listing("betpawa", "p3"), listing("betpawa", "p2")
    commit(database, 2 * A_DAY, again[0])
    commit(database, 2 * A_DAY + 1, *again)
    end_the_days(database)
    ((event, last),) = query(database, noted)
    assert (event, last > first) == ("p2", True)
    assert [event for event, _ in changes(database, archive, BY_BOOKMAKER)] == ["p1", "p1", "p3"]
