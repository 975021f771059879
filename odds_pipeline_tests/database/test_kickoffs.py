"""Kick-offs as they were known: a row when an event is first seen, one more whenever its kick-off changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from odds_pipeline.database.engine import Database
from odds_pipeline.database.write import write_cycle
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, answer, prepared, running
from odds_pipeline_tests.database.cycles import commit as commit_cycle
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.database.test_listings import FIVE_MINUTES, KICKOFF, T0, commit, listing
from odds_pipeline_tests.legacy.hand_made import NOW as IMPORTED_AT
from odds_pipeline_tests.legacy.hand_made import at as earlier
from odds_pipeline_tests.legacy.hand_made import change, imported

A_DAY = timedelta(days=1)
LATER = KICKOFF + A_DAY


def cycle_at(number: int) -> datetime:
    return T0 + number * FIVE_MINUTES


def known(database: Database, external_event_id: str = "p1") -> list[tuple[Any, ...]]:
    """(known since, kick-off) of a listing's event, oldest first."""
    return query(
        database,
        """
        SELECT known_since, known.kickoff FROM event_kickoffs AS known
        JOIN event_bookmakers AS listing USING (event_id)
        WHERE external_event_id = %s ORDER BY known_since
        """,
        [external_event_id],
    )


def test_an_event_has_a_kickoff_from_the_cycle_that_saw_it_first(database: Database) -> None:
    """The time is the cycle's: what its answers say of the odds, which arrive later, is judged by it."""
    market: dict[MarketKey, dict[str, str | None]] = {("3743", None): {"1": "2.5"}}
    arrived = T0 + timedelta(seconds=40)
    commit_cycle(database, Cycle(T0, {}, [answer("betpawa", "p1", arrived, market, kickoff=KICKOFF)]))
    assert known(database) == [(T0, KICKOFF)]


def test_an_event_that_was_discovered_and_not_asked_for_has_its_kickoff(database: Database) -> None:
    commit_cycle(
        database,
        Cycle(T0, {"betpawa": (T0, True)}, [answer("betpawa", "p1", T0, status="not_asked", kickoff=KICKOFF)]),
    )
    assert known(database) == [(T0, KICKOFF)]


def test_a_kickoff_that_stays_adds_nothing(database: Database) -> None:
    for number in range(3):
        commit(database, number, listing("betpawa", "p1"), price=f"2.{number}")
    commit(database, 3, listing("betpawa", "p1", home_team="Lagos"))
    assert known(database) == [(T0, KICKOFF)]


def test_a_kickoff_that_is_moved_and_moved_back_is_known_three_times(database: Database) -> None:
    for number, kickoff in enumerate([KICKOFF, LATER, LATER, KICKOFF]):
        commit(database, number, listing("betpawa", "p1", kickoff=kickoff))
    assert known(database) == [(T0, KICKOFF), (cycle_at(1), LATER), (cycle_at(3), KICKOFF)]


def test_an_unknown_kickoff_is_known_to_be_unknown_until_a_bookmaker_says(database: Database) -> None:
    commit(database, 0, listing("betpawa", "p1", kickoff=None))
    commit(database, 1, listing("betpawa", "p1"))
    commit(database, 2, listing("betpawa", "p1", kickoff=None))
    assert known(database) == [(T0, None), (cycle_at(1), KICKOFF)], "what is left unsaid once is not forgotten"


def test_the_kickoff_is_that_of_the_listing_that_shows_the_event(database: Database) -> None:
    """A competitor's counts until betPawa lists the match, and not any more then."""
    commit(database, 0, listing("sportybet", "s1", kickoff=LATER))
    commit(database, 1, listing("sportybet", "s1", kickoff=LATER), listing("betpawa", "p1"))
    commit(database, 2, listing("sportybet", "s1", kickoff=LATER + A_DAY), listing("betpawa", "p1"))
    assert known(database) == [(T0, LATER), (cycle_at(1), KICKOFF)]


def test_a_late_answer_leaves_the_kickoff(database: Database) -> None:
    commit(database, 2, listing("betpawa", "p1"))
    assert commit(database, 1, listing("betpawa", "p1", kickoff=LATER)).late == 1
    assert known(database) == [(cycle_at(2), KICKOFF)]


def test_what_an_older_cycle_tells_of_the_kickoff_is_the_newest_that_is_known(database: Database) -> None:
    """A bookmaker is heard of for the first time in a cycle older than the last: the event's kick-off is its now."""
    commit(database, 2, listing("sportybet", "s1", kickoff=LATER))
    commit(database, 1, listing("betpawa", "p1"))
    assert known(database) == [(cycle_at(2), KICKOFF)]


def test_a_cycle_written_twice_adds_nothing(database: Database) -> None:
    for _ in range(2):
        for number, kickoff in enumerate([KICKOFF, LATER]):
            commit(database, number, listing("betpawa", "p1", kickoff=kickoff))
    assert known(database) == [(T0, KICKOFF), (cycle_at(1), LATER)]


def test_a_replayed_cycle_dates_kickoffs_by_itself_and_not_by_the_clock(database: Database) -> None:
    """Files of March that are replayed in June: what was known is known since March."""
    june = T0 + timedelta(days=90)
    cycle = Cycle(T0, {}, [answer("betpawa", "p1", T0, {("3743", None): {"1": "2.5"}}, kickoff=KICKOFF)])
    run_id = running(database, june)
    write_cycle(database, archive_of(database), prepared(cycle, run_id), run_id=run_id, settings=SETTINGS, now=june)
    assert known(database) == [(T0, KICKOFF)]


def test_an_event_that_a_listing_has_left_shows_the_other_listings_kickoff(database: Database) -> None:
    commit(database, 0, listing("betpawa", "p1", kickoff=LATER), listing("sportybet", "s1"))
    assert known(database, "s1") == [(T0, LATER)]
    commit(database, 1, listing("betpawa", "p1", kickoff=LATER, sportradar_id="90000002"), listing("sportybet", "s1"))
    assert known(database, "s1") == [(T0, LATER), (cycle_at(1), KICKOFF)]
    assert known(database, "p1") == [(T0, LATER)], "the match that it shows now has been known as long as it has"


def test_a_listing_that_learns_its_match_brings_the_kickoffs_of_before(database: Database) -> None:
    """Its odds of before are judged by them: the match itself was not known yet."""
    commit(database, 0, listing("betpawa", "p1", sportradar_id=None, kickoff=LATER))
    commit(database, 1, listing("betpawa", "p1", sportradar_id=None, kickoff=LATER + A_DAY))
    commit(database, 2, listing("sportybet", "s1"))
    commit(database, 3, listing("betpawa", "p1", sportradar_id=None, kickoff=LATER))
    commit(database, 4, listing("betpawa", "p1", kickoff=LATER))
    assert len(query(database, "SELECT FROM events")) == 1
    assert known(database) == [
        *[(T0, LATER), (cycle_at(1), LATER + A_DAY)],
        (cycle_at(2), KICKOFF),
        (cycle_at(4), LATER),
    ]


def test_a_listing_whose_own_event_learns_the_match_keeps_its_kickoffs(database: Database) -> None:
    commit(database, 0, listing("betpawa", "p1", sportradar_id=None))
    commit(database, 1, listing("betpawa", "p1", kickoff=LATER))
    assert known(database) == [(T0, KICKOFF), (cycle_at(1), LATER)]


def test_an_imported_event_has_a_kickoff_since_its_import(database: Database) -> None:
    """It is the first that is known, so it counts for all that was before."""
    imported(database, 3, change(earlier(3, 10), {"1": "1.85", "2": "4.20"}, kickoff=earlier(4, 20)))
    assert known(database, "1") == [(IMPORTED_AT, earlier(4, 20))]


def test_an_import_leaves_the_kickoffs_of_events_that_we_know(database: Database) -> None:
    market: dict[MarketKey, dict[str, str | None]] = {("3743", None): {"1": "2.5"}}
    moment = earlier(3, 12)
    commit_cycle(database, Cycle(moment, {}, [answer("betpawa", "1", moment, market, kickoff=earlier(5, 20))]))
    imported(database, 3, change(earlier(3, 10), {"1": "1.85", "2": "4.20"}, kickoff=earlier(4, 20)))
    assert known(database, "1") == [(moment, earlier(5, 20))]
