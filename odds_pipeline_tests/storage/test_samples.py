"""Samples: what is kept of a profile, which of them can be compared, and the growth that they tell of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import DatabaseProfile, StorageProfile, Table, Wal
from odds_pipeline.storage.samples import SAMPLES, growth_of_samples, newest_pair, samples, take_sample
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.database.rows import insert
from odds_pipeline_tests.storage.growing import DAY, HOUR, MB, NOON, profile

OLD_SAMPLE: dict[str, Any] = {"total_bytes": 63_000 * MB, "table_sizes": '{"market_odds": 22000000000}'}
"""As the earlier system has them: one database, tables without its name."""


def sample(database: Database, hours: float, history: int, **parts: Any) -> None:
    take_sample(database, profile(NOON + hours * HOUR, {"odds_history": history}, **parts))


def test_a_sample_has_everything_by_database_archive_and_table(database: Database) -> None:
    """B-54: the size of storage is sampled."""
    kept = take_sample(database, profile(NOON, {"odds_history": 7 * MB, "events": MB}, dagster=3 * MB, archive=2 * MB))
    assert (kept.sampled_at, kept.total_bytes) == (NOON, 13 * MB)
    assert (kept.odds_bytes, kept.dagster_bytes, kept.archive_bytes) == (8 * MB, 3 * MB, 2 * MB)
    assert kept.table_sizes == {
        "odds.odds_history": 7 * MB,
        "odds.events": MB,
        "dagster.event_logs": 3 * MB,
        "archive.observations": 2 * MB,
    }


def test_a_partitioned_table_is_sampled_once_and_a_table_of_another_schema_under_its_schema(database: Database) -> None:
    def table(name: str, kind: Any, schema: str = "public") -> Table:
        return Table(
            schema, name, kind, 1, "counted", MB, 0, MB, parent="odds_history" if kind == "partition" else None
        )

    tables = (
        table("odds_history", "partitioned"),
        table("odds_history_20261120", "partition"),
        table("events", "table"),
        table("events", "table", schema="old"),
    )
    odds = DatabaseProfile("odds", "18.4", False, 9 * MB, tables, wal=Wal(5 * MB, NOON - DAY))
    kept = take_sample(database, StorageProfile(NOON, (odds,)))
    assert kept.table_sizes == {"odds.odds_history": 2 * MB, "odds.events": 2 * MB, "odds.old.events": 2 * MB}
    assert kept.dagster_bytes is None
    found = samples(database, since=NOON)
    assert found.select("wal_bytes", "wal_since").row(0) == (5 * MB, NOON - DAY)


def test_a_profile_of_another_database_is_not_sampled(database: Database) -> None:
    with pytest.raises(ValueError, match="no database named odds"):
        take_sample(database, StorageProfile(NOON, ()))


def test_samples_are_read_back_from_a_time_on_the_oldest_first(database: Database) -> None:
    for hours in (2, 0, 1):
        sample(database, hours, 10 * MB + int(hours))
    found = samples(database, since=NOON + HOUR)
    assert found.schema == pl.Schema(SAMPLES)
    assert found["sampled_at"].to_list() == [NOON + HOUR, NOON + 2 * HOUR]
    assert found["odds_bytes"].to_list() == [10 * MB + 1, 10 * MB + 2]
    assert samples(database, since=NOON + DAY).schema == found.schema


def test_rows_of_an_earlier_system_are_shown_and_compared_with_nothing(database: Database) -> None:
    """R25."""
    with database.connect() as connection:
        insert(connection, "storage_samples", sampled_at=NOON - 2 * HOUR, **OLD_SAMPLE)
    assert newest_pair(database, now=NOON, apart=HOUR) is None
    sample(database, 0, 10 * MB)
    assert newest_pair(database, now=NOON, apart=HOUR) is None
    assert growth_of_samples(database, now=NOON) is None
    found = samples(database, since=NOON - DAY)
    assert found["total_bytes"].to_list() == [63_000 * MB, 10 * MB]
    assert found["odds_bytes"].to_list() == [None, 10 * MB]


def test_growth_is_told_by_the_ends_of_at_most_seven_days(database: Database) -> None:
    for day in range(10):
        sample(database, 24 * day, 100 * MB + 62 * MB * day, dagster=5 * MB, archive=day * MB)
    growth = growth_of_samples(database, now=NOON + 9 * DAY)
    assert growth is not None
    assert (growth.said_by, growth.since, growth.until) == ("samples", NOON + 2 * DAY, NOON + 9 * DAY)
    assert growth.bytes_a_day == 63 * MB
    assert growth.by_table == {"odds.odds_history": 62 * MB, "archive.observations": MB}, (
        "what did not grow is left out"
    )


def test_there_is_no_growth_before_two_samples_lie_an_hour_apart(database: Database) -> None:
    assert growth_of_samples(database, now=NOON) is None
    sample(database, 0, 100 * MB)
    sample(database, 0.9, 200 * MB)
    assert growth_of_samples(database, now=NOON + HOUR) is None
    sample(database, 1, 200 * MB)
    growth = growth_of_samples(database, now=NOON + HOUR)
    assert growth is not None
    assert growth.bytes_a_day == 24 * 100 * MB


def test_a_sample_without_dagsters_database_makes_no_growth_of_its_bytes(database: Database) -> None:
    sample(database, 0, 100 * MB, dagster=None)
    sample(database, 2, 110 * MB, dagster=500 * MB)
    assert growth_of_samples(database, now=NOON + DAY) is None, "the first one cannot tell what Dagster had"
    sample(database, 3, 120 * MB, dagster=None)
    pair = newest_pair(database, now=NOON + DAY, apart=HOUR)
    assert pair is not None
    assert (pair.before, pair.after, pair.by_table) == (110 * MB, 120 * MB, {"odds.odds_history": 10 * MB})
    sample(database, 4, 120 * MB, dagster=530 * MB)
    pair = newest_pair(database, now=NOON + DAY, apart=HOUR)
    assert pair is not None
    assert (pair.earlier.sampled_at, pair.after - pair.before) == (NOON + 2 * HOUR, 40 * MB)
    assert pair.by_table == {"dagster.event_logs": 30 * MB, "odds.odds_history": 10 * MB}


def test_a_sample_without_the_archive_cannot_be_taken_for_one_of_an_empty_archive(database: Database) -> None:
    sample(database, 0, 100 * MB, archive=50 * MB)
    sample(database, 2, 110 * MB, archive=None)
    assert samples(database, since=NOON)["archive_bytes"].to_list() == [50 * MB, None]
    growth = growth_of_samples(database, now=NOON + DAY)
    assert growth is not None
    assert growth.by_table == {"odds.odds_history": 120 * MB}
    sample(database, 3, 110 * MB, archive=50 * MB)
    pair = newest_pair(database, now=NOON + DAY, apart=HOUR)
    assert pair is not None
    assert (pair.earlier.sampled_at, pair.by_table) == (NOON, {"odds.odds_history": 10 * MB})


def test_a_sample_from_a_future_that_the_clock_has_left_is_not_compared(database: Database) -> None:
    for hours in (0, 2, 50):
        sample(database, hours, 100 * MB)
    pair = newest_pair(database, now=NOON + 3 * HOUR, apart=timedelta(minutes=30))
    assert pair is not None
    assert (pair.later.sampled_at, pair.apart) == (NOON + 2 * HOUR, 2 * HOUR)


def test_a_day_of_samples_takes_little_room(database: Database) -> None:
    """90 days of hourly samples are a part of what they tell of."""
    tables = {f"a_table_with_a_long_name_{number}": number * MB for number in range(60)}
    for hour in range(24):
        take_sample(database, profile(NOON + hour * HOUR, tables))
    [(size,)] = query(database, "SELECT pg_total_relation_size('storage_samples')")
    assert 90 * size < 10 * MB
