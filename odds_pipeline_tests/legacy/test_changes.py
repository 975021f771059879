"""One match of an earlier system, stored by hand: the traps of its tables, and what becomes of each.

Its known faults are in test_earlier_faults.py.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.changes import CHANGE_SCHEMA, changes_of_day
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.tables import EarlierSystemMissing
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA
from odds_pipeline_tests.legacy.one_match import (
    DAY,
    MIDNIGHT,
    WINNER,
    Competitor,
    OldSystem,
    count,
    market,
    offer,
    shown,
    winner,
)

TOTAL = "5000"

# Note 1: two generations at once


def test_what_both_generations_tell_is_told_once(old: OldSystem) -> None:
    old.snapshot(1, winner(1.8))
    old.history(1, "betpawa", winner(1.8))
    old.history(1.001, "betpawa", winner(1.8))
    old.history(2, "betpawa", winner(1.9))
    old.snapshot(2.001, winner(1.9))
    found = old.changes()
    assert shown(found) == [(1, offer("1.8")), (2, offer("1.9"))]
    assert (count(found, "duplicates"), count(found, "unchanged")) == (1, 2)


def test_a_snapshot_is_believed_before_a_row_of_the_same_moment(old: OldSystem) -> None:
    old.snapshot(1, winner(1.8))
    old.history(1, "betpawa", winner(9.9))
    assert shown(old.changes()) == [(1, offer("1.8"))]


def test_a_market_of_the_second_generation_is_gone_when_a_later_snapshot_lacks_it(old: OldSystem) -> None:
    old.history(1, "betpawa", winner(1.8))
    old.snapshot(2, market("3795", {"Yes": 1.7, "No": 2.0}))
    assert shown(old.changes(), WINNER) == [(1, offer("1.8")), (2, {})]


# Note 2: snapshots become changes


def test_a_market_that_repeats_itself_is_one_change(old: OldSystem) -> None:
    old.snapshot(1, winner(1.8))
    old.snapshot(2, winner(1.8))
    old.snapshot(3, winner(1.9))
    found = old.changes()
    assert shown(found) == [(1, offer("1.8")), (3, offer("1.9"))]
    assert (count(found, "rows"), count(found, "unchanged"), count(found, "changed")) == (3, 1, 2)


def test_order_and_zeros_are_no_change(old: OldSystem) -> None:
    old.snapshot(
        1, market("3795", '[{"name":"Yes","odds":2.5,"is_active":true},{"name":"No","odds":1.5,"is_active":true}]')
    )
    old.snapshot(
        2, market("3795", '[{"name":"No","odds":1.500,"is_active":true},{"name":"Yes","odds":2.50,"is_active":true}]')
    )
    assert shown(old.changes()) == [(1, {"3796": "2.5", "3797": "1.5"})]


def test_a_suspended_outcome_is_a_change_and_its_stale_price_is_none(old: OldSystem) -> None:
    old.snapshot(1, winner(1.8))
    old.snapshot(2, winner(None))
    assert shown(old.changes())[1] == (2, offer("(-)"))


def test_a_market_that_the_next_snapshot_lacks_is_gone_and_may_return(old: OldSystem) -> None:
    goals = market("3795", {"Yes": 1.7, "No": 2.0})
    old.snapshot(1, winner(1.8), goals)
    old.snapshot(2, goals)
    old.snapshot(3, winner(1.8), goals)
    found = old.changes()
    assert shown(found, WINNER) == [(1, offer("1.8")), (2, {}), (3, offer("1.8"))]
    assert (count(found, "changed"), count(found, "gone")) == (3, 1)


def test_a_row_says_when_its_market_became_unavailable(old: OldSystem) -> None:
    old.snapshot(1, winner(1.8, gone=1.5))
    old.snapshot(2, winner(1.8))
    old.snapshot(3, winner(1.8, gone=2.9))
    assert shown(old.changes()) == [(1, offer("1.8")), (1.5, {}), (2, offer("1.8")), (3, {})]


def test_a_market_unavailable_days_after_the_last_snapshot_is_gone_on_that_day(old: OldSystem) -> None:
    old.snapshot(-30, winner(1.8, gone=5))
    assert shown(old.changes()) == [(5, {})]


def test_a_day_begins_with_the_state_that_the_last_snapshot_before_it_left(old: OldSystem) -> None:
    old.snapshot(-50, winner(1.8), market("3795", {"Yes": 1.7, "No": 2.0}))
    old.snapshot(3, winner(1.8))
    found = old.changes()
    assert shown(found) == [(3, {})]
    assert found.observations["betpawa_market_id"].to_list() == ["3795"]


def test_a_snapshot_without_markets_proves_nothing(old: OldSystem) -> None:
    old.snapshot(-2, winner(1.8))
    old.snapshot(-1)
    old.snapshot(1)
    old.snapshot(2, winner(1.8))
    assert shown(old.changes()) == []


def test_line_zero_and_no_line_are_two_markets(old: OldSystem) -> None:
    old.snapshot(1, market(TOTAL, {"Over": 1.8, "Under": 2.0}, line=0), market(TOTAL, {"Over": 1.9, "Under": 1.9}))
    assert {row["line"] for row in old.changes().observations.iter_rows(named=True)} == {None, Decimal(0)}


# Note 3: whose odds they are


def test_competitors_join_the_match_by_its_sportradar_id(old: OldSystem) -> None:
    old.snapshot(1, winner(1.8), competitor=Competitor.SPORTYBET)
    old.history(2, "sportybet", winner(1.9))
    old.history(2, "bet9ja", winner(1.7))
    found = old.changes().observations
    assert found["external_event_id"].to_list() == ["sr:match:9000011", "512", "sr:match:9000011"]
    assert found["sportradar_id"].unique().to_list() == ["9000011"]
    assert found.filter(bookmaker="bet9ja")["country"].is_null().all()
    assert found["sport"].unique().to_list() == ["football"]


def test_an_event_that_nobody_knows_any_more_is_refused_and_counted(old: OldSystem) -> None:
    old.history(1, "betpawa", winner(1.8), event=999)
    found = old.changes()
    assert shown(found) == []
    assert found.refusals == {"event_unknown": 1}


def test_an_event_without_an_id_of_its_bookmaker_gets_a_clear_own_one(altered: OldSystem) -> None:
    altered.run("DELETE FROM event_bookmakers; DELETE FROM competitor_events")
    altered.history(1, "betpawa", winner(1.8))
    altered.history(1, "sportybet", winner(1.8))
    altered.history(1, "bet9ja", winner(1.8))
    found = altered.changes().observations.sort("bookmaker")
    assert found["external_event_id"].to_list() == ["legacy:11", "legacy:11", "sr:match:9000011"]


# Note 4: words of the second generation


def test_history_takes_its_words_from_the_current_state(old: OldSystem) -> None:
    goals = market(TOTAL, {"Over": 1.8, "Under": 2.0}, line=2.5, market_groups='["all", "goals"]')
    old.history(1, "betpawa", goals)
    old.current(1, "betpawa", goals)
    (row,) = old.changes().observations.iter_rows(named=True)
    assert (row["betpawa_market_name"], row["market_groups"]) == ("as stored", ["goals"])
    assert (row["source_market_id"], row["source_specifier"], row["handicap_type"]) == (
        TOTAL,
        "total=2.5",
        "over_under",
    )


def test_history_alone_takes_its_words_from_the_catalogue(old: OldSystem) -> None:
    old.history(1, "sportybet", winner(1.8))
    (row,) = old.changes().observations.iter_rows(named=True)
    assert (row["betpawa_market_name"], row["market_groups"]) == ("1X2 - FT", ["popular"])


def test_the_current_state_tells_when_a_market_ended_whatever_confirmed_it_before(old: OldSystem) -> None:
    old.history(1, "betpawa", winner(1.8))
    old.snapshot(2, winner(1.8))
    old.current(1, "betpawa", winner(1.8, gone=3))
    assert shown(old.changes()) == [(1, offer("1.8")), (3, {})]


def test_the_current_state_is_history_where_history_was_lost(old: OldSystem) -> None:
    old.current(4, "bet9ja", winner(1.8))
    assert shown(old.changes()) == [(4, offer("1.8"))]


# Note 6: times and numbers


def test_times_without_a_zone_are_utc_whatever_the_servers_zone(altered: OldSystem) -> None:
    zone = "ALTER DATABASE %I SET TimeZone = ''Africa/Lagos''"
    altered.run(f"DO $$ BEGIN EXECUTE format('{zone}', current_database()); END $$")
    altered.snapshot(23.9, winner(1.8), competitor=Competitor.SPORTYBET)
    found = altered.changes()
    assert shown(found) == [(23.9, offer("1.8"))]
    assert found.observations["kickoff"].to_list() == [datetime(2026, 2, 9, 18, tzinfo=UTC)]
    assert altered.source().days() == [DAY]


def test_floats_become_exact_decimals(old: OldSystem) -> None:
    old.snapshot(1, market(TOTAL, {"Over": 0.1 + 1.1, "Under": 1.005}, line=2.5))
    found = old.changes()
    assert found.refusals == {"price_too_precise": 1}
    old.snapshot(2, market(TOTAL, {"Over": 1.005, "Under": 250}, line=2.5))
    ((_, outcomes),) = shown(old.changes())
    assert set(outcomes.values()) == {"1.005", "250"}


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ('[{"name":"1","odds":0.9,"is_active":true}]', "price_too_low"),
        ('[{"name":"1","odds":null,"is_active":true}]', "price_missing"),
        ('[{"name":"1","odds":"?","is_active":true}]', "price_not_a_number"),
        ('[{"name":"","odds":2,"is_active":true}]', "outcome_without_id"),
        ('[{"name":"1","odds":2,"is_active":"yes"}]', "activity_unreadable"),
        ('["1"]', "outcome_unreadable"),
        ("{}", "outcomes_missing"),
        ("[]", "outcomes_missing"),
    ],
)
def test_a_malformed_market_is_refused_counted_and_neither_there_nor_gone(
    old: OldSystem, stored: str, reason: str
) -> None:
    old.snapshot(1, winner(1.8))
    old.snapshot(2, market(WINNER, stored))
    old.snapshot(3, winner(1.8))
    found = old.changes()
    assert shown(found) == [(1, offer("1.8"))]
    assert found.refusals == {reason: 1}


def test_a_line_that_is_no_exact_decimal_is_refused_and_its_snapshot_proves_nothing(old: OldSystem) -> None:
    goals = market(TOTAL, {"Over": 1.8, "Under": 2.0}, line=2.5)
    old.snapshot(1, goals, winner(1.8))
    old.snapshot(2, goals | {"line": 2.5000001})
    found = old.changes()
    assert len(shown(found)) == 2
    assert found.refusals == {"line_unreadable": 1}


# Where it is, and what it lacks


def test_a_day_without_data_has_no_changes(old: OldSystem) -> None:
    found = old.changes(date(2025, 1, 1))
    assert dict(found.observations.schema) == dict(CHANGE_SCHEMA)
    assert list(CHANGE_SCHEMA)[: len(OBSERVATION_SCHEMA)] == list(OBSERVATION_SCHEMA)
    assert count(found, "rows") == 0


def test_columns_that_came_or_went_over_time_are_not_missed(altered: OldSystem) -> None:
    altered.run(
        "ALTER TABLE market_odds DROP COLUMN unavailable_at, DROP COLUMN market_groups, DROP COLUMN handicap_home"
    )
    altered.run("ALTER TABLE market_odds ALTER COLUMN line TYPE numeric, ALTER COLUMN outcomes TYPE jsonb")
    altered.run("ALTER TABLE market_odds_current DROP COLUMN unavailable_at")
    altered.run("ALTER TABLE competitor_events DROP COLUMN deleted_at")
    altered.snapshot(1, market(TOTAL, {"Over": 1.8, "Under": 2.0}, line=2.5))
    altered.current(2, "betpawa", winner(1.8))
    assert [hours for hours, _ in shown(altered.changes())] == [1, 2]


def test_our_own_views_are_no_earlier_system(migrated_database: str) -> None:
    source = LegacySource(Database(migrated_database))
    assert source.tables.readable == ("market_odds", "competitor_market_odds")
    assert source.days() == []


def test_an_empty_database_has_no_days_and_says_where_it_looked(empty_database: str) -> None:
    source = LegacySource(Database(empty_database), "nowhere")
    assert source.days() == []
    with pytest.raises(EarlierSystemMissing, match=r"nowhere.*ODDS_LEGACY_DATABASE_URL"):
        changes_of_day(source, DAY)


def test_the_source_cannot_be_written_through(old: OldSystem) -> None:
    with old.source().database.connect() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM old.market_odds")


def test_the_days_are_those_of_every_table(old: OldSystem) -> None:
    old.snapshot(-1, winner(1.8))
    old.snapshot(1, winner(1.8), competitor=Competitor.BET9JA)
    old.history(25, "betpawa", winner(1.8))
    old.current(73, "betpawa", winner(1.8, gone=97))
    expected = [(MIDNIGHT + timedelta(hours=hours)).date() for hours in (-1, 1, 25, 73, 97)]
    assert old.source().days() == expected
