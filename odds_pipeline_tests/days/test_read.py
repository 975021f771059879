"""Reading across tiers: the same answers wherever the days of a question live."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import named_files, stale_states
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.days.opening import make_states
from odds_pipeline.days.read import ODDS_ROWS, TieredHistory, Wanted, history, state_at
from odds_pipeline.odds.packed import pack
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.by_hand import insert_changes
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds, shown_rows
from odds_pipeline_tests.days.questions import (
    BEGINNING,
    DAYS,
    END,
    EVERYTHING,
    FIRST_KEPT,
    Oracle,
    Row,
    Shared,
    assert_answers,
    current_at,
    market_of,
    retire,
    told,
)


def test_random_questions_get_the_same_answers_before_and_after_retirement(
    days: DaysOfOdds, database: Database
) -> None:
    """I8: also across midnight, with late rows beside a retired day, and after those were retired too."""
    before = shown_rows(database)
    assert_answers(database, Oracle(before), seed=1, number=50)

    retire(database, FIRST_DAY + timedelta(days=2))
    assert_answers(database, Oracle(before), seed=2)

    late = write_late_rows(database)
    oracle = Oracle(before + late)
    assert {row["captured_at"].date() for row in late} == {FIRST_DAY}
    assert_answers(database, oracle, seed=1, number=50)

    retire(database, FIRST_KEPT)
    assert query(database, "SELECT min(captured_at)::date FROM odds_history") == [(FIRST_KEPT,)]
    assert_answers(database, oracle, seed=4, number=50)
    with database.connect() as connection:
        stale_states(connection, [FIRST_DAY])
    assert_answers(database, oracle, seed=5)


def write_late_rows(database: Database) -> list[Row]:
    """A market seen for the first time, and one more change of a known one, in a day that is retired."""
    market_id = market_of(database, "never-moves")
    at = BEGINNING + timedelta(hours=23)
    commit(database, Cycle(at, {}, [answer("bet9ja", "9", at, {("1x2", None): {"1": "2.5"}})]))
    with database.connect() as connection:
        ensure_partitions(connection, FIRST_DAY, FIRST_DAY)
        insert_changes(connection, [(at, market_id, 1, pack([(0, 7_770), (1, 1_900)]))])
        stale_states(connection, [FIRST_DAY])
    return [row for row in shown_rows(database) if row["captured_at"] == at]


def test_a_market_unchanged_for_longer_than_retention_answers_at_every_moment(shared: Shared) -> None:
    market_id = market_of(shared.database, "never-moves", event="1")
    (expected,) = [row for row in shared.rows if row["market_id"] == market_id]
    wanted = Wanted(market_ids=[market_id])
    for hours in range(1, DAYS * 24, 7):
        state = current_at(shared.database, shared.archive, wanted, BEGINNING + timedelta(hours=hours)).rows
        assert state.to_dicts() == [expected]
    assert current_at(shared.database, shared.archive, wanted, BEGINNING).rows.is_empty()


def test_a_question_about_kept_days_never_touches_the_archive(shared: Shared, tmp_path: Path) -> None:
    unreachable = Archive(tmp_path / "nowhere")
    since = datetime.combine(FIRST_KEPT, datetime.min.time(), UTC)
    rows = told(shared.database, unreachable, EVERYTHING, since, END).rows
    assert rows.to_dicts() == Oracle(shared.rows).history(EVERYTHING, since, END)
    moved = rows.filter(pl.col("captured_at") < END - timedelta(days=1))["market_id"].to_list()
    assert current_at(shared.database, unreachable, Wanted(market_ids=moved), END).rows.height == len(set(moved)) > 5
    assert not (tmp_path / "nowhere").exists()


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions take the ways that are meant for thousands of markets."""
    monkeypatch.setattr("odds_pipeline.days.read._MANY", 3)
    monkeypatch.setattr("odds_pipeline.days.read._SHOWN_AT_ONCE", 4)


@pytest.mark.usefixtures("few_are_many")
def test_many_markets_are_read_from_the_state_at_the_days_beginning(shared: Shared) -> None:
    with shared.database.connect() as connection:
        (state,) = named_files(connection, "state", FIRST_KEPT)
    assert state.first_day == FIRST_KEPT
    assert_answers(shared.database, Oracle(shared.rows), seed=6)


@pytest.mark.parametrize("many", [3, 5_000])
def test_questions_get_the_same_answers_while_all_days_are_kept(
    days: DaysOfOdds, database: Database, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """Without an archived state, with one of each day, and after late rows have made them stale."""
    monkeypatch.setattr("odds_pipeline.days.read._MANY", many)
    before = shown_rows(database)
    assert_answers(database, Oracle(before), seed=8, number=8)
    make_states(database, archive_of(database), FIRST_DAY + timedelta(days=DAYS))
    assert_answers(database, Oracle(before), seed=9, number=12)
    oracle = Oracle(before + write_late_rows(database))
    assert_answers(database, oracle, seed=9, number=8)


def test_an_event_at_a_moment_asks_history_from_the_newest_state_on(days: DaysOfOdds, database: Database) -> None:
    """What it says of the days before, removed behind everybody's back, is missed only when no state is archived."""
    archive, oracle = archive_of(database), Oracle(shown_rows(database))
    make_states(database, archive, FIRST_DAY + timedelta(days=DAYS - 1))
    newest = END - timedelta(days=1)
    query(database, "DELETE FROM odds_history WHERE captured_at < %s RETURNING 1", [newest])
    events = [Wanted(event_ids=[event_id]) for (event_id,) in query(database, "SELECT id FROM events")]
    for wanted in events:
        for moment in (newest, newest + timedelta(hours=1), newest + timedelta(hours=13), END + timedelta(days=9)):
            expected = oracle.state_at(wanted, moment)
            assert any(row["captured_at"] < newest - timedelta(days=1) for row in expected)
            assert current_at(database, archive, wanted, moment).rows.to_dicts() == expected
    query(database, "DELETE FROM archive_files RETURNING 1")
    assert all(current_at(database, archive, wanted, newest).rows.is_empty() for wanted in events)


def test_a_moment_of_kept_days_is_known_without_the_archive_too(
    days: DaysOfOdds, database: Database, tmp_path: Path
) -> None:
    """States are archived, and make it quicker; where they cannot be read, PostgreSQL has everything."""
    oracle = Oracle(shown_rows(database))
    make_states(database, archive_of(database), FIRST_DAY + timedelta(days=DAYS))
    moment = END - timedelta(hours=1)
    for (event_id,) in query(database, "SELECT id FROM events"):
        wanted = Wanted(event_ids=[event_id])
        known = current_at(database, Archive(tmp_path / "nowhere"), wanted, moment)
        assert known.rows.to_dicts() == oracle.state_at(wanted, moment)


def test_rows_have_one_schema_in_both_tiers_and_in_none(shared: Shared) -> None:
    for since, until in ((BEGINNING, BEGINNING), (BEGINNING, END), (END, END + timedelta(days=1))):
        assert dict(told(shared.database, shared.archive, EVERYTHING, since, until).rows.schema) == dict(ODDS_ROWS)
    for moment in (BEGINNING, BEGINNING + timedelta(days=1), END):
        assert dict(current_at(shared.database, shared.archive, EVERYTHING, moment).rows.schema) == dict(ODDS_ROWS)
    assert told(shared.database, shared.archive, Wanted(event_ids=[]), BEGINNING, END).rows.is_empty()


def test_a_time_without_a_zone_or_in_the_wrong_order_is_refused(shared: Shared) -> None:
    naive = datetime(2026, 11, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="no time zone"):
        told(shared.database, shared.archive, EVERYTHING, naive, END)
    with pytest.raises(ValueError, match="no time zone"):
        current_at(shared.database, shared.archive, EVERYTHING, naive)
    with pytest.raises(ValueError, match=r"ends .* before it begins"):
        told(shared.database, shared.archive, EVERYTHING, END, BEGINNING)


def test_a_time_of_another_zone_means_the_same_moment(shared: Shared) -> None:
    west = timezone(timedelta(hours=-9))
    since, until = BEGINNING + timedelta(hours=5), BEGINNING + timedelta(hours=30)
    shifted = told(shared.database, shared.archive, EVERYTHING, since.astimezone(west), until.astimezone(west)).rows
    assert shifted.equals(told(shared.database, shared.archive, EVERYTHING, since, until).rows)


def test_days_that_were_not_imported_are_told(shared: Shared) -> None:
    """R18: no empty series in silence."""
    earlier = [FIRST_DAY - timedelta(days=20), FIRST_DAY - timedelta(days=1), FIRST_DAY + timedelta(days=4)]

    def unimported(first: date, last: date) -> list[date]:
        return [day for day in earlier if first <= day <= last]

    def of_history(until: datetime) -> TieredHistory:
        since = BEGINNING - timedelta(days=2)
        return history(shared.database, shared.archive, EVERYTHING, since, until, unimported_days=unimported)

    def of_state(moment: datetime) -> TieredHistory:
        wanted = Wanted(market_ids=[market_of(shared.database, "never-moves")])
        return state_at(shared.database, shared.archive, wanted, moment, unimported_days=unimported)

    before = of_history(BEGINNING)
    assert (before.rows.height, before.unimported) == (0, earlier[1:2])
    assert of_history(BEGINNING + timedelta(days=4)).unimported == earlier[1:2]
    assert of_state(BEGINNING).unimported == earlier[:2]
    assert of_state(END).unimported == earlier[2:]
