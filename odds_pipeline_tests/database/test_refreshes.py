"""Refreshes that were asked for: one for each event at a time, whoever asks, followed until it is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from odds_pipeline.analysis.errors import NotFound
from odds_pipeline.analysis.refresh import refresh
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline.database.refreshes import UnknownEvent, became_run, launched, request_refresh, waiting_refreshes
from odds_pipeline.database.runs import fail_run, open_run
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.rows import NOON

PATIENCE = timedelta(minutes=10)


@pytest.fixture
def events(database: Database) -> list[int]:
    with database.connect() as connection:
        connection.execute("INSERT INTO tournaments (sport_id, name, country) SELECT id, 'Cup', 'Ghana' FROM sports")
        rows = connection.execute(
            """
            INSERT INTO events (tournament_id, name, home_team, away_team)
            SELECT tournaments.id, 'A - B', 'A', 'B' FROM tournaments, generate_series(1, 2) RETURNING id
            """
        ).fetchall()
    return [event_id for (event_id,) in rows]


def ask(database: Database, event_id: int, after: timedelta = timedelta()) -> int:
    return request_refresh(database, event_id, now=NOON + after, given_up_after=PATIENCE)


def seen(database: Database, request_id: int, after: timedelta = timedelta()) -> dict[str, object]:
    source = OddsSource(database, archive_of(database), lambda first, last: [])
    return refresh(source, request_id, now=NOON + after, given_up_after=PATIENCE).row(0, named=True)


def test_a_request_is_followed_until_its_run_is_over(database: Database, events: list[int]) -> None:
    request_id = ask(database, events[0])
    assert seen(database, request_id) == {
        "request_id": request_id,
        "event_id": events[0],
        "status": "requested",
        "requested_at": NOON,
        "launched_at": None,
        "run_id": None,
        "completed_at": None,
        "error": None,
    }
    launched(database, [request_id], now=NOON + timedelta(seconds=5))
    assert seen(database, request_id)["status"] == "launched"
    run_id = open_run(database, trigger="webhook", now=NOON)
    became_run(database, request_id, run_id, now=NOON + timedelta(seconds=6))
    row = seen(database, request_id)
    assert (row["status"], row["run_id"], row["launched_at"]) == ("pending", run_id, NOON + timedelta(seconds=5))
    over = NOON + timedelta(seconds=7)
    fail_run(database, run_id, error_type="no_such_event", message="nobody lists it", now=over)
    row = seen(database, request_id)
    assert (row["status"], row["error"], row["completed_at"]) == ("failed", "nobody lists it", over)


def test_a_request_that_is_not_over_is_not_repeated(database: Database, events: list[int]) -> None:
    first = ask(database, events[0])
    assert ask(database, events[0]) == first
    other = ask(database, events[1])
    assert [tuple(request) for request in waiting_refreshes(database)] == [(first, events[0]), (other, events[1])]
    launched(database, [first], now=NOON)
    assert ask(database, events[0]) == first
    run_id = open_run(database, trigger="webhook", now=NOON)
    became_run(database, first, run_id, now=NOON)
    assert ask(database, events[0], after=timedelta(hours=1)) == first
    fail_run(database, run_id, error_type="x", message="x", now=NOON)
    again = ask(database, events[0])
    assert again != first
    assert [request.id for request in waiting_refreshes(database)] == [other, again]


def test_a_launch_that_nothing_came_of_is_over_after_a_while(database: Database, events: list[int]) -> None:
    first = ask(database, events[0])
    launched(database, [first], now=NOON)
    assert ask(database, events[0], after=PATIENCE) == first
    assert seen(database, first, after=PATIENCE)["status"] == "launched"
    later = PATIENCE + timedelta(seconds=1)
    lost = seen(database, first, after=later)
    assert lost["status"] == "failed"
    assert "Dagster has its log" in str(lost["error"])
    assert ask(database, events[0], after=later) != first


def test_many_who_ask_at_once_get_one_refresh(database: Database, events: list[int]) -> None:
    with ThreadPoolExecutor(8) as asking:
        assert len(set(asking.map(lambda _: ask(database, events[0]), range(16)))) == 1


def test_an_unknown_event_is_refused_and_a_deleted_one_takes_its_requests_along(
    database: Database, events: list[int]
) -> None:
    with pytest.raises(UnknownEvent, match="no event 4711"):
        ask(database, 4711)
    request_id = ask(database, events[0])
    with database.connect() as connection:
        connection.execute("DELETE FROM events WHERE id = %s", [events[0]])
    with pytest.raises(NotFound, match=f"no refresh {request_id}"):
        seen(database, request_id)
    became_run(database, request_id, open_run(database, trigger="webhook", now=NOON), now=NOON)
