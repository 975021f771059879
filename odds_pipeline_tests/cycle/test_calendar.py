"""The calendar: midnight, month's end, leap day, both changes of the clock, and a month switched off. Nothing moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from odds_pipeline.clock import ManualClock
from odds_pipeline.database.archived_files import named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days.opening import ensure_states, opening_state
from odds_pipeline.definitions import build_definitions
from odds_pipeline.metadata import HISTORY
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.dagster_fixtures import Pipeline
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import query

A_DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
RESULT: MarketKey = ("1x2", None)

EVENINGS = {
    "month's end": date(2026, 1, 31),
    "leap day begins": date(2028, 2, 28),
    "leap day ends": date(2028, 2, 29),
    "no leap day": date(2027, 2, 28),
    "year's end": date(2026, 12, 31),
    "the night before summer time in Europe": date(2026, 3, 28),
    "the day of summer time in Europe": date(2026, 3, 29),
    "winter time in Europe": date(2026, 10, 25),
    "summer time in the US": date(2026, 3, 8),
    "winter time in the US": date(2026, 11, 1),
}


@dataclass(slots=True)
class TickingClock(ManualClock):
    """A clock that moves on by ``tick`` whenever it is read: a cycle takes time on it."""

    tick: timedelta = field(default=SECOND)

    def now(self) -> datetime:
        return self.advance(self.tick)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def ticking(pipeline: Pipeline, start: datetime, tick: timedelta) -> Pipeline:
    """The pipeline on a clock that moves while a cycle runs; the simulated world stands at ``start``."""
    pipeline.clock.moment = start
    clock = TickingClock(start, tick)
    return replace(pipeline, clock=clock, definitions=build_definitions(pipeline.settings, clock))


def reported(result: dg.ExecuteInProcessResult) -> dict[str | None, int]:
    """Rows appended, by the day of history that the run materialized."""
    return {
        event.partition: int(str(event.materialization.metadata["appended"].value))
        for event in result.get_asset_materialization_events()
        if event.asset_key == HISTORY
    }


def rows_by_day(pipeline: Pipeline, run_id: str) -> dict[str, int]:
    """Rows that a Dagster run left in history, by the name of their partition."""
    rows = pipeline.rows(
        """
        SELECT history.tableoid::regclass::text, count(*)
        FROM odds_history AS history CROSS JOIN odds_changes(history.changes)
        JOIN scrape_runs AS run ON run.id = history.run_id WHERE run.dagster_run_id = %s GROUP BY 1
        """,
        run_id,
    )
    return {f"{name[-8:-4]}-{name[-4:-2]}-{name[-2:]}": count for name, count in rows}


@pytest.mark.parametrize("evening", [date(2026, 1, 31), date(2024, 2, 29)], ids=["month's end", "leap day"])
def test_a_cycle_that_begins_before_midnight_and_ends_after_it_reports_both_days(pipeline: Pipeline, evening: date):
    both = ticking(pipeline, midnight(evening + A_DAY) - 27 * SECOND, SECOND)
    result = both.cycle(partition=evening.isoformat())
    assert result.success
    stored = rows_by_day(pipeline, result.run_id)
    assert sorted(stored) == [evening.isoformat(), (evening + A_DAY).isoformat()]
    assert reported(result) == stored
    assert pipeline.instance.get_materialized_partitions(HISTORY) == set(stored)


def test_a_cycle_that_takes_long_after_midnight_is_stored_all_the_same(pipeline: Pipeline):
    """The grace is for the launch: what was scraped for an hour is not thrown away because a day has ended."""
    long = ticking(pipeline, midnight(date(2026, 1, 31)) - 10 * SECOND, timedelta(minutes=2))
    result = long.cycle(partition="2026-01-30")
    assert result.success
    assert long.clock.moment > midnight(date(2026, 1, 31)) + 2 * pipeline.settings.midnight_grace
    assert reported(result) == {"2026-01-30": 0} | rows_by_day(pipeline, result.run_id)


def test_a_kickoff_before_midnight_that_is_found_after_it_belongs_to_its_own_day(pipeline: Pipeline):
    """Markets end when their match kicks off, whenever that is noticed."""
    pipeline.clock.moment = datetime(2026, 1, 31, 15, 0, tzinfo=UTC)
    pipeline.fill()
    ((kickoff,),) = pipeline.rows("SELECT min(kickoff) FROM events WHERE kickoff > %s", pipeline.clock.moment)
    assert kickoff.date() == date(2026, 1, 31)
    pipeline.clock.moment = datetime(2026, 2, 1, 0, 10, tzinfo=UTC)
    result = pipeline.cycle()
    assert result.success
    assert reported(result) == rows_by_day(pipeline, result.run_id)
    assert reported(result)["2026-01-31"] > 0
    ended = pipeline.rows(
        "SELECT DISTINCT unavailable_at FROM market_odds_history WHERE captured_at BETWEEN %s AND %s",
        *(kickoff, midnight(date(2026, 2, 1)) - MICROSECOND),
    )
    assert ended == [(kickoff,)]


def test_after_a_month_switched_off_no_insert_fails(pipeline: Pipeline):
    """The writer makes the days that it needs, those of the kick-offs meanwhile included, and reports them."""
    pipeline.fill()
    last = pipeline.clock.moment
    assert pipeline.job("prepare_days").success
    pipeline.advance(30 * A_DAY)
    later = replace(pipeline, definitions=build_definitions(pipeline.settings, pipeline.clock))
    today = pipeline.clock.now().date()
    assert today > max(partition.first_day for partition in partitions(pipeline.database)), "nobody has made days ahead"
    result = later.cycle()
    assert result.success
    stored = rows_by_day(pipeline, result.run_id)
    assert reported(result) == stored
    kickoffs = pipeline.rows(
        "SELECT DISTINCT (kickoff AT TIME ZONE 'UTC')::date FROM events WHERE kickoff BETWEEN %s AND %s",
        *(last, last + 3 * A_DAY),
    )
    assert set(stored) == {today.isoformat()} | {day.isoformat() for (day,) in kickoffs}
    assert later.instance.get_materialized_partitions(HISTORY) >= set(stored)
    assert later.tick("unprepared_days").run_requests, "and the days ahead are missed"
    later.advance()
    assert later.cycle().success


@pytest.mark.parametrize("evening", EVENINGS.values(), ids=EVENINGS.keys())
def test_answers_around_midnight_lie_in_their_own_days(database: Database, evening: date):
    morning = evening + A_DAY
    moments = [midnight(morning) + n * MICROSECOND for n in (-1_000_000, -1, 0, 1)]
    begun = midnight(morning) - 2 * SECOND
    answers = [answer("betpawa", str(n), at, {RESULT: {"1": "1.5"}}) for n, at in enumerate(moments)]
    record = commit(database, Cycle(begun, {}, answers))
    assert record.days == (evening, morning)
    stored = query(database, "SELECT tableoid::regclass::text, captured_at FROM odds_history ORDER BY captured_at")
    assert stored == [
        *((f"odds_history_{evening:%Y%m%d}", at) for at in moments[:2]),
        *((f"odds_history_{morning:%Y%m%d}", at) for at in moments[2:]),
    ]
    assert [(each.first_day, each.end_day) for each in partitions(database)] == [
        (evening, morning),
        (morning, morning + A_DAY),
    ]
    with database.connect() as connection:
        (file,) = named_files(connection, "observations", evening, morning)
    assert (file.first_day, file.last_day) == (evening, morning)
    assert f"day={evening}" in file.path, "a cycle's file lies under the day in which it began"


@pytest.fixture(params=["Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
def elsewhere(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, migrated_database: str
) -> Iterator[Database]:
    """A database on a server, and from a machine, whose time zones are others by every default there is."""
    with psycopg.connect(migrated_database) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET timezone = {}").format(
                sql.Identifier(connection.info.dbname), sql.Literal(request.param)
            )
        )
    monkeypatch.setenv("TZ", request.param)
    monkeypatch.setenv("PGTZ", request.param)
    time.tzset()
    database = Database(migrated_database)
    yield database
    database.dispose()
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "day",
    [date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1)],
    ids=["summer time in Europe", "winter time in Europe", "summer time in the US", "winter time in the US"],
)
def test_nothing_moves_when_clocks_change(elsewhere: Database, day: date, request: pytest.FixtureRequest):
    """A price that moves at each of these moments has a row at each of them, in the day of UTC."""
    database = elsewhere
    assert query(database, "SHOW timezone") == [("UTC",)]
    moments = [midnight(day) + timedelta(hours=hour) for hour in (0, 0.5, 1, 1.5, 2, 5.5, 6, 6.5, 7, 24)]
    moments += [midnight(day) - MICROSECOND, midnight(day + A_DAY) - MICROSECOND]
    moments.sort()
    for number, at in enumerate(moments):
        commit(database, Cycle(at, {}, [answer("betpawa", "e", at, {RESULT: {"1": f"1.{10 + number}"}})]))
    expected = [(f"odds_history_{at:%Y%m%d}", at) for at in moments]
    rows = "SELECT tableoid::regclass::text, captured_at FROM odds_history ORDER BY captured_at"
    assert query(database, rows) == expected
    with psycopg.connect(request.getfixturevalue("migrated_database")) as reader:
        assert reader.execute("SHOW timezone").fetchone() != ("UTC",)
        assert [(name, at.astimezone(UTC)) for name, at in reader.execute(rows.encode())] == expected
        assert [partition.first_day for partition in list_partitions(reader)] == [day - A_DAY, day, day + A_DAY]
    archive = archive_of(database)
    ensure_states(database, archive, day + 2 * A_DAY)
    for opened in (day, day + A_DAY, day + 2 * A_DAY):
        (last,) = opening_state(database, archive, opened)["captured_at"]
        assert last == max(at for at in moments if at < midnight(opened))


def partitions(database: Database):
    with database.connect() as connection:
        return list_partitions(connection)
