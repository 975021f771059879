"""Partitions by time: every moment has its day, however many ask for it at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import psycopg
import pytest
from psycopg import errors

from odds_pipeline.database.partitions import (
    HISTORY,
    SNAPSHOTS,
    Partition,
    PartitionInTheWay,
    ensure_partitions,
    list_partitions,
    missing_days,
)


@pytest.fixture
def connection(shared_migrated_database: str) -> Iterator[psycopg.Connection]:
    """A transaction that is undone after the test."""
    with psycopg.connect(shared_migrated_database) as connection:
        yield connection
        connection.rollback()


def partition_of(connection: psycopg.Connection, moment: datetime) -> str:
    row = connection.execute(
        "INSERT INTO odds_history VALUES (%s, 1, 1, '\\x0000') RETURNING tableoid::regclass::text", [moment]
    ).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2028, 2, 28), date(2028, 3, 1)),
        (date(2027, 2, 27), date(2027, 3, 2)),
        (date(2026, 12, 30), date(2027, 1, 2)),
        (date(2026, 3, 28), date(2026, 3, 30)),
        (date(2026, 11, 20), date(2026, 11, 20)),
    ],
    ids=["leap day", "28 February", "year's end", "summer time", "one day"],
)
def test_every_moment_of_the_days_asked_for_has_a_partition(
    connection: psycopg.Connection, first: date, last: date
) -> None:
    """B-52."""
    connection.execute("SET TimeZone = 'Europe/Berlin'")
    made = ensure_partitions(connection, first, last)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    assert made == [f"odds_history_{day:%Y%m%d}" for day in days]
    for day, name in zip(days, made, strict=True):
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        last_moment = midnight + timedelta(days=1) - timedelta(microseconds=1)
        assert partition_of(connection, midnight) == partition_of(connection, last_moment) == name
    with pytest.raises(errors.CheckViolation, match="no partition"):
        partition_of(connection, datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1))


def test_the_day_is_that_of_utc(connection: psycopg.Connection) -> None:
    ensure_partitions(connection, date(2026, 11, 19), date(2026, 11, 20))
    lagos = timezone(timedelta(hours=1))
    assert partition_of(connection, datetime(2026, 11, 20, 0, 30, tzinfo=lagos)) == "odds_history_20261119"


def test_partitions_are_made_once_and_listed_in_order(connection: psycopg.Connection) -> None:
    assert ensure_partitions(connection, date(2028, 3, 1), date(2028, 3, 1)) == ["odds_history_20280301"]
    assert missing_days(connection, date(2028, 2, 28), date(2028, 3, 2)) == [
        date(2028, 2, 28),
        date(2028, 2, 29),
        date(2028, 3, 2),
    ]
    assert ensure_partitions(connection, date(2028, 2, 29), date(2028, 3, 1)) == ["odds_history_20280229"]
    assert ensure_partitions(connection, date(2028, 2, 29), date(2028, 3, 1)) == []
    assert list_partitions(connection) == [
        Partition("odds_history_20280229", date(2028, 2, 29), date(2028, 3, 1), is_detaching=False),
        Partition("odds_history_20280301", date(2028, 3, 1), date(2028, 3, 2), is_detaching=False),
    ]


def test_snapshots_are_partitioned_by_month(connection: psycopg.Connection) -> None:
    """R6: more months are made by the same function as days of history."""
    before = list_partitions(connection, SNAPSHOTS)
    assert missing_days(connection, date(2026, 12, 31), date(2027, 2, 1), SNAPSHOTS) == [
        date(2027, 1, 1),
        date(2027, 2, 1),
    ]
    made = ensure_partitions(connection, date(2026, 12, 31), date(2027, 2, 1), SNAPSHOTS)
    assert made == ["odds_snapshots_202701", "odds_snapshots_202702"]
    after = list_partitions(connection, SNAPSHOTS)
    assert after[: len(before)] == before
    assert [(p.first_day, p.end_day) for p in after[len(before) :]] == [
        (date(2027, 1, 1), date(2027, 2, 1)),
        (date(2027, 2, 1), date(2027, 3, 1)),
    ]


def test_a_partition_has_the_keys_and_indexes_of_its_table(connection: psycopg.Connection) -> None:
    ensure_partitions(connection, date(2026, 11, 20), date(2026, 11, 20))
    definitions = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'odds_history_20261120'")
    assert {definition.split(" USING ")[1] for (definition,) in definitions} == {
        "btree (event_bookmaker_id, captured_at)",
        "brin (captured_at) WITH (autosummarize='on')",
    }


def test_two_that_ensure_at_once_make_each_partition_once(migrated_database: str) -> None:
    first, last = date(2026, 12, 30), date(2027, 1, 2)
    second_made: list[str] = []

    def second() -> None:
        with psycopg.connect(migrated_database, application_name="second") as connection:
            second_made.extend(ensure_partitions(connection, first, last + timedelta(days=1)))

    with psycopg.connect(migrated_database) as connection, psycopg.connect(migrated_database, autocommit=True) as watch:
        assert len(ensure_partitions(connection, first, last)) == 4
        thread = threading.Thread(target=second)
        thread.start()
        waiting = "SELECT FROM pg_stat_activity WHERE application_name = 'second' AND wait_event = 'advisory'"
        while thread.is_alive() and watch.execute(waiting).rowcount == 0:
            pass
        assert thread.is_alive(), "the second one did not wait for the first"
        connection.commit()
        thread.join()
    assert second_made == ["odds_history_20270103"]


def test_readers_and_writers_go_on_while_partitions_are_made(migrated_database: str) -> None:
    with psycopg.connect(migrated_database) as writer, psycopg.connect(migrated_database) as maker:
        ensure_partitions(writer, date(2026, 11, 20), date(2026, 11, 20))
        writer.commit()
        partition_of(writer, datetime(2026, 11, 20, 12, tzinfo=UTC))
        maker.execute("SET lock_timeout = '5s'")
        assert ensure_partitions(maker, date(2026, 11, 21), date(2026, 11, 21)) == ["odds_history_20261121"]
        writer.execute("SET lock_timeout = '5s'")
        partition_of(writer, datetime(2026, 11, 20, 13, tzinfo=UTC))
        assert writer.execute("SELECT FROM market_odds_history").rowcount == 0


def test_what_was_made_is_undone_with_the_transaction(connection: psycopg.Connection) -> None:
    ensure_partitions(connection, date(2026, 11, 20), date(2026, 11, 20))
    connection.rollback()
    assert list_partitions(connection) == []


def test_an_autocommit_connection_makes_them_too(migrated_database: str) -> None:
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        assert len(ensure_partitions(connection, date(2026, 11, 20), date(2026, 11, 21))) == 2
        assert len(list_partitions(connection)) == 2


def test_a_table_that_bears_a_partitions_name_is_reported_not_attached(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE odds_history_20261121 (LIKE odds_history)")
    with pytest.raises(PartitionInTheWay, match="odds_history_20261121"):
        ensure_partitions(connection, date(2026, 11, 20), date(2026, 11, 21))
    assert list_partitions(connection) == []
    assert connection.execute("SELECT 1").fetchone() == (1,), "the transaction goes on"


def test_a_detach_left_half_done_is_reported(migrated_database: str) -> None:
    day = date(2026, 11, 20)
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        ensure_partitions(connection, day, day)
        with psycopg.connect(migrated_database) as reader:
            reader.execute("SELECT FROM odds_history")
            connection.execute("SET statement_timeout = '300ms'")
            with pytest.raises(errors.QueryCanceled):
                connection.execute("ALTER TABLE odds_history DETACH PARTITION odds_history_20261120 CONCURRENTLY")
        assert [partition.is_detaching for partition in list_partitions(connection)] == [True]
        with pytest.raises(PartitionInTheWay, match="half detached"):
            ensure_partitions(connection, day, day)


def test_periods_run_over_leap_days_and_years() -> None:
    assert [f"{day:%d.%m.%y}" for day in HISTORY.periods(date(2027, 12, 31), date(2028, 1, 1))] == [
        "31.12.27",
        "01.01.28",
    ]
    months = list(SNAPSHOTS.periods(date(2028, 1, 31), date(2029, 1, 1)))
    assert len(months) == 13
    assert {day.day for day in months} == {1}
    assert list(HISTORY.periods(date(2028, 1, 2), date(2028, 1, 1))) == []
