"""Events, listings and tournaments as cycle after cycle tells of them: what joins, what stays apart, what is shown."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.write import write_cycle
from odds_pipeline.odds.answers import prepare
from odds_pipeline.odds.frames import coverage_frame, coverage_row, observations_frame
from odds_pipeline.odds.observation import AnswerStatus, Listing, Observation, Outcome, ParsedAnswer
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, running
from odds_pipeline_tests.database.reading import current, history_count, query

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
KICKOFF = T0 + timedelta(days=1)


def listing(bookmaker: str, event: str, **words: Any) -> Listing:
    """A listing of the one match that most of these tests are about."""
    usual: dict[str, Any] = {
        "sportradar_id": "90000001",
        "sport": "Football",
        "country": "Nigeria",
        "tournament": "Premier Division",
        "home_team": "Lagos Rovers",
        "away_team": "Abuja City",
        "kickoff": KICKOFF,
    }
    return Listing(bookmaker=bookmaker, external_event_id=event, **usual | words)


def commit(database: Database, number: int, *listings: Listing, price: str = "2.5") -> WriteRecord:
    """The cycle of that number, in which each listing has one market."""
    at = T0 + number * FIVE_MINUTES
    answers = [complete(one, price) for one in listings]
    run_id = running(database, at)
    words = {"cycle_at": at, "captured_at": at, "run_id": run_id}
    coverage = coverage_frame([coverage_row(a.listing, status=a.status, answer=a, **words) for a in answers])
    observations = observations_frame([(answer, at) for answer in answers], cycle_at=at)
    prepared = prepare(observations.lazy(), coverage, cycle_at=at)
    return write_cycle(database, archive_of(database), prepared, run_id=run_id, settings=SETTINGS, now=at)


def complete(one: Listing, price: str) -> ParsedAnswer:
    market = Observation(
        betpawa_market_id="3743",
        betpawa_market_name="1X2 - FT",
        source_market_id="3743",
        source_specifier=None,
        line=None,
        outcomes=[Outcome("1", "1", Decimal(price), True)],
    )
    return ParsedAnswer(
        listing=one,
        status=AnswerStatus.COMPLETE,
        reason=None,
        observations=[market],
        refused=[],
        outcomes_in_answer=1,
        outcomes_stored=1,
        outcomes_not_offered=Counter(),
        outcomes_refused=Counter(),
        content_hash="",
    )


def events(database: Database) -> list[tuple[Any, ...]]:
    """(SportRadar id, name, kick-off) of every event."""
    return query(database, "SELECT sportradar_id, name, kickoff FROM events ORDER BY id")


def joined(database: Database) -> dict[str, set[str]]:
    """The listings of each event, by the oldest of them."""
    rows = query(
        database,
        """
        SELECT array_agg(bookmaker.slug || '/' || listing.external_event_id ORDER BY listing.id)
        FROM event_bookmakers AS listing JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        GROUP BY listing.event_id
        """,
    )
    return {listings[0]: set(listings) for (listings,) in rows}


def primaries(database: Database) -> set[str]:
    return {row[0] for row in query(database, "SELECT external_event_id FROM event_bookmakers WHERE is_primary")}


def test_one_match_is_one_event_by_its_sportradar_id_and_never_by_its_names(database: Database) -> None:
    """B-29: the same names are two matches, and other spellings are one."""
    commit(
        database,
        0,
        listing("betpawa", "p1"),
        listing("sportybet", "s1", home_team="Lagos Rovers FC"),
        listing("bet9ja", "n1", tournament="NPFL"),
        listing("betpawa", "p2", sportradar_id="90000002"),
        listing("bet9ja", "n2", sportradar_id=None),
    )
    assert joined(database) == {
        "betpawa/p1": {"betpawa/p1", "sportybet/s1", "bet9ja/n1"},
        "betpawa/p2": {"betpawa/p2"},
        "bet9ja/n2": {"bet9ja/n2"},
    }


def test_an_event_is_shown_with_betpawas_words_from_when_betpawa_lists_it(database: Database) -> None:
    """B-27, B-28: stored with its odds before, linked then; the row of the event stays."""
    other = KICKOFF + timedelta(minutes=30)
    commit(database, 0, listing("bet9ja", "n1", home_team="Lagos", kickoff=other))
    before = query(database, "SELECT id FROM events")
    assert events(database) == [("90000001", "Lagos - Abuja City", other)]
    assert current(database).keys() == {("bet9ja", "n1", "3743", None)}
    commit(database, 1, listing("bet9ja", "n1", home_team="Lagos", kickoff=other), listing("betpawa", "p1"))
    assert events(database) == [("90000001", "Lagos Rovers - Abuja City", KICKOFF)]
    assert query(database, "SELECT id FROM events") == before


def test_a_listing_that_learns_its_sportradar_id_joins_its_match(database: Database) -> None:
    """B-28: linking is repeated in each cycle; its own event goes, its odds and their history stay."""
    commit(database, 0, listing("betpawa", "p1", sportradar_id=None), listing("bet9ja", "n1"))
    assert len(joined(database)) == 2
    record = commit(database, 1, listing("betpawa", "p1"), listing("bet9ja", "n1"), price="2.6")
    assert joined(database) == {"betpawa/p1": {"betpawa/p1", "bet9ja/n1"}}
    assert len(events(database)) == 1
    assert (record.new, record.changed) == (0, 2)
    ((of_event,),) = query(database, "SELECT count(*) FROM market_odds_history WHERE bookmaker_slug = 'betpawa'")
    assert of_event == 2


def test_an_id_that_is_missing_this_time_is_remembered(database: Database) -> None:
    """B-28: a list without widgets does not undo the link."""
    commit(database, 0, listing("betpawa", "p1"), listing("bet9ja", "n1"))
    commit(database, 1, listing("betpawa", "p1", sportradar_id=None), listing("bet9ja", "n1"))
    assert len(joined(database)) == 1


def test_two_listings_of_one_match_by_one_bookmaker_are_stored_and_one_is_shown(database: Database) -> None:
    """B-29: the one nearest betPawa's kick-off, then the oldest; which one it is can change, the odds of both stay."""
    hour = timedelta(hours=1)
    commit(
        database,
        0,
        listing("bet9ja", "far", kickoff=KICKOFF + 2 * hour),
        listing("bet9ja", "near", kickoff=KICKOFF + hour),
        listing("sportybet", "older"),
        listing("sportybet", "younger"),
        listing("betpawa", "p1"),
    )
    assert primaries(database) == {"p1", "near", "older"}
    assert {event for _, event, *_ in current(database)} == {"p1", "near", "older"}
    assert history_count(database) == 5
    commit(
        database,
        1,
        listing("bet9ja", "far", kickoff=KICKOFF + 2 * hour),
        listing("bet9ja", "near", kickoff=KICKOFF + hour),
        listing("betpawa", "p1", kickoff=KICKOFF + 2 * hour),
    )
    assert primaries(database) == {"p1", "far", "older"}
    assert history_count(database) == 5


def test_of_two_listings_of_betpawas_the_kick_off_is_that_on_which_more_bookmakers_agree(database: Database) -> None:
    an_hour_later = listing("betpawa", "p2", kickoff=KICKOFF + timedelta(hours=1))
    commit(database, 0, an_hour_later, listing("bet9ja", "n1"), listing("betpawa", "p1"))
    assert query(database, "SELECT kickoff FROM events") == [(KICKOFF,)]
    primary = "SELECT external_event_id FROM event_bookmakers WHERE is_primary ORDER BY external_event_id"
    assert query(database, primary) == [("n1",), ("p1",)]


def test_tournaments_of_one_name_in_two_countries_are_two(database: Database) -> None:
    """B-30, B-31, B-32: and a tournament that appears later is found then."""
    commit(
        database,
        0,
        listing("betpawa", "p1", tournament="Premier League", country="England"),
        listing("betpawa", "p2", tournament="Premier League", country="Egypt", sportradar_id="90000002"),
        listing("bet9ja", "n1", tournament="Premier League", country="England"),
    )
    commit(database, 1, listing("betpawa", "p3", tournament="Cup", country="Egypt", sportradar_id="90000003"))
    rows = query(database, "SELECT name, country FROM tournaments ORDER BY id")
    assert sorted(rows) == [("Cup", "Egypt"), ("Premier League", "Egypt"), ("Premier League", "England")]


def test_one_sport_spelt_in_two_ways_is_one(database: Database) -> None:
    """B-33: the parsers' spelling is not the seed's."""
    commit(database, 0, listing("betpawa", "p1", sport="football"), listing("bet9ja", "n1", sport="Football"))
    assert len(query(database, "SELECT id FROM sports")) == 1


def test_a_match_moved_to_another_time_keeps_its_event_and_its_odds(database: Database) -> None:
    """B-36, B-37: each listing keeps its own kick-off, the event shows betPawa's."""
    commit(database, 0, listing("betpawa", "p1"), listing("sportybet", "s1"))
    later = KICKOFF + timedelta(days=3)
    record = commit(database, 1, listing("betpawa", "p1", kickoff=later), listing("sportybet", "s1"))
    assert (record.confirmed, record.inserted_history) == (2, 0)
    assert events(database)[0][2] == later
    kickoffs = dict(query(database, "SELECT external_event_id, kickoff FROM event_bookmakers"))
    assert kickoffs == {"p1": later, "s1": KICKOFF}


def test_a_match_that_a_listing_leaves_shows_the_other_listing(database: Database) -> None:
    """The one that stays is not answered that time, and becomes primary all the same."""
    commit(database, 0, listing("sportybet", "left"), listing("sportybet", "stays"), listing("betpawa", "p"))
    assert primaries(database) == {"left", "p"}
    commit(database, 1, listing("sportybet", "left", sportradar_id="90000002"))
    assert primaries(database) == {"left", "stays", "p"}


def test_words_older_than_the_last_answer_change_no_listing(database: Database) -> None:
    """A late answer neither moves a kick-off back nor joins a listing to the match that it belonged to before."""
    commit(database, 2, listing("betpawa", "p"))
    shown = events(database)
    late = listing("betpawa", "p", sportradar_id="90000002", home_team="Rovers", kickoff=KICKOFF - FIVE_MINUTES)
    assert commit(database, 1, late).late == 1
    assert events(database) == shown
