"""What the bytes are: the largest parts, none counted twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odds_pipeline.storage.drivers import BESIDE_TABLES, MOST, drivers
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline_tests.storage.hand_profiles import empty, first_generation, ours
from odds_pipeline_tests.storage.profile_parts import GB


def test_the_earlier_system_is_raw_responses_and_market_odds():
    found = {each.what: round(each.share, 2) for each in drivers(first_generation())[:4]}
    assert found == {
        "odds_snapshots.raw_response": 0.37,
        "market_odds": 0.35,
        "competitor_odds_snapshots.raw_response": 0.16,
        "competitor_market_odds": 0.09,
    }


def test_the_rest_of_a_table_stands_beside_the_column_that_is_most_of_it():
    found = {each.what: each.bytes for each in drivers(first_generation())}
    assert found["odds_snapshots.raw_response"] + found["odds_snapshots (the rest)"] == 24 * GB


@pytest.mark.parametrize("profile", [first_generation(), ours(), empty()], ids=["first generation", "ours", "empty"])
def test_no_byte_is_counted_twice_and_the_largest_come_first(profile: StorageProfile):
    found = drivers(profile)
    assert len(found) <= MOST
    assert sum(each.share for each in found) <= 1
    assert [each.bytes for each in found] == sorted((each.bytes for each in found), reverse=True)
    assert all(each.share == each.bytes / profile.total_bytes for each in found)


def test_what_a_database_has_beside_its_tables_is_a_driver():
    found = drivers(empty())
    assert {each.what for each in found} >= {BESIDE_TABLES}
    assert sum(each.bytes for each in found) == empty().total_bytes


def test_archives_are_drivers_too():
    assert ("archive", "observations") in [(each.database, each.what) for each in drivers(ours())]


def test_a_profile_without_any_table_has_none():
    assert drivers(replace(empty(), databases=())) == ()
