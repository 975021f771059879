"""What lies ahead: the disk, the target, other lengths of retention, and what whole snapshots would have taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from odds_pipeline.settings import Settings
from odds_pipeline.storage.measured import DatabaseProfile, StorageProfile
from odds_pipeline.storage.projection import projection
from odds_pipeline_tests.storage.hand_profiles import empty, first_generation, ours
from odds_pipeline_tests.storage.profile_parts import GB, MB, NOW, ages, table

SETTINGS = Settings()


def test_the_disk_is_full_when_growth_has_filled_what_is_free():
    assert projection(first_generation(), SETTINGS).days_until_full == pytest.approx(12 / 3.6)
    assert projection(ours(), SETTINGS).days_until_full == pytest.approx((75 * GB - ours().total_bytes) / (15 * MB))


def test_what_is_reached_already_is_no_days_away():
    assert projection(first_generation(), SETTINGS).days_until_target == 0
    assert projection(first_generation(), Settings(disk_gb=60)).days_until_full == 0


@pytest.mark.parametrize("growth", [0.0, -5_000_000.0])
def test_without_growth_nothing_is_ever_full(growth: float):
    profile = ours()
    assert profile.growth is not None
    still = projection(replace(profile, growth=replace(profile.growth, bytes_a_day=growth)), SETTINGS)
    assert (still.days_until_full, still.days_until_target, still.bytes_a_day) == (None, None, growth)


def test_an_empty_database_has_no_numbers_where_there_are_none():
    found = projection(empty(), SETTINGS)
    assert (found.days_until_full, found.bytes_a_day, found.against_snapshots) == (None, None, None)
    assert found.retention_bytes is None


def test_other_lengths_of_retention_change_histories_alone():
    found = projection(ours(), SETTINGS).retention_bytes
    assert found is not None
    history = ours().databases[0].table("odds_history")
    assert history is not None
    assert history.bytes_per_row is not None
    a_day = 100_000 * history.bytes_per_row
    assert found[90] - found[30] == pytest.approx(60 * a_day, rel=0.03)
    assert found[14] == pytest.approx(ours().total_bytes - history.total_bytes + 14 * a_day, rel=0.01)


@pytest.mark.parametrize(
    ("days", "is_known"), [(0.4, False), (1.4, False), (2.4, True)], ids=["today's", "since yesterday", "a whole day"]
)
def test_other_lengths_of_retention_are_not_known_before_there_is_a_whole_day(days: float, is_known: bool):
    history = table("odds_history", 100_000, 10 * MB, aged=ages("captured_at", 100_000, days=days))
    old = table("storage_samples", 1_000, MB, aged=ages("sampled_at", 1_000, days=9))
    found = projection(
        StorageProfile(NOW, (DatabaseProfile("odds", "18.4", False, 20 * MB, (old, history)),)), SETTINGS
    )
    assert (found.retention_bytes is not None) is is_known


def test_the_day_of_the_first_row_counts_for_no_whole_one():
    today = NOW.date()
    aged = replace(
        ages("captured_at", 1_100, days=2.4),
        oldest=NOW - timedelta(days=2.4),
        rows_by_day={today - timedelta(days=2): 100, today - timedelta(days=1): 1_000},
    )
    history = table("odds_history", 1_100, 1_100 * 100, aged=aged)
    found = projection(StorageProfile(NOW, (DatabaseProfile("odds", "18.4", False, MB, (history,)),)), SETTINGS)
    assert found.retention_bytes is not None
    assert found.retention_bytes[30] - found.retention_bytes[14] == pytest.approx(16 * 1_000 * 100, rel=0.01)


def test_snapshots_would_have_taken_a_row_for_every_market_seen():
    against = projection(ours(), SETTINGS).against_snapshots
    assert against is not None
    assert against.snapshot_rows_a_day == 7_200_000
    assert against.rows_a_day == 366_000
    assert against.fewer_rows == pytest.approx(0.949, abs=0.001)
    assert against.first_sightings_a_day == 6_000
    assert against.fewer_rows_beside_first_sightings == pytest.approx(0.95)
    assert against.bytes_a_day == pytest.approx(366_000 * 140 / 3.6), "bytes of a change, not of an answer's row"
    assert against.snapshot_bytes_a_day == 7_200_000 * 260
    assert "85,408,740 rows" in against.snapshot_row_from


@pytest.mark.parametrize("spoilt", ["no time", "nothing seen"])
def test_cycles_that_saw_nothing_are_not_compared(spoilt: str):
    profile: StorageProfile = ours()
    assert profile.turnover is not None
    turnover = (
        replace(profile.turnover, until=profile.turnover.since)
        if spoilt == "no time"
        else replace(profile.turnover, observations=0, until=profile.turnover.since + timedelta(days=1))
    )
    assert projection(replace(profile, turnover=turnover), SETTINGS).against_snapshots is None
