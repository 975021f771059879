"""Indexes that are advised to be dropped: never one whose work no other does, nor one that may just not be counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import DatabaseProfile, Table
from odds_pipeline.storage.opportunities.advice import Advice
from odds_pipeline.storage.opportunities.indexes import useless_indexes
from odds_pipeline_tests.storage.hand_profiles import ours
from odds_pipeline_tests.storage.profile_parts import GB, MB, NOW, index, table
from odds_pipeline_tests.storage.profiling import execute, profiled


def test_an_invalid_index_is_no_stand_in_and_is_dropped_itself(empty: Database):
    execute(
        empty,
        "CREATE TABLE bets (id int PRIMARY KEY, a int, b int)",
        "INSERT INTO bets SELECT n, n / 2, 1 FROM generate_series(1, 100) AS n",
        "CREATE INDEX valid ON bets (a)",
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(empty, "CREATE UNIQUE INDEX CONCURRENTLY broken ON bets (a, b)")
    (advice,) = useless_indexes(profiled(empty), NOW)
    assert advice.opportunity.id == "eliminate:bets.broken"
    assert "is invalid" in advice.opportunity.evidence
    for statement in advice.opportunity.statements:
        execute(empty, statement)
    assert {each.name for each in profiled(empty).tables[0].indexes} == {"bets_pkey", "valid"}


def test_an_invalid_index_that_is_being_made_or_belongs_to_a_partitioned_table_is_left_alone():
    broken = replace(index("bets", "a", size=50 * MB), is_valid=False)
    assert _ids(table("bets", 10, GB, (broken,))) == ["eliminate:bets.ix_bets_a"]
    assert _ids(table("bets", 10, GB, (replace(broken, is_being_made=True),))) == []
    assert _ids(replace(table("bets", 10, GB, (broken,)), kind="partitioned")) == []


def test_an_index_counts_as_unused_only_where_another_of_its_table_is_used():
    """Of a copy that was just restored none is, whatever the original's are."""
    unused, used = index("bets", "a", size=50 * MB, scans=0), index("bets", "b", size=MB, scans=1)
    assert _ids(table("bets", 10, GB, (unused, used))) == ["eliminate:bets.ix_bets_a"]
    assert _ids(table("bets", 10, GB, (unused, replace(used, scans=0)))) == []
    assert _ids(table("bets", 10, GB, (unused,))) == []


def test_that_the_index_may_be_younger_than_the_counting_is_said():
    unused, used = index("bets", "a", size=50 * MB, scans=0), index("bets", "b", size=MB)
    (advice,) = useless_indexes(_of(table("bets", 10, GB, (unused, used))), NOW)
    assert "or since the index was made" in advice.opportunity.evidence
    assert "Not used once" not in advice.opportunity.evidence


def test_counters_that_were_set_back_have_counted_since_then(empty: Database):
    before = datetime.now(UTC) - timedelta(minutes=1)
    execute(empty, "CREATE TABLE bets (id int PRIMARY KEY)", "SELECT pg_stat_reset()")
    since = profiled(empty).scans_since
    assert since is not None
    assert before < since < datetime.now(UTC) + timedelta(minutes=1)


def test_indexes_of_our_own_database_are_left_to_its_migrations():
    odds = ours().databases[0]
    unused = replace(odds.tables[0], indexes=(index("x", "a", size=GB, scans=0), index("x", "b", size=MB)))
    changed = replace(odds, tables=(unused, *odds.tables[1:]), scans_since=NOW - timedelta(days=30))
    assert list(useless_indexes(changed, NOW)) == []
    assert list(useless_indexes(replace(changed, tables=(unused,)), NOW))


def _of(found: Table) -> DatabaseProfile:
    since = NOW - timedelta(days=30)
    return DatabaseProfile("other", "18.4", is_replica=False, total_bytes=2 * GB, tables=(found,), scans_since=since)


def _ids(found: Table) -> list[str]:
    return [each.opportunity.id for each in _advised(found)]


def _advised(found: Table) -> list[Advice]:
    return list(useless_indexes(_of(found), NOW))
