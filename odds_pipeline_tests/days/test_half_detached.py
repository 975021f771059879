"""A day that was detached half way: nobody is told less than there is, nothing is made of it, and it is put right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import name_file, named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import midnight
from odds_pipeline.database.partitions import DayHalfDetached, list_partitions
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.contents import write_part
from odds_pipeline.days.current import rebuild_current_across
from odds_pipeline.days.opening import ensure_states, opening_state
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.days.refold import refold
from odds_pipeline.days.retention import last_run, retain
from odds_pipeline.days.retire import finish_detaches
from odds_pipeline.settings import Settings
from odds_pipeline_tests.database.half_detached import days_half_detached, half_detached
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds, history_rows, shown_rows
from odds_pipeline_tests.days.questions import BEGINNING, DAYS, END, EVERYTHING, Oracle, current_at, told

A_DAY = timedelta(days=1)
HALF = FIRST_DAY + A_DAY
NAME = "odds_history_20261102"
SETTINGS = Settings(retention_days=2)
NOW = END - timedelta(hours=1)


def test_questions_about_it_are_refused_and_others_answered(
    days: DaysOfOdds, database: Database, archive: Archive
) -> None:
    oracle = Oracle(shown_rows(database))
    with half_detached(database, HALF):
        pass
    second, third = midnight(HALF), midnight(HALF + A_DAY)
    for since, until in ((BEGINNING, END), (second - timedelta(hours=1), second + timedelta(hours=1))):
        with pytest.raises(DayHalfDetached, match=f"{NAME} is half detached .* 2026-11-02; odds-pipeline retention"):
            told(database, archive, EVERYTHING, since, until)
    for moment in (second, third, END):
        with pytest.raises(DayHalfDetached, match=NAME):
            current_at(database, archive, EVERYTHING, moment)
    for since, until in ((BEGINNING, second), (third, END)):
        answered = told(database, archive, EVERYTHING, since, until).rows.to_dicts()
        assert answered == oracle.history(EVERYTHING, since, until)
    before = second - timedelta(microseconds=1)
    assert current_at(database, archive, EVERYTHING, before).rows.to_dicts() == oracle.state_at(EVERYTHING, before)


def test_nothing_is_made_of_history_that_lacks_it(days: DaysOfOdds, database: Database, archive: Archive) -> None:
    with half_detached(database, HALF):
        pass
    with pytest.raises(DayHalfDetached):
        ensure_states(database, archive, HALF + A_DAY)
    with pytest.raises(DayHalfDetached), database.connect() as connection:
        opening_state(database, archive, HALF + A_DAY, connection=connection)
    with pytest.raises(DayHalfDetached), database.connect() as connection:
        refold(connection, database, archive, [1], FIRST_DAY)
    with pytest.raises(DayHalfDetached):
        rebuild_days(database, archive, HALF, HALF, now=NOW)
    with pytest.raises(DayHalfDetached):
        rebuild_current_across(database, archive)
    assert query(database, "SELECT FROM archive_files WHERE kind = 'state'") == []


def test_retention_stops_while_it_cannot_be_put_right_and_then_loses_nothing(
    days: DaysOfOdds, database: Database, archive: Archive
) -> None:
    oracle = Oracle(shown_rows(database))
    with half_detached(database, HALF):
        with pytest.raises(DayHalfDetached, match=f"{NAME} .* the next run of retention tries again"):
            retain(database, archive, settings=SETTINGS, now=NOW, trigger="scheduled")
        run = last_run(database)
        assert run is not None
        assert (run.status, (run.error_message or "").partition(",")[0]) == (
            "failed",
            f"{NAME} is half detached from odds_history",
        )
        with database.connect() as connection:
            assert len(list_partitions(connection)) == DAYS, "nothing is retired"
    done = retain(database, archive, settings=SETTINGS, now=NOW, trigger="scheduled")
    assert done.finished_detaches == [
        f"{NAME} was detached half way; the archive does not hold its rows, it is attached again"
    ]
    assert [day.day for day in done.retired] == [FIRST_DAY, HALF]
    assert told(database, archive, EVERYTHING, BEGINNING, END).rows.to_dicts() == oracle.rows
    for moment in (midnight(Bounds.of(SETTINGS, NOW).first_kept), END):
        assert current_at(database, archive, EVERYTHING, moment).rows.to_dicts() == oracle.state_at(EVERYTHING, moment)


def test_it_is_attached_again_when_the_archive_lacks_its_rows(
    days: DaysOfOdds, database: Database, archive: Archive
) -> None:
    before = history_rows(database)
    with half_detached(database, HALF):
        assert history_rows(database) != before
    assert "attached again" in finish_detaches(database, archive)[0]
    assert history_rows(database) == before
    assert days_half_detached(database) == []
    constraints = f"SELECT FROM pg_constraint WHERE conrelid = '{NAME}'::regclass AND contype = 'c'"
    assert query(database, constraints) == []
    assert finish_detaches(database, archive) == []


def test_states_of_later_days_are_made_anew_once_it_is_attached_again(
    days: DaysOfOdds, database: Database, archive: Archive
) -> None:
    """One may have been made while the day was away, by who did not look at that."""
    ensure_states(database, archive, END.date())
    with half_detached(database, HALF):
        pass
    finish_detaches(database, archive)
    with database.connect() as connection:
        stale = [file.stale_from for file in named_files(connection, "state")]
    assert stale == [None, HALF, HALF, HALF, HALF]


def test_it_is_dropped_when_the_archive_holds_its_rows(days: DaysOfOdds, database: Database, archive: Archive) -> None:
    file = write_part(database, archive, NAME, HALF)
    with database.connect() as connection:
        name_file(connection, "history", file, HALF, HALF)
    with half_detached(database, HALF):
        pass
    assert "dropped" in finish_detaches(database, archive)[0]
    with database.connect() as connection:
        assert HALF not in [partition.first_day for partition in list_partitions(connection)]
    assert query(database, f"SELECT to_regclass('{NAME}')") == [(None,)]
