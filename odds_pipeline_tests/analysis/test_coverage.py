"""Coverage on the hand-made world, and on listings and tournaments that invite counting twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.analysis.coverage import COUNTRIES, COVERAGE, MAPPED, TOTAL, UNMAPPED, coverage
from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import NOW, HandMade, hand_made
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.rows import insert, insert_current, insert_event, insert_listing, insert_market


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    """The hand-made world, for tests that only ask."""
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


def source_of(database: Database) -> OddsSource:
    return OddsSource(database, archive_of(database), lambda since, until: [])


def counts(frame: pl.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    return frame.select(*names, "events", "matched", "betpawa_only", "competitor_only").rows()


def test_matches_on_offer_are_counted_by_tournament_and_country(world: HandMade) -> None:
    """Derby and moved are listed by betPawa and others, away by SportyBet alone; home has kicked off."""
    found = coverage(world.source, now=NOW)
    league, division = world.tournaments["Premier League"], world.tournaments["Premier Division"]
    assert counts(found.tournaments, "country", "tournament", "tournament_id") == [
        ("England", "Premier League", league, 2, 1, 0, 1),
        ("Nigeria", "Premier Division", division, 1, 1, 0, 0),
    ]
    assert found.tournaments["bookmakers"].to_list() == [
        [
            {"bookmaker_slug": "betpawa", "events": 1},
            {"bookmaker_slug": "sportybet", "events": 2},
            {"bookmaker_slug": "bet9ja", "events": 1},
        ],
        [{"bookmaker_slug": "betpawa", "events": 1}, {"bookmaker_slug": "sportybet", "events": 1}],
    ]
    assert counts(found.countries, "country", "tournaments") == [("England", 1, 2, 1, 0, 1), ("Nigeria", 1, 1, 1, 0, 0)]
    assert counts(found.total, "countries", "tournaments") == [(2, 2, 3, 2, 0, 1)]
    for frame, schema in (
        (found.tournaments, COVERAGE),
        (found.countries, COUNTRIES),
        (found.total, TOTAL),
        (found.mapped, MAPPED),
        (found.unmapped, UNMAPPED),
    ):
        assert frame.schema == pl.Schema(dict(schema))


def test_what_is_not_offered_any_more_counts_when_it_is_asked_for(world: HandMade) -> None:
    found = coverage(world.source, now=NOW, is_available=False)
    assert counts(found.tournaments, "country") == [("England", 2, 1, 0, 1), ("Nigeria", 2, 1, 1, 0)]
    assert found.mapped.select("bookmaker_slug", "markets").rows() == [("betpawa", 7), ("sportybet", 6), ("bet9ja", 2)]


@pytest.mark.parametrize(
    ("since", "until", "events"),
    [
        (datetime(2026, 11, 20, 18, tzinfo=UTC), datetime(2026, 11, 21, 12, 10, tzinfo=UTC), 1),
        (datetime(2026, 11, 20, 18, tzinfo=UTC), datetime(2026, 11, 21, 12, 11, tzinfo=UTC), 2),
        (datetime(2026, 11, 22, 19, tzinfo=UTC), None, 1),
        (None, datetime(2026, 11, 20, 18, tzinfo=UTC), 0),
    ],
    ids=["until is not included", "both", "the moved kick-off counts", "none"],
)
def test_only_kickoffs_within_the_window_count(
    world: HandMade, since: datetime | None, until: datetime | None, events: int
) -> None:
    found = coverage(world.source, now=NOW, kickoff_since=since, kickoff_until=until)
    assert found.total["events"].to_list() == [events]
    assert found.tournaments["events"].sum() == events
    assert found.mapped.height == 3
    assert (found.mapped["markets"].sum() > 0) == (events > 0)


def test_mapped_share_is_that_of_the_markets_on_offer(world: HandMade) -> None:
    """SportyBet offers six markets, one of them its own; over/under 2.5 of Bet9ja is gone."""
    found = coverage(world.source, now=NOW)
    assert found.mapped.select("bookmaker_slug", "markets", "mapped", "common", "unmapped").rows() == [
        ("betpawa", 6, 6, 0, 0),
        ("sportybet", 6, 5, 0, 1),
        ("bet9ja", 1, 1, 0, 0),
    ]
    assert found.mapped["mapped_share"].to_list() == pytest.approx([100, 500 / 6, 100])
    assert found.unmapped.rows() == [("sportybet", "s-sportybet:551", "First scorer", 1, 1, 1)]


def test_a_bookmaker_whose_offer_was_not_read_for_long_is_stale(world: HandMade) -> None:
    """Bet9ja's last complete discovery arrived at 12:10:02, the others' five minutes later; 15 minutes are allowed."""

    def stale(now: datetime) -> list[bool]:
        return coverage(world.source, now=now).mapped["is_stale"].to_list()

    last = datetime(2026, 11, 20, 12, 10, 2, tzinfo=UTC)
    assert coverage(world.source, now=NOW).mapped["last_discovery_at"].to_list() == [
        last + timedelta(minutes=5),
        last + timedelta(minutes=5),
        last,
    ]
    assert stale(last + timedelta(minutes=15)) == [False, False, False]
    assert stale(last + timedelta(minutes=15, microseconds=1)) == [False, False, True]


def test_a_match_counts_once_however_often_it_is_listed(database: Database) -> None:
    """B-29: a second listing by the same bookmaker is no second match, and its markets do not count."""
    with database.connect() as connection:
        event = insert_event(connection, "1001")
        for slug, external_id, is_primary in (
            ("betpawa", "p1", True),
            ("betpawa", "p2", False),
            ("bet9ja", "n1", True),
        ):
            listing = insert_listing(connection, event, slug, external_id, is_primary=is_primary)
            insert(connection, "listing_state", "event_bookmaker_id", event_bookmaker_id=listing)
            insert_current(connection, insert_market(connection, listing, f"market of {external_id}"))
    found = coverage(source_of(database), now=NOW)
    assert counts(found.total) == [(1, 1, 0, 0)]
    assert found.total["bookmakers"].to_list() == [
        [{"bookmaker_slug": "betpawa", "events": 1}, {"bookmaker_slug": "bet9ja", "events": 1}]
    ]
    assert found.mapped.select("bookmaker_slug", "markets").rows() == [("betpawa", 1), ("sportybet", 0), ("bet9ja", 1)]
    assert found.mapped["mapped_share"].to_list() == [100, None, 100]
    assert found.mapped["is_stale"].all(), "nobody's whole offer was ever read"


def test_tournaments_of_one_name_in_two_countries_are_two(database: Database) -> None:
    """B-30."""
    with database.connect() as connection:
        sport = connection.execute("SELECT id FROM sports").fetchone()
        assert sport is not None
        for number, (country, slug) in enumerate([("England", "betpawa"), ("Ghana", "sportybet"), ("Ghana", "bet9ja")]):
            event = insert_event(connection)
            row = connection.execute(
                """
                INSERT INTO tournaments (sport_id, name, country) VALUES (%s, 'Premier League', %s)
                ON CONFLICT (sport_id, name, country) DO UPDATE SET name = excluded.name RETURNING id
                """,
                [sport[0], country],
            ).fetchone()
            assert row is not None
            connection.execute("UPDATE events SET tournament_id = %s WHERE id = %s", [row[0], event])
            listing = insert_listing(connection, event, slug, f"e{number}")
            insert(connection, "listing_state", "event_bookmaker_id", event_bookmaker_id=listing)
    found = coverage(source_of(database), now=NOW)
    assert counts(found.tournaments, "country", "tournament") == [
        ("Ghana", "Premier League", 2, 0, 0, 2),
        ("England", "Premier League", 1, 0, 1, 0),
    ]


def test_unmapped_types_are_listed_most_frequent_first_and_common_ones_are_mapped(database: Database) -> None:
    """B-19: lines and specifiers of one type are one type; the commonest name stands for it."""
    with database.connect() as connection:
        for event_number in (1, 2):
            listing = insert_listing(connection, insert_event(connection), "sportybet", f"s{event_number}")
            insert(connection, "listing_state", "event_bookmaker_id", event_bookmaker_id=listing)
            markets = [("common:13", None), ("sportybet:60180", None), ("sportybet:60180", Decimal("1.5"))]
            for market, line in markets if event_number == 1 else [("bet9ja:S_ACS", None), ("sportybet:7", None)]:
                type_id = connection.execute(
                    "SELECT id FROM market_types WHERE betpawa_market_id = %s", [market]
                ).fetchone()
                if type_id is None:
                    market_id = insert_market(connection, listing, market, line=line, outcomes=("a", "b"))
                else:
                    market_id = another_line(connection, type_id[0], Decimal("1.5"))
                insert_current(connection, market_id)
    found = coverage(source_of(database), now=NOW)
    assert found.unmapped.rows() == [
        ("sportybet", "source sportybet:60180", "Market sportybet:60180", 2, 1, 4),
        ("sportybet", "source sportybet:7", "Market sportybet:7", 1, 1, 2),
    ]
    assert found.mapped.filter(pl.col("markets") > 0).select("markets", "mapped", "common", "unmapped").rows() == [
        (5, 2, 1, 3)
    ]


def another_line(connection: Any, type_id: int, line: Decimal) -> int:
    """The market that there is of a type once more, with a line."""
    return connection.execute(
        """
        INSERT INTO markets (event_bookmaker_id, market_type_id, label_id, source_id, outcome_set_id, label_fingerprint,
                             line)
        SELECT event_bookmaker_id, market_type_id, label_id, source_id, outcome_set_id, 0, %s FROM markets
        WHERE market_type_id = %s RETURNING id
        """,
        [line, type_id],
    ).fetchone()[0]


def test_an_empty_database_is_covered_by_nobody(database: Database) -> None:
    found = coverage(source_of(database), now=NOW)
    assert found.total.rows() == [(0, 0, 0, 0, 0, 0, [])]
    assert found.tournaments.is_empty()
    assert found.mapped["markets"].to_list() == [0, 0, 0]


def test_windows_that_make_no_sense_are_refused(database: Database) -> None:
    source = source_of(database)
    with pytest.raises(BadQuestion, match="before it begins"):
        coverage(source, now=NOW, kickoff_since=NOW, kickoff_until=NOW - timedelta(hours=1))
    with pytest.raises(ValueError, match="has no time zone"):
        coverage(source, now=NOW, kickoff_since=datetime(2026, 11, 20))  # noqa: DTZ001
