"""Conditions of alerts at their limits: values that move around one, unmeasured parts, what lies long ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage.alerts import Alert, all_alerts
from odds_pipeline_tests.database.rows import insert
from odds_pipeline_tests.storage.growing import DAY, GB, HOUR, MB, NOON, Storage


@pytest.fixture
def storage(database: Database) -> Storage:
    """A database that is looked at and maintained."""
    storage = Storage(database, Settings())
    storage.maintain(NOON)
    return storage


def types(alerts: Sequence[Alert]) -> list[str]:
    return sorted(alert.alert_type for alert in alerts)


def followed(storage: Storage, sizes: Sequence[int]) -> list[Alert]:
    """Every alert that is opened while everything takes these sizes, hour by hour."""
    for hour, size in enumerate(sizes):
        if hour % 12 == 0:
            storage.maintain(NOON + hour * HOUR)
        storage.look(NOON + hour * HOUR, size, dagster=0)
    return list(all_alerts(storage.database))


def test_a_size_that_moves_around_its_limit_has_one_alert(storage: Storage) -> None:
    sizes = [50 * GB + (5 * MB if hour % 2 else -5 * MB) for hour in range(24)]
    assert types(followed(storage, sizes)) == ["size_limit"]


def test_what_retention_takes_each_midnight_near_the_limit_ends_no_alert(storage: Storage) -> None:
    """14 days before today, and today so far: a fifteenth comes and goes."""
    full = 51 * GB
    sizes = [round(full * (14 + hour % 24 / 24) / 15) for hour in range(72)]
    assert min(sizes) < 50 * GB < max(sizes)
    assert types(followed(storage, sizes)) == ["size_limit"]


def test_days_until_the_disk_is_full_that_move_around_their_limit_have_one_alert(storage: Storage) -> None:
    """At 2.4 GB a day a little more than 14 days are left; a fifth of a GB that comes and goes is half a day."""
    storage.look(NOON - 2 * DAY, 35 * GB, dagster=0)
    sizes = [int((39.8 + hour / 10 + (0.2 if hour % 2 else -0.2)) * GB) for hour in range(12)]
    alerts = [each for each in followed(storage, sizes) if each.alert_type == "disk_filling"]
    assert [each.ended_at for each in alerts] == [None]
    [ended] = storage.look(NOON + 12 * HOUR, 37 * GB, dagster=0).ended
    assert ended.id == alerts[0].id


@pytest.mark.parametrize(
    "limit", [{"alert_size_gb": 50}, {"disk_gb": 50, "alert_size_gb": 99}], ids=["size_limit", "disk_filling"]
)
@pytest.mark.parametrize("missing", ["dagster", "archive"])
def test_an_alert_does_not_end_while_a_part_is_not_measured(
    database: Database, limit: dict[str, float], missing: str
) -> None:
    storage = Storage(database, Settings(**limit))  # pyright: ignore[reportArgumentType]
    for day in (NOON - 2 * DAY, NOON - DAY, NOON):
        storage.maintain(day)
        parts: dict[str, int | None] = {"dagster": 11 * GB, "archive": 11 * GB}
        storage.look(day, 30 * GB, **parts)
    [alert] = all_alerts(database)
    reviewed = storage.look(NOON + HOUR, 30 * GB, **parts | {missing: None})
    assert reviewed.open == (alert,)
    assert reviewed.unknown[alert.alert_type] == f"not measured: {missing}; what was takes 41.0 GB"
    assert storage.look(NOON + 2 * HOUR, 24 * GB, **parts).open == (alert,), "nearly too large"
    [ended] = storage.look(NOON + 3 * HOUR, 22 * GB, **parts).ended
    assert ended.id == alert.id


def test_what_is_too_large_without_a_part_is_too_large(storage: Storage) -> None:
    assert types(storage.look(NOON, 51 * GB, dagster=None, archive=None).opened) == ["size_limit"]


def test_growth_of_some_parts_ends_no_alert(storage: Storage) -> None:
    storage.look(NOON, 10 * GB)
    [alert] = storage.look(NOON + HOUR, 20 * GB).opened
    assert storage.look(NOON + 2 * HOUR, 20 * GB, archive=None).open == (alert,)
    assert storage.look(NOON + 3 * HOUR, 20 * GB).open == ()


def test_an_archive_that_is_looked_at_again_is_no_growth(storage: Storage) -> None:
    storage.look(NOON, 2 * GB, archive=2 * GB)
    storage.look(NOON + HOUR, 2 * GB, archive=None)
    assert storage.look(NOON + 2 * HOUR, 2 * GB, archive=2 * GB).opened == ()


def test_cycles_that_were_brought_in_from_long_ago_are_waited_for_like_the_first_one(database: Database) -> None:
    storage = Storage(database, Settings())
    with database.connect() as connection:
        month_ago = NOON - 30 * DAY
        insert(connection, "scrape_runs", trigger="scheduled", status="completed", started_at=month_ago)
        connection.execute("UPDATE scrape_runs SET created_at = started_at")
        # What an earlier system sampled was no look at ours.
        insert(connection, "storage_samples", sampled_at=month_ago, total_bytes=GB, table_sizes="{}")
    assert "retention_not_run" not in types(storage.look(NOON, GB).opened)
    assert "retention_not_run" not in types(storage.look(NOON + 26 * HOUR, GB).opened)
    [alert] = [each for each in storage.look(NOON + 27 * HOUR, GB).opened if each.alert_type == "retention_not_run"]
    assert alert.message.startswith(
        "Retention was not completed since the first profile, 2026-11-20 12:00 UTC, 27 hours ago: "
    )


@pytest.mark.parametrize(
    ("interval", "apart", "is_told"),
    [(HOUR, DAY, True), (HOUR, DAY + HOUR, False), (DAY, 3 * DAY, True), (DAY, 3 * DAY + HOUR, False)],
)
def test_growth_is_told_between_samples_that_lie_near_each_other(
    database: Database, interval: timedelta, apart: timedelta, is_told: bool
) -> None:
    storage = Storage(database, Settings(profile_interval=interval))
    storage.maintain(NOON)
    storage.maintain(NOON + apart)
    storage.look(NOON, 10 * GB, dagster=0)
    reviewed = storage.look(NOON + apart, 13 * GB, dagster=0)
    assert ("growth" in types(reviewed.opened)) is is_told
    assert ("growth" in reviewed.unknown) is not is_told
    if interval == HOUR and not is_told:
        assert reviewed.unknown["growth"] == (
            "the newest two samples lie 25 hours apart, and growth is told between those that are 24 hours apart at "
            "most"
        )


def test_a_pause_leaves_an_alert_about_growth_to_the_next_profile_after_it(storage: Storage) -> None:
    storage.look(NOON, 10 * GB)
    [alert] = storage.look(NOON + HOUR, 20 * GB).opened
    storage.maintain(NOON + 4 * DAY)
    assert alert in storage.look(NOON + 4 * DAY, 20 * GB).open
    assert "growth" in types(storage.look(NOON + 4 * DAY + HOUR, 20 * GB).ended)


def test_a_full_disk_ends_when_there_is_room_again_also_while_growth_is_not_known(database: Database) -> None:
    small, large = (Storage(database, Settings(disk_gb=size)) for size in (2, 75))
    small.maintain(NOON)
    opened = small.look(NOON, 3 * GB, dagster=0).opened
    assert types(opened) == ["disk_filling"]
    reviewed = large.look(NOON + HOUR, 3 * GB, dagster=0)
    assert "disk_filling" in reviewed.unknown
    assert [each.id for each in reviewed.ended] == [each.id for each in opened]
    assert types(reviewed.open) == []
