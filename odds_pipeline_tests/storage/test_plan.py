"""What is recommended, in which order, and what is left: on the real volumes, on healthy databases, in any case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odds_pipeline.settings import Settings
from odds_pipeline.storage.measured import ColumnReaders, StorageProfile
from odds_pipeline.storage.opportunities.afterwards import with_table, without_column
from odds_pipeline.storage.opportunities.retain import kept_for
from odds_pipeline.storage.plan import plan
from odds_pipeline_tests.storage.hand_profiles import empty, first_generation, ours
from odds_pipeline_tests.storage.profile_parts import GB, NOW

SETTINGS = Settings()


def test_the_earlier_system_drops_raw_responses_then_stores_changes_only_then_keeps_14_days():
    chosen = plan(first_generation(), SETTINGS)
    assert [step.opportunity.id for step in chosen.steps] == [
        "eliminate:odds_snapshots.raw_response",
        "eliminate:competitor_odds_snapshots.raw_response",
        "eliminate:market_odds.repeats",
        "eliminate:competitor_market_odds.repeats",
        "retain:14 days",
    ]
    assert chosen.before_bytes == 63 * GB
    assert chosen.after_bytes == pytest.approx(3.85 * GB, rel=0.02)
    assert chosen.meets_target
    assert chosen.fits_disk


def test_raw_responses_and_7_days_alone_leave_what_they_left_in_the_earlier_system():
    database = first_generation().databases[0]
    for name in ("odds_snapshots", "competitor_odds_snapshots"):
        found = database.table(name)
        assert found is not None
        database = with_table(database, found, lambda table: without_column(table, "raw_response"))
    # The volumes were noted down in whole gigabytes, of which the raw answers were 23 of 24 and 10 of 11.
    assert kept_for(database, 7, NOW).total_bytes == pytest.approx(11.9 * GB, rel=0.07)


def test_each_step_is_reckoned_on_what_the_steps_before_it_left():
    chosen = plan(first_generation(), SETTINGS)
    left = chosen.before_bytes
    for step in chosen.steps:
        assert 0 < step.saving_bytes <= (step.opportunity.saving_bytes or 0)
        left -= step.saving_bytes
        assert step.left_bytes == left
    assert left == chosen.after_bytes


def test_the_phases_are_the_four_and_their_savings_add_up():
    chosen = plan(first_generation(), SETTINGS)
    assert [phase.name for phase in chosen.phases] == ["schema", "application", "data migration", "monitoring"]
    assert sum(phase.saving_bytes for phase in chosen.phases) == chosen.before_bytes - chosen.after_bytes
    assert chosen.phases[-1].cumulative_bytes == chosen.before_bytes - chosen.after_bytes
    assert all(phase.measures for phase in chosen.phases)
    assert "odds_snapshots.raw_response" in chosen.phases[1].measures[0]


def test_after_changes_only_are_stored_retention_keeps_the_last_state_of_a_market():
    last = plan(first_generation(), SETTINGS).steps[-1].opportunity
    assert "rank()" in last.statement
    assert "NOT EXISTS" in last.statement


def test_a_target_that_14_days_miss_takes_7_and_then_what_is_hard():
    chosen = plan(first_generation(), Settings(storage_target_gb=1.5))
    ids = [step.opportunity.id for step in chosen.steps]
    assert "retain:14 days" not in ids
    assert ids[4] == "retain:7 days"
    assert ids[5] == "normalize:market_odds.outcomes"
    assert not plan(first_generation(), Settings(storage_target_gb=0.5)).meets_target


def test_what_is_hard_is_left_alone_once_the_target_is_met():
    middle = plan(first_generation(), Settings(storage_target_gb=2.5))
    assert middle.meets_target
    assert [step.opportunity.family for step in middle.steps][-1] == "retain"


def test_a_column_that_views_read_is_not_dropped_by_the_plan():
    profile = first_generation()
    database = profile.databases[0]
    readers = ColumnReaders("raw_response", ("answers",), (), (), None, None)
    tables = tuple(
        replace(table, columns=tuple(
            replace(column, readers=readers) if column.name == "raw_response" else column for column in table.columns
        ))
        for table in database.tables
    )  # fmt: skip
    chosen = plan(replace(profile, databases=(replace(database, tables=tables),)), SETTINGS)
    assert chosen.phases[0].steps == ()
    assert not chosen.meets_target


@pytest.mark.parametrize("profile", [ours(), empty()], ids=["ours", "empty"])
def test_a_healthy_database_has_a_plan_of_nothing_but_watching(profile: StorageProfile):
    chosen = plan(profile, SETTINGS)
    assert chosen.steps == ()
    assert chosen.before_bytes == chosen.after_bytes == profile.total_bytes
    assert [phase.measures[0].startswith("Nothing is to be done") for phase in chosen.phases] == [True] * 3 + [False]
    assert "ODDS_PROFILE_INTERVAL" in chosen.phases[3].measures[0]


def test_what_does_not_fit_the_disk_is_said():
    assert not plan(first_generation(), Settings(disk_gb=3)).fits_disk
