"""A day that was put in order is a day like any other: it takes late rows, is rebuilt, and is retired."""

from __future__ import annotations

from datetime import timedelta

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import midnight
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days import compact
from odds_pipeline.days.compact import compact_days
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.days.retire import retire_day
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds, archived_rows, shown_rows
from odds_pipeline_tests.days.live_days import LiveDays, current_rows, history_rows


@pytest.fixture(autouse=True)
def small_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "_LEAST_BYTES", 0)


def test_compacted_days_are_rebuilt_as_they_were(database: Database) -> None:
    archive = archive_of(database)
    world = LiveDays(database, archive, seed=3, days=2)
    world.commit_all()
    first, last = world.days
    before, current = history_rows(database), current_rows(database)
    assert len(compact_days(database, before=last + timedelta(days=1)).compacted) == 2
    assert history_rows(database) == before
    now = midnight(last) + timedelta(hours=23, minutes=59)
    for change in (None, f"DELETE FROM odds_history_{first:%Y%m%d}"):
        if change is not None:
            with database.connect() as connection:
                connection.execute(change.encode())
        done = rebuild_days(database, archive, first, last, now=now)
        lost = 0 if change is None else len(history_rows(database, first))
        assert [(day.added, day.removed, day.replaced) for day in done] == [(lost, 0, 0), (0, 0, 0)]
        assert history_rows(database) == before
        assert current_rows(database) == current
    compact_days(database, before=last + timedelta(days=1))
    assert history_rows(database) == before


def test_a_compacted_day_is_retired_with_its_late_rows(database: Database) -> None:
    days = DaysOfOdds(database)
    days.write(days=2)
    next_day = FIRST_DAY + timedelta(days=1)
    assert len(compact_days(database, before=next_day).compacted) == 1
    days.late(midnight(FIRST_DAY) + timedelta(hours=7))
    expected = [row for row in shown_rows(database) if row["captured_at"].date() == FIRST_DAY]
    archive = archive_of(database)
    with database.connect() as keeper, archive_lock(keeper):
        with keeper.transaction():
            partition = list_partitions(keeper)[0]
        file = retire_day(keeper, database, archive, partition).file
    assert file is not None
    assert archived_rows(archive.read(file.path).to_dicts()) == expected
    assert {row["captured_at"].date() for row in shown_rows(database)} == {next_day}
    assert compact_days(database, before=next_day) == ([], [])
