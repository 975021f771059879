"""Alerts: each kind opened once, resolved by itself or by hand, opened again when it recurs; none when all is well."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest

from odds_pipeline.database import migrate
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage.alerts import (
    ALERT_TYPES,
    Alert,
    NoSuchAlert,
    all_alerts,
    open_alerts,
    resolve,
    review_alerts,
)
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.database.rows import insert
from odds_pipeline_tests.storage.growing import DAY, GB, HOUR, MB, NOON, Storage, judgement, profile, retained

MINUTE = timedelta(minutes=1)


@pytest.fixture
def storage(database: Database) -> Storage:
    return Storage(database, Settings())


class Condition:
    """One kind of alert: ``look`` makes its condition hold or not, and reviews. Returns what was opened and ended."""

    def __init__(self, alert_type: str, storage: Storage) -> None:
        self.alert_type, self.storage = alert_type, storage
        self.size = GB
        if alert_type == "disk_filling":
            storage.look(NOON - 3 * DAY, GB)

    def look(self, at: datetime, *, holds: bool) -> tuple[list[Alert], list[Alert]]:
        database = self.storage.database
        self.storage.maintain(at)
        match self.alert_type:
            case "growth":
                self.size *= 2 if holds else 1
            case "size_limit":
                self.size = 51 * GB if holds else 44 * GB
            case "disk_filling":
                self.size = 20 * GB if holds else GB
            case "missing_partition" if holds:
                with database.connect() as connection:
                    connection.execute(f"DROP TABLE odds_history_{at + 3 * DAY:%Y%m%d}".encode())
            case "retention_not_run" if holds:
                with database.connect() as connection:
                    connection.execute("DELETE FROM cleanup_runs")
                retained(database, at - timedelta(hours=26, seconds=1))
        reviewed = self.storage.look(at, self.size)
        assert set(reviewed.open) == set(open_alerts(database))
        return self._ours(reviewed.opened), self._ours(reviewed.ended)

    def _ours(self, alerts: Sequence[Alert]) -> list[Alert]:
        return [alert for alert in alerts if alert.alert_type == self.alert_type]


@pytest.mark.parametrize("alert_type", ALERT_TYPES)
def test_each_kind_is_opened_once_resolved_by_itself_or_by_hand_and_opened_again(
    storage: Storage, alert_type: str
) -> None:
    """B-54, R25."""
    condition = Condition(alert_type, storage)
    assert condition.look(NOON, holds=False) == ([], [])

    [first], _ = condition.look(NOON + HOUR, holds=True)
    assert (first.created_at, first.is_open, first.ended_at) == (NOON + HOUR, True, None)
    assert condition.look(NOON + 2 * HOUR, holds=True) == ([], []), "it lasts: no other is opened"
    assert first in open_alerts(storage.database)

    opened, [ended] = condition.look(NOON + 3 * HOUR, holds=False)
    assert opened == []
    assert (ended.id, ended.resolved_by, ended.resolved_at, ended.ended_at) == (
        first.id,
        "itself",
        NOON + 3 * HOUR,
        NOON + 3 * HOUR,
    )

    [second], _ = condition.look(NOON + 4 * HOUR, holds=True)
    assert second.id != first.id
    by_hand = resolve(storage.database, second.id, now=NOON + 5 * HOUR).alert
    assert (by_hand.resolved_by, by_hand.resolved_at, by_hand.ended_at) == ("hand", NOON + 5 * HOUR, None)
    assert condition.look(NOON + 6 * HOUR, holds=True) == ([], []), "resolved by hand while it lasts: it stays so"
    _, [ended] = condition.look(NOON + 7 * HOUR, holds=False)
    assert (ended.resolved_by, ended.resolved_at, ended.ended_at) == ("hand", NOON + 5 * HOUR, NOON + 7 * HOUR)

    [third], _ = condition.look(NOON + 8 * HOUR, holds=True)
    kept = [alert.id for alert in all_alerts(storage.database) if alert.alert_type == alert_type]
    assert kept == [third.id, second.id, first.id]


@pytest.mark.parametrize(
    ("held_at_once", "a_day", "interval"),
    [(19 * MB, 62 * MB, HOUR), (113 * MB, 454 * MB, HOUR), (330 * MB, 454 * MB, HOUR), (113 * MB, 454 * MB, DAY)],
    ids=["scale S", "scale L", "the whole offer at once", "scale L, sampled once a day"],
)
def test_a_quiet_database_raises_nothing_from_its_first_cycle_on(
    database: Database, held_at_once: int, a_day: int, interval: timedelta
) -> None:
    """A fortnight and two days: empty, the first cycle, every day's rows, then retention takes a day for each."""
    storage = Storage(database, Settings(profile_interval=interval))
    start = NOON.replace(hour=0, minute=2)
    assert storage.look(start - interval, 12 * MB, dagster=10 * MB).open == (), "migrated, never used"
    with database.connect() as connection:
        insert(connection, "scrape_runs", trigger="scheduled", status="completed", started_at=start, created_at=start)
    for looks in range(16 * DAY // interval):
        at = start + looks * interval
        if at.hour == start.hour and looks:
            # Two minutes after midnight the day that is the last one ahead now has not been made yet.
            assert storage.look(at, int(storage_of(at - start, held_at_once, a_day))).open == ()
            storage.maintain(at + 15 * MINUTE)
        elif not looks:
            storage.maintain(at, retains=False)
        assert storage.look(at + 30 * MINUTE, int(storage_of(at - start, held_at_once, a_day))).opened == ()
    assert storage.look(start + 16 * DAY, int(storage_of(16 * DAY, held_at_once, a_day))).unknown == {}
    assert all_alerts(database) == ()


def storage_of(age: timedelta, held_at_once: int, a_day: int) -> float:
    """What the odds database takes at an age: what is held once, 14 days before today, and today so far."""
    whole = age // DAY
    return 12 * MB + held_at_once + a_day * (age / DAY - max(whole - 14, 0))


def test_what_is_said_names_what_where_since_when_and_what_to_do(storage: Storage) -> None:
    storage.maintain(NOON - 30 * HOUR)
    for hours in (30, 20):
        storage.look(NOON - hours * HOUR, 40 * GB)
    retained(storage.database, NOON - HOUR, "failed", "2026-11-05: it is being read")
    opened = {alert.alert_type: alert for alert in storage.look(NOON, 52 * GB, archive=GB).opened}
    assert set(opened) == set(ALERT_TYPES)
    assert opened["growth"].message == (
        "Everything grew by 32 % from 40.0 GB at 2026-11-19 16:00 UTC to 53.0 GB 20 hours later, most in "
        "odds.odds_history (+12.0 GB), archive.observations (+1.00 GB). If no import, rebuild or much larger offer "
        "explains it, odds-pipeline profile says what these tables hold and what to do."
    )
    assert (opened["growth"].current_bytes, opened["growth"].previous_bytes) == (53_020 * MB, 40_020 * MB)
    assert opened["growth"].growth_percent == pytest.approx(32.48)
    assert opened["size_limit"].message == (
        "Everything takes 53.0 GB, more than the 50.0 GB of ODDS_ALERT_SIZE_GB; most of it odds.odds_history "
        "(52.0 GB), archive.observations (1.00 GB), dagster.event_logs (20.0 MB). odds-pipeline profile finds nothing "
        "to save: keep fewer days (ODDS_RETENTION_DAYS), or raise that setting if so much is meant to be kept."
    )
    assert opened["disk_filling"].message == (
        "The disk of 75.0 GB (ODDS_DISK_GB) is full in 2 days: everything takes 53.0 GB and since 2026-11-19 06:00 UTC "
        "has grown by 10.4 GB a day, most in odds.odds_history (+9.60 GB a day), archive.observations (+800 MB a day). "
        "odds-pipeline profile finds nothing to save: keep fewer days (ODDS_RETENTION_DAYS), or take a larger disk and "
        "say so in ODDS_DISK_GB."
    )
    assert opened["missing_partition"].subject == "odds_history"
    assert opened["missing_partition"].message == (
        "odds_history has no partition for 2026-11-27: what prepares days ahead has not run. Nothing is lost, a cycle "
        "makes one when it writes. Start the daemon (odds-pipeline up), or run odds-pipeline migrate."
    )
    assert opened["retention_not_run"].message == (
        "Retention was not completed since 2026-11-19 06:00 UTC, 30 hours ago: days that are over stay in PostgreSQL. "
        "The last try: 2026-11-05: it is being read. Start the daemon (odds-pipeline up), or run odds-pipeline "
        "retention and see what it says."
    )


@pytest.mark.parametrize(
    ("gained", "base", "is_raised"),
    [
        (int(0.2 * 4 * GB), 4 * GB, False),
        (int(0.2 * 4 * GB) + MB, 4 * GB, True),
        (500 * MB, GB, False),
        (501 * MB, GB, True),
    ],
    ids=["20 % are allowed", "more are not", "500 MB are allowed", "more of little are not"],
)
def test_growth_needs_both_the_percentage_and_the_megabytes(
    storage: Storage, gained: int, base: int, is_raised: bool
) -> None:
    """B-54: 20 % between two samples."""
    storage.look(NOON, base, dagster=0)
    raised = [alert.alert_type for alert in storage.look(NOON + HOUR, base + gained, dagster=0).opened]
    assert raised == (["growth"] if is_raised else [])


def test_a_profile_by_hand_neither_hides_growth_nor_makes_any(storage: Storage) -> None:
    storage.look(NOON, GB)
    assert storage.look(NOON + 58 * MINUTE, int(1.7 * GB)).opened[0].alert_type == "growth"
    assert storage.look(NOON + HOUR, int(1.7 * GB)).ended == (), "two minutes later it has still grown since noon"
    assert storage.look(NOON + 61 * MINUTE, int(2.2 * GB)).opened == ()
    [ended] = storage.look(NOON + 2 * HOUR, int(2.2 * GB)).ended
    assert ended.alert_type == "growth"


def test_a_size_of_50_gb_raises_an_alert(storage: Storage) -> None:
    """B-54."""
    assert storage.look(NOON, 50 * GB, dagster=0).opened == ()
    [alert] = storage.look(NOON + HOUR, 50 * GB + 1, dagster=0).opened
    assert (alert.alert_type, alert.current_bytes, alert.previous_bytes) == ("size_limit", 50 * GB + 1, None)


def test_a_disk_is_said_to_fill_after_a_day_of_samples_not_before(storage: Storage) -> None:
    storage.look(NOON, 20 * GB)
    early = storage.look(NOON + 23 * HOUR, 23 * GB)
    assert early.opened == ()
    assert early.unknown == {"disk_filling": "how fast everything grows is not known before there is a day of samples"}
    later = storage.look(NOON + 24 * HOUR, int(23.8 * GB))
    assert [alert.alert_type for alert in later.opened] == ["disk_filling"]
    assert later.unknown == {}


def test_a_full_disk_is_told_of_at_once_and_while_everything_shrinks(database: Database) -> None:
    storage = Storage(database, Settings(disk_gb=30))
    [alert] = storage.look(NOON, 31 * GB).opened
    assert alert.message == (
        "The disk of 30.0 GB (ODDS_DISK_GB) is full: everything takes 31.0 GB, most of it odds.odds_history (31.0 GB), "
        "dagster.event_logs (20.0 MB). odds-pipeline profile finds nothing to save: keep fewer days "
        "(ODDS_RETENTION_DAYS), or take a larger disk and say so in ODDS_DISK_GB."
    )
    assert storage.look(NOON + DAY, 30 * GB).open == (alert,)
    assert storage.look(NOON + 2 * DAY, 29 * GB).open == (alert,), "nearly full, though nothing is growing"
    assert storage.look(NOON + 3 * DAY, 26 * GB).open == ()


def test_what_cannot_be_told_leaves_an_alert_as_it_is(storage: Storage) -> None:
    storage.look(NOON, 20 * GB)
    [alert] = storage.look(NOON + 24 * HOUR, int(23.8 * GB)).opened
    with storage.database.connect() as connection:
        connection.execute("DELETE FROM storage_samples")
    reviewed = storage.look(NOON + 25 * HOUR, 20 * GB)
    assert set(reviewed.unknown) == {"growth", "disk_filling"}
    assert reviewed.open == (alert,)


def test_retention_that_never_ran_is_told_of_when_the_first_cycle_is_old_enough(storage: Storage) -> None:
    storage.look(NOON - DAY, GB)
    storage.maintain(NOON, retains=False)
    assert storage.look(NOON + 26 * HOUR, GB).opened[0].alert_type == "missing_partition"
    opened = storage.look(NOON + 27 * HOUR, GB).opened
    assert [alert.message.partition(":")[0] for alert in opened] == [
        "Retention was not completed since the first cycle, 2026-11-20 12"
    ]


def test_a_cleanup_run_of_an_earlier_system_without_its_end_counts_from_its_start(storage: Storage) -> None:
    """R25."""
    storage.maintain(NOON, retains=False)
    storage.look(NOON, GB)
    retained(storage.database, NOON + 2 * HOUR)
    with storage.database.connect() as connection:
        connection.execute("UPDATE cleanup_runs SET completed_at = NULL")
    assert "retention_not_run" not in {alert.alert_type for alert in storage.look(NOON + 27 * HOUR, GB).opened}
    assert "retention_not_run" in {alert.alert_type for alert in storage.look(NOON + 29 * HOUR, GB).opened}


def test_of_reviewers_at_once_one_opens_an_alert_and_one_ends_it(storage: Storage) -> None:
    storage.maintain(NOON)
    large, small = (profile(NOON, {"odds_history": size}) for size in (51 * GB, GB))
    settings, reviewers = storage.settings, 4

    def review(seen: Any, at: datetime) -> list[Any]:
        start = Barrier(reviewers)

        def one(_: int) -> Any:
            start.wait()
            return review_alerts(storage.database, seen, judgement(seen, settings), settings=settings, now=at)

        with ThreadPoolExecutor(reviewers) as pool:
            return list(pool.map(one, range(reviewers)))

    for round_ in range(5):
        opened = review(large, NOON + round_ * MINUTE)
        assert sorted(len(each.opened) for each in opened) == [0, 0, 0, 1]
        assert {len(each.open) for each in opened} == {1}
        ended = review(small, NOON + round_ * MINUTE + MINUTE / 2)
        assert sorted(len(each.ended) for each in ended) == [0, 0, 0, 1]
    assert len(all_alerts(storage.database)) == 5


def test_a_review_that_comes_late_undoes_nothing_of_a_later_one(storage: Storage) -> None:
    storage.look(NOON + HOUR, 51 * GB)
    assert storage.look(NOON, GB).ended == ()
    assert len(open_alerts(storage.database)) == 1
    storage.look(NOON + 2 * HOUR, GB)
    assert storage.look(NOON + 90 * MINUTE, 51 * GB).opened == ()


def test_a_review_by_a_clock_that_was_a_year_ahead_is_undone_and_stands_in_nobodys_way(storage: Storage) -> None:
    year = 365 * DAY
    for day in (NOON, NOON + year):
        storage.maintain(day)
    storage.look(NOON + year, 51 * GB)
    [ended] = storage.look(NOON, GB).ended
    assert (ended.alert_type, ended.ended_at) == ("size_limit", NOON)
    assert "size_limit" in {each.alert_type for each in storage.look(NOON + HOUR, 60 * GB).opened}
    storage.look(NOON + 2 * HOUR, GB)
    storage.look(NOON + year + HOUR, 51 * GB)
    storage.look(NOON + year + 2 * HOUR, GB)
    opened = storage.look(NOON + 3 * HOUR, 60 * GB).opened
    assert "size_limit" in {each.alert_type for each in opened}, "what ended in a year has not ended yet"


def test_retention_by_a_clock_that_was_a_year_ahead_was_not_completed(storage: Storage) -> None:
    storage.maintain(NOON)
    retained(storage.database, NOON + 365 * DAY)
    assert storage.look(NOON + 26 * HOUR, GB).opened[0].alert_type == "missing_partition"
    assert "retention_not_run" in {each.alert_type for each in storage.look(NOON + 27 * HOUR, GB).opened}


def test_resolving_twice_keeps_the_first_and_an_unknown_one_is_refused(storage: Storage) -> None:
    [alert] = storage.look(NOON, 51 * GB).opened
    first = resolve(storage.database, alert.id, now=NOON + HOUR)
    again = resolve(storage.database, alert.id, now=NOON + 2 * HOUR)
    assert (first.was_before, again.was_before) == (False, True)
    assert again.alert == first.alert
    with pytest.raises(NoSuchAlert, match=f"no alert {alert.id + 1}; odds-pipeline alerts --all"):
        resolve(storage.database, alert.id + 1, now=NOON)


def test_one_condition_has_one_alert_that_lasts_whoever_writes_it(storage: Storage) -> None:
    storage.look(NOON, 51 * GB)
    with storage.database.connect() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        insert(connection, "storage_alerts", alert_type="size_limit", message="again", current_bytes=1)
    with storage.database.connect() as connection, pytest.raises(psycopg.errors.CheckViolation):
        insert(connection, "storage_alerts", alert_type="nobody ends these", message="", current_bytes=1)


def test_alerts_taken_over_from_an_earlier_system_have_ended_and_are_still_told_of(migrated_database: str) -> None:
    """R25: of any kind, several of one kind, resolved or not."""
    migrate.downgrade(migrated_database, "0014")
    old = {"message": "Database grew", "current_bytes": 63 * GB, "previous_bytes": 50 * GB, "growth_percent": 26.0}
    with psycopg.connect(migrated_database) as connection:
        for resolved_at in (NOON, None, None):
            insert(
                connection,
                "storage_alerts",
                alert_type="growth_warning",
                created_at=NOON,
                resolved_at=resolved_at,
                **old,
            )
    migrate.upgrade(migrated_database)
    with Database(migrated_database) as database:
        kept = all_alerts(database)
        assert [alert.is_open for alert in kept] == [False, False, False]
        assert sorted((alert.resolved_by or "not said") for alert in kept) == ["itself", "itself", "not said"]
        assert all(alert.ended_at == alert.resolved_at for alert in kept)
        [alert] = Storage(database, Settings()).look(NOON, 51 * GB).opened
        assert open_alerts(database) == (alert,)
        assert query(database, "SELECT count(*) FROM storage_alerts") == [(4,)]
