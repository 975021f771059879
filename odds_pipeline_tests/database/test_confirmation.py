"""When odds were last known to hold, and when readers are told that they are stale."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.write import write_cycle
from odds_pipeline.odds.answers import prepare
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, answer, commit, coverage, observations, running
from odds_pipeline_tests.database.plain_model import Answer, Cycle, MarketKey
from odds_pipeline_tests.database.reading import current, history, history_count, query

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
RESULT: MarketKey = ("3743", None)
OVER_2_5: MarketKey = ("5000", Decimal("2.5"))
OVER_3_5: MarketKey = ("5000", Decimal("3.5"))
HOME = {"1": "2.5", "X": "3.2", "2": "2.9"}
GOALS = {"over": "1.9", "under": "1.95"}


def moment(number: int) -> datetime:
    return T0 + number * FIVE_MINUTES


def confirmed(database: Database) -> dict[MarketKey, datetime]:
    return {market[2:]: row.last_confirmed_at for market, row in current(database).items()}


def commit_answer(database: Database, said: Answer) -> None:
    commit(database, Cycle(said.at, {}, [said]))


def test_an_unchanged_market_is_confirmed_and_not_rewritten(database: Database) -> None:
    """B-05, B-06: its last change stays where it was, its row in the tables is the same one."""
    commit_answer(database, answer("betpawa", "e", moment(0), {RESULT: HOME}))
    versions = query(database, "SELECT market_id, xmin::text FROM current_odds")
    for number in (1, 2):
        commit_answer(database, answer("betpawa", "e", moment(number), {RESULT: HOME}))
        row = current(database)["betpawa", "e", *RESULT]
        assert (row.last_confirmed_at, row.last_updated_at) == (moment(number), moment(0))
    assert query(database, "SELECT market_id, xmin::text FROM current_odds") == versions


@pytest.mark.parametrize("status", ["failed", "not_asked"])
def test_an_event_without_an_answer_is_not_confirmed(database: Database, status: str) -> None:
    """B-06, B-13."""
    commit_answer(database, answer("betpawa", "e", moment(0), {RESULT: HOME}))
    commit_answer(database, answer("betpawa", "e", moment(1), status=status))
    assert confirmed(database) == {RESULT: moment(0)}


def test_a_refused_market_keeps_its_own_last_sighting_until_it_is_read_again(database: Database) -> None:
    """B-06: the others of its answer are confirmed meanwhile."""
    commit_answer(database, answer("betpawa", "e", moment(0), {RESULT: HOME, OVER_2_5: GOALS}))
    for number in (1, 2):
        commit_answer(database, answer("betpawa", "e", moment(number), {RESULT: HOME}, refused={OVER_2_5}))
        assert confirmed(database) == {RESULT: moment(number), OVER_2_5: moment(0)}
    commit_answer(database, answer("betpawa", "e", moment(3), {RESULT: HOME, OVER_2_5: GOALS}))
    assert confirmed(database) == {RESULT: moment(3), OVER_2_5: moment(3)}
    assert history_count(database) == 2


def test_an_unavailable_market_was_last_confirmed_when_it_was_last_seen(database: Database) -> None:
    """B-06, B-14: not when it was missed, and not with the rest of its event since."""
    commit_answer(database, answer("betpawa", "e", moment(0), {RESULT: HOME, OVER_2_5: GOALS}))
    commit_answer(database, answer("betpawa", "e", moment(1), {RESULT: HOME, OVER_2_5: GOALS}))
    for number in (2, 3):
        commit_answer(database, answer("betpawa", "e", moment(number), {RESULT: HOME}))
        assert confirmed(database) == {RESULT: moment(number), OVER_2_5: moment(1)}
    commit_answer(database, answer("betpawa", "e", moment(4), {RESULT: HOME, OVER_2_5: GOALS}))
    assert confirmed(database) == {RESULT: moment(4), OVER_2_5: moment(4)}


def test_what_could_be_read_of_a_failed_answer_is_stored_and_the_rest_is_left_alone(database: Database) -> None:
    """B-13: a change in it counts; what it lacks is neither gone nor confirmed."""
    commit_answer(database, answer("betpawa", "e", moment(0), {RESULT: HOME, OVER_2_5: GOALS, OVER_3_5: GOALS}))
    changed = {RESULT: HOME | {"1": "2.4"}, OVER_2_5: GOALS}
    commit_answer(database, answer("betpawa", "e", moment(1), changed, status="failed"))
    rows = {market[2:]: row for market, row in current(database).items()}
    assert rows[RESULT].outcomes["1"] == "2.4"
    assert rows[RESULT].last_confirmed_at == moment(1)
    assert rows[OVER_3_5].unavailable_at is None
    assert rows[OVER_3_5].last_confirmed_at == moment(0)


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("betpawa_market_name", "Match Result", "name"),
        ("market_groups", ["popular", "goals"], "groups"),
    ],
)
def test_other_words_for_a_market_update_current_and_write_no_history(
    database: Database, column: str, value: Any, shown: str
) -> None:
    """B-07, B-25: a name is no part of identity, and its change no change of odds."""
    commit_answer(database, answer("betpawa", "e", moment(0), {RESULT: HOME}))
    again = Cycle(moment(1), {}, [answer("betpawa", "e", moment(1), {RESULT: HOME})])
    rows = observations(again).with_columns(pl.Series(column, [value]))
    run_id = running(database, again.at)
    record = write_cycle(
        database,
        archive_of(database),
        prepare(rows.lazy(), coverage(again, run_id), cycle_at=again.at),
        run_id=run_id,
        settings=SETTINGS,
        now=again.at,
    )
    assert (record.relabelled, record.confirmed, record.inserted_history) == (1, 1, 0)
    row = current(database)["betpawa", "e", *RESULT]
    assert getattr(row, shown) == value
    assert (row.last_updated_at, row.last_confirmed_at) == (moment(0), moment(1))
    assert len(history(database, ("betpawa", "e", *RESULT))) == 1


def stale(database: Database) -> dict[str, bool]:
    return {market[1]: row.is_stale for market, row in current(database).items()}


def test_odds_are_stale_when_the_last_answers_for_their_event_failed(database: Database) -> None:
    """B-06 (R12): N failures in a row, a setting; one answer makes them fresh again; other events stay fresh."""
    settings = Settings(stale_failures=2)
    now = datetime.now(UTC)

    def cycle(seconds: int, status: str) -> None:
        at = now + timedelta(seconds=seconds)
        markets = {RESULT: HOME} if status == "complete" else {}
        answers = [answer("betpawa", "e", at, markets, status=status), answer("betpawa", "f", at, {RESULT: HOME})]
        commit(database, Cycle(at, {}, answers), settings=settings)

    expected = []
    for seconds, status in enumerate(["complete", "failed", "failed", "not_asked", "failed", "complete"]):
        cycle(seconds, status)
        expected.append(stale(database)["e"])
        assert not stale(database)["f"]
    assert expected == [False, False, True, True, True, False]


def test_odds_are_stale_when_their_newest_answer_is_older_than_a_few_intervals(database: Database) -> None:
    """B-06 (R12): whatever the reason, also if nothing ran at all."""
    settings = Settings(stale_intervals=3, cycle_interval=FIVE_MINUTES)
    now = datetime.now(UTC)
    for event, age in (("old", 16), ("recent", 14), ("new", 0)):
        at = now - timedelta(minutes=age)
        commit(database, Cycle(at, {}, [answer("betpawa", event, at, {RESULT: HOME})]), settings=settings)
    assert stale(database) == {"old": True, "recent": False, "new": False}
    commit(database, Cycle(now, {}, [answer("betpawa", "old", now, {RESULT: HOME})]), settings=settings)
    assert stale(database) == {"old": False, "recent": False, "new": False}


def test_odds_of_a_clock_in_the_past_are_as_stale_as_they_are_on_that_clock(database: Database) -> None:
    settings = Settings(stale_intervals=3, cycle_interval=FIVE_MINUTES)
    then = datetime(2024, 2, 28, 23, 50, tzinfo=UTC)
    for event, minutes in (("old", 0), ("recent", 2), ("new", 16)):
        at = then + timedelta(minutes=minutes)
        commit(database, Cycle(at, {}, [answer("betpawa", event, at, {RESULT: HOME})]), settings=settings)
    assert stale(database) == {"old": True, "recent": False, "new": False}


def test_clocks_that_differ_by_seconds_count_as_one(database: Database) -> None:
    for seconds in (-50, 50):
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        commit(database, Cycle(at, {}, [answer("betpawa", "e", at, {RESULT: HOME})]))
        with database.connect() as connection:
            assert connection.execute("SELECT clock_offset FROM pipeline_settings").fetchone() == (timedelta(),)
