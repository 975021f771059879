"""Retention: what is over goes, whole and verified; what is amiss stays; a preview says so before."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from odds_pipeline.archive.store import Archive, ArchiveUnusable
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import try_cycle_lock
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days import retention as retention_module
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.cleanup import DELETED
from odds_pipeline.days.opening import ensure_states, opening_state
from odds_pipeline.days.preview import preview
from odds_pipeline.days.retention import Retained, retain
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds, history_rows

SETTINGS = Settings(retention_days=2, match_retention_days=2, run_retention_days=3, error_retention_days=1)
LAST_DAY = FIRST_DAY + timedelta(days=4)
NOW = datetime.combine(LAST_DAY, time(12), UTC)
FIRST_KEPT = LAST_DAY - timedelta(days=2)


@pytest.fixture
def days(database: Database) -> DaysOfOdds:
    """Five days; event 0 of each bookmaker was over on the first, event 1 on the fourth."""
    kickoffs = {str(n): datetime.combine(FIRST_DAY + timedelta(days=3 * n), time(20), UTC) for n in range(2)}
    days = DaysOfOdds(database, kickoffs=kickoffs)
    days.write(days=5, cycles=2)
    return days


def run(database: Database, **options: Any) -> Retained:
    given = {"settings": SETTINGS, "now": NOW, "trigger": "scheduled", "patience": timedelta(seconds=1)} | options
    return retain(database, archive_of(database), **given)


def counts(database: Database) -> dict[str, int]:
    tables = (*DELETED, "odds_history_changes", "markets")
    return {table: query(database, f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def cleanup_runs(database: Database) -> list[tuple[Any, ...]]:
    return query(
        database,
        "SELECT status, trigger, history_deleted, events_deleted, error_message FROM cleanup_runs ORDER BY id",
    )


def days_held(database: Database) -> list[date]:
    with database.connect() as connection:
        return [partition.first_day for partition in list_partitions(connection)]


def test_what_happens_is_what_the_preview_said(days: DaysOfOdds, database: Database) -> None:
    """B-54: history is covered, and what went is counted for each table."""
    ensure_states(database, archive_of(database), NOW.date())
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO storage_samples (sampled_at, total_bytes, table_sizes) "
            "SELECT %s - n * interval '40 days', 1, '{}' FROM generate_series(0, 4) AS n",
            [NOW],
        )
        connection.execute(
            "INSERT INTO scrape_errors (scrape_run_id, error_type, message, occurred_at) "
            "SELECT id, 'timeout', 'no answer', cycle_at FROM scrape_runs WHERE cycle_at IS NOT NULL"
        )
    before, files_before = counts(database), archive_of(database).list("")
    foreseen = preview(database, archive_of(database), settings=SETTINGS, now=NOW)
    assert (counts(database), archive_of(database).list("")) == (before, files_before), "it touches nothing"
    done = run(database)
    after = counts(database)
    assert not done.kept
    assert [(day.day, day.rows, day.bytes) for day in foreseen.days] == [
        (day.day, day.rows, day.freed) for day in done.retired
    ]
    assert foreseen.tables == done.deleted
    assert foreseen.rows == before["odds_history_changes"] - after["odds_history_changes"] > 0
    assert {table: before[table] - after[table] for table in foreseen.tables} == foreseen.tables
    assert all(foreseen.tables[table] for table in ("events", "scrape_runs", "scrape_errors", "storage_samples"))
    assert foreseen.outlived == done.outlived
    written = {day.file.path for day in done.retired if day.file is not None}
    assert set(archive_of(database).list("")) == set(files_before) - {f.path for f in foreseen.outlived.files} | written
    assert {kind: done.outlived.count(kind) for kind in ("observations", "coverage", "state")} == {
        "observations": 4,
        "coverage": 4,
        "state": 1,
    }
    assert cleanup_runs(database) == [("completed", "scheduled", done.rows, 2, None)]
    again = run(database)
    assert (again.rows, sum(again.deleted.values()), again.outlived.files) == (0, 0, ())


def test_a_preview_of_an_empty_database_says_that_nothing_goes(database: Database) -> None:
    foreseen = preview(database, Archive(f"{archive_of(database).url}/none"), settings=SETTINGS, now=NOW)
    assert (foreseen.rows, foreseen.bytes, foreseen.days, foreseen.orphans) == (0, 0, (), ())
    assert set(foreseen.tables.values()) == {0}
    done = run(database)
    assert (done.rows, sum(done.deleted.values()), done.kept) == (0, 0, [])


def test_markets_keep_their_state_when_the_day_of_their_last_change_goes(days: DaysOfOdds, database: Database) -> None:
    """I8, and I1: every kept day begins as it began, and ends in current."""
    kept_days = [FIRST_KEPT + timedelta(days=n) for n in range(3)]
    before = [opening_state(database, archive_of(database), day) for day in kept_days]
    run(database)
    there = query(database, "SELECT array_agg(id) FROM markets")[0][0]
    after = [opening_state(database, archive_of(database), day) for day in kept_days]
    for state, now in zip(before, after, strict=True):
        is_there = pl.col("market_id").is_in(there)
        assert now.filter(is_there).equals(state.filter(is_there))
        assert 0 < now.filter(is_there).height < state.height
    current = query(database, "SELECT market_id, captured_at, run_id, state FROM current_odds ORDER BY 1")
    tomorrow = opening_state(database, archive_of(database), LAST_DAY + timedelta(days=1))
    assert tomorrow.filter(pl.col("market_id").is_in(there)).rows() == current


def test_a_finished_event_goes_with_all_that_is_its_own_and_others_stay(days: DaysOfOdds, database: Database) -> None:
    run(database)
    assert query(database, "SELECT string_agg(DISTINCT external_event_id, '') FROM event_bookmakers") == [("123",)]
    shown = query(database, "SELECT count(*) FROM market_odds_history")[0][0]
    assert shown == len(history_rows(database)), "every kept row has its words"
    days.cycle(NOW)


def test_a_day_that_something_is_amiss_with_stays_with_all_that_it_needs(days: DaysOfOdds, database: Database) -> None:
    before = history_rows(database)
    ensure_states(database, archive_of(database), NOW.date())
    with database.connect() as reader:
        reader.execute("SELECT FROM odds_history_20261101")
        done = run(database)
    assert [(day.day, "is being read" in day.reason) for day in done.kept] == [(FIRST_DAY, True)]
    assert [day.day for day in done.retired] == [FIRST_DAY + timedelta(days=1)], "the others go"
    assert done.deleted["events"] == done.deleted["scrape_runs"] == 0
    assert not done.outlived.files
    (status, *_, message) = cleanup_runs(database)[0]
    assert status == "failed"
    assert message.startswith("2026-11-01: odds_history_20261101 is being read")
    assert history_rows(database) == [row for row in before if row[1].date() != FIRST_DAY + timedelta(days=1)]
    again = run(database)
    assert [day.day for day in again.retired] == [FIRST_DAY]
    assert again.deleted["events"] == 2
    assert not again.kept


def test_an_unreachable_archive_leaves_everything_as_it_is(
    days: DaysOfOdds, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = history_rows(database)

    def unreachable(self: Archive, path: str, pieces: Any) -> None:
        raise ArchiveUnusable("the archive cannot be written: no room")

    with monkeypatch.context() as patched:
        patched.setattr(Archive, "put", unreachable)
        with pytest.raises(ArchiveUnusable):
            run(database, trigger="manual")
    assert history_rows(database) == before
    assert cleanup_runs(database) == [("failed", "manual", 0, 0, "the archive cannot be written: no room")]
    assert run(database).rows > 0


def test_a_late_row_between_states_and_swap_is_in_the_state_that_stays(
    days: DaysOfOdds, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    late_at = datetime.combine(FIRST_DAY, time(23), UTC)
    was_late: list[bool] = []

    def overtaken(*arguments: Any, **options: Any) -> Any:
        if not was_late:
            was_late.append(True)
            days.late(late_at)
        return retire_day(*arguments, **options)

    retire_day = retention_module.retire_day
    monkeypatch.setattr(retention_module, "retire_day", overtaken)
    done = run(database)
    assert not done.kept
    late = query(
        database,
        "SELECT market.id FROM markets AS market JOIN event_bookmakers AS listing "
        "ON listing.id = event_bookmaker_id WHERE external_event_id = 'late-1'",
    )
    state = opening_state(database, archive_of(database), FIRST_KEPT)
    assert {market_id for (market_id,) in late} <= set(state["market_id"])


def test_a_run_that_died_is_closed_by_the_next(days: DaysOfOdds, database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO cleanup_runs (started_at, trigger, odds_retention_days, match_retention_days) "
            "VALUES (%s, 'manual', 2, 2)",
            [NOW],
        )
    run(database)
    assert [row[0] for row in cleanup_runs(database)] == ["failed", "completed"]
    assert "died" in cleanup_runs(database)[0][-1]


def test_two_runs_at_once_do_the_work_once(days: DaysOfOdds, database: Database) -> None:
    done: list[Retained] = []
    threads = [threading.Thread(target=lambda: done.append(run(database))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(each.retired) for each in done) == [0, 2]
    assert [row[0] for row in cleanup_runs(database)] == ["completed", "completed"]


def test_retention_does_not_wait_for_a_cycle_that_scrapes(days: DaysOfOdds, database: Database) -> None:
    with database.connect() as cycle:
        assert try_cycle_lock(cycle)
        assert run(database).rows > 0


MOMENTS = st.datetimes(
    min_value=datetime.fromisoformat("2000-01-01"),
    max_value=datetime.fromisoformat("2090-01-01"),
    timezones=st.timezones(),
)


@hypothesis_settings(max_examples=200, deadline=None)
@given(moment=MOMENTS, kept=st.integers(1, 90), runs=st.integers(1, 90))
def test_bounds_are_midnights_of_utc_whatever_the_zone_of_now(moment: datetime, kept: int, runs: int) -> None:
    """R20: 1 to 90 days, over leap days and changes of the clocks."""
    settings = Settings(retention_days=kept, run_retention_days=runs)
    bounds = Bounds.of(settings, moment)
    utc = moment.astimezone(UTC)
    assert bounds == Bounds.of(settings, utc)
    assert (utc.date() - bounds.first_kept).days == kept
    assert bounds.runs == datetime.combine(utc.date() - timedelta(days=max(kept, runs)), time(), UTC)
    earlier = bounds.first_kept - timedelta(days=3)
    assert bounds.keeping(earlier).first_kept == earlier
    assert bounds.keeping(bounds.first_kept + timedelta(days=1)) == bounds
    assert replace(bounds, first_kept=earlier, runs=bounds.keeping(earlier).runs) == bounds.keeping(earlier)


@pytest.mark.parametrize("days_kept", [0, 91])
def test_retention_is_1_to_90_days(days_kept: int) -> None:
    with pytest.raises(ValueError, match="retention_days"):
        Settings(retention_days=days_kept)
