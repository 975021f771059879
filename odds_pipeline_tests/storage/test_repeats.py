"""What a profile says of repeating rows, in tables of every generation, and what it must not take for one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import Repeats
from odds_pipeline.storage.profile import profile_database
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.legacy.earlier_schema import create_indexes
from odds_pipeline_tests.legacy.one_match import Competitor, OldSystem, market

NOW = datetime(2026, 2, 10, tzinfo=UTC)


@pytest.fixture
def old(empty_database: str) -> OldSystem:
    """An earlier system with the indexes that it had."""
    system = OldSystem(empty_database)
    system.execute_all(create_indexes)
    return system


def found(url: str) -> dict[str, Repeats]:
    """What a profile says of repeats, by table."""
    with Database(url) as database:
        return {each.table: each for each in profile_database(database, name="x", now=NOW).repeats}


def test_a_row_of_an_answer_repeats_the_row_of_the_same_market_in_the_answer_before(
    old: OldSystem, empty_database: str
) -> None:
    old.snapshot(0, market("1", {"1": 1.5}), market("2", {"O": 2.0}, line=2.5), market("2", {"O": 2.1}, line=3.5))
    old.snapshot(1, market("1", {"1": 1.6}), market("2", {"O": 2.0}, line=2.5), market("2", {"O": 2.1}, line=3.5))
    old.snapshot(2, market("1", {"1": 1.6}), market("2", {"O": 2.0}, line=2.5), market("2", {"O": 2.1}, line=3.5))
    assert found(empty_database)["market_odds"] == Repeats(
        "market_odds", pairs=6, equal=5, answers=2, equal_answers=1, firsts=3, schema="old"
    )


def test_a_market_that_comes_back_or_is_no_longer_available_does_not_repeat(
    old: OldSystem, empty_database: str
) -> None:
    old.snapshot(0, market("1", {"1": 1.5}), market("2", {"1": 1.5}))
    old.snapshot(1, market("2", {"1": 1.5}, gone=1))
    old.snapshot(2, market("1", {"1": 1.5}), market("2", {"1": 1.5}, gone=1))
    repeats = found(empty_database)["market_odds"]
    assert (repeats.pairs, repeats.equal, repeats.equal_answers, repeats.firsts) == (2, 1, 0, 3)


def test_json_is_the_same_whatever_the_order_of_its_keys(old: OldSystem, empty_database: str) -> None:
    old.snapshot(0, market("1", '[{"name": "1", "odds": 1.5}]'), market("2", '[{"name": "1", "odds": 1.5}]'))
    old.snapshot(1, market("1", '[{"odds":1.5, "name":"1"}]'), market("2", '[{"name": "1", "odds": "1.5"}]'))
    assert found(empty_database)["market_odds"].equal == 1


def test_what_an_answer_says_twice_of_one_market_is_no_repeat_but_may_be_an_equal_answer(
    old: OldSystem, empty_database: str
) -> None:
    for hours in (0, 1):
        old.snapshot(hours, market("1", {"1": 1.5}), market("1", {"2": 2.5}))
    repeats = found(empty_database)["market_odds"]
    assert (repeats.pairs, repeats.equal, repeats.equal_answers) == (2, 0, 1)


def test_events_are_told_apart_and_each_competitors_too(old: OldSystem, empty_database: str) -> None:
    for hours in (0, 1):
        old.snapshot(hours, market("1", {"1": 1.5}))
        old.snapshot(hours, market("1", {"1": 1.5}), competitor=Competitor.SPORTYBET)
        old.snapshot(hours, market("1", {"1": 1.5 + hours}), competitor=Competitor.SPORTYBET + 1)
    repeats = found(empty_database)
    assert (repeats["market_odds"].pairs, repeats["market_odds"].equal) == (1, 1)
    competitors = repeats["competitor_market_odds"]
    assert (competitors.pairs, competitors.equal, competitors.answers, competitors.firsts) == (2, 1, 2, 2)


def test_single_states_are_compared_with_the_one_before_of_the_same_market_and_bookmaker(
    old: OldSystem, empty_database: str
) -> None:
    for hours, slug, price, line in (
        (0, "betpawa", 1.5, None),
        (1, "betpawa", 1.5, None),
        (2, "betpawa", 1.6, None),
        (2, "bet9ja", 1.6, None),
        (3, "betpawa", 1.6, 2.5),
        (4, "betpawa", 1.6, 2.5),
    ):
        old.history(hours, slug, market("1", {"1": price}, line=line))
    assert found(empty_database)["market_odds_history"] == Repeats(
        "market_odds_history", 3, 2, 0, 0, firsts=3, schema="old"
    )


def test_a_table_whose_rows_cannot_be_found_by_an_index_is_left_out(empty_database: str) -> None:
    old = OldSystem(empty_database)
    for hours in (0, 1):
        old.snapshot(hours, market("1", {"1": 1.5}))
        old.history(hours, "betpawa", market("1", {"1": 1.5}))
    assert found(empty_database).keys() == {"market_odds_history"}


def test_a_large_table_is_sampled_evenly(old: OldSystem, empty_database: str) -> None:
    """Half of 2,000 markets' rows repeat, in answers that are far too many to be looked at one by one."""
    old.execute_all(
        lambda connection: connection.execute("""
            INSERT INTO odds_snapshots (event_id, bookmaker_id, captured_at)
            SELECT 11, 1, timestamptz '2026-02-01 00:00Z' + number * interval '1 minute'
            FROM generate_series(1, 2000) AS number;
            INSERT INTO market_odds (snapshot_id, betpawa_market_id, betpawa_market_name, outcomes)
            SELECT id, market, 'name', json_build_array(id / CASE WHEN id < 1000 THEN 1 ELSE 100000 END)
            FROM odds_snapshots, generate_series(1, 10) AS market
        """)
    )
    repeats = found(empty_database)["market_odds"]
    assert repeats.share == pytest.approx(0.5, abs=0.02)
    assert 900 < repeats.pairs < 1000


def test_our_own_history_does_not_repeat_and_would_be_found_out(database: Database, migrated_database: str) -> None:
    begin = NOW - timedelta(days=1)
    for number, price in enumerate(("1.5", "1.6", "1.6", "1.5")):
        at = begin + timedelta(minutes=number)
        said = answer("betpawa", "1", at, {("3743", None): {"1": price}}, kickoff=NOW)
        commit(database, Cycle(at, {"betpawa": (at, True)}, [said]))
    assert found(migrated_database)["odds_history"] == Repeats("odds_history", 2, 0, 0, 0, firsts=1)
    with database.connect() as connection, connection.transaction():
        connection.execute(
            """
            INSERT INTO odds_history (captured_at, event_bookmaker_id, run_id, changes)
            SELECT captured_at + interval '1 s', event_bookmaker_id, run_id, changes FROM odds_history
            ORDER BY captured_at DESC LIMIT 1
            """
        )
    assert found(migrated_database)["odds_history"].equal == 1


def test_where_nothing_states_odds_nothing_is_said(empty_database: str) -> None:
    assert found(empty_database) == {}
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE market_odds (id int PRIMARY KEY, outcomes json)")
        connection.execute("INSERT INTO market_odds VALUES (1, '[]')")
    assert found(empty_database) == {}


def test_ids_that_are_texts_are_left_out(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            """
            CREATE TABLE states (id text PRIMARY KEY, event_id int, market_id text, captured_at timestamptz, odds json);
            CREATE INDEX ON states (event_id);
            INSERT INTO states SELECT md5(n::text), 1, '1', now(), '{}' FROM generate_series(1, 9) n
            """
        )
    assert found(empty_database) == {}
