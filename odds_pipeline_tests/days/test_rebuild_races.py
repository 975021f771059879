"""Rebuilding days while cycles go on, readers read, and processes are killed: all of the days are rebuilt, or none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, LiteralString

import psycopg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock, take_writer_lock
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.days import rebuild
from odds_pipeline.days.opening import ensure_states
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline_tests.attacks.rounds import wait_until
from odds_pipeline_tests.database.by_hand import history_by_hand
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days import doomed_work
from odds_pipeline_tests.days.live_days import Lived, LiveDays, current_rows, history_rows, lived_through
from odds_pipeline_tests.doomed import Reached, gate_at, has_sessions, is_waiting_for_a_lock, kill_at

SECOND = timedelta(seconds=1)

KillPoint = Callable[[Database], AbstractContextManager[Reached]]


@pytest.fixture(scope="module")
def template(shared_migrated_database: str) -> Iterator[Lived]:
    """Three days, with archived states."""
    with lived_through(shared_migrated_database, seed=11, days=3) as lived:
        ensure_states(lived.database, lived.archive, lived.days[-1])
        yield lived


def lose_rows(database: Database) -> None:
    """Lose some rows, change some, the last of markets among them."""
    with database.connect() as connection, history_by_hand(connection):
        connection.execute("DELETE FROM by_hand WHERE market_id % 3 = 0")
        for table in ("by_hand", "current_odds"):
            connection.execute(f"UPDATE {table} SET state = '\\x0000fa' WHERE market_id % 5 = 0".encode())


def at_statement(timing: LiteralString) -> KillPoint:
    """A point within the transaction."""
    return partial(gate_at, f"{timing} FOR EACH ROW")


@contextmanager
def waiting_for_the_archives_lock(database: Database) -> Iterator[Reached]:
    with database.connect() as holder, archive_lock(holder):
        yield lambda: is_waiting_for_a_lock(database)


@contextmanager
def waiting_for_the_writers_lock(database: Database) -> Iterator[Reached]:
    """The days are folded, and what differs waits in a temporary table."""
    with database.connect() as connection:
        take_writer_lock(connection)
        yield lambda: is_waiting_for_a_lock(database)


KILL_POINTS: dict[str, KillPoint] = {
    "before the archive's lock": waiting_for_the_archives_lock,
    "before the writer's lock": waiting_for_the_writers_lock,
    "removing": at_statement("TRIGGER gate BEFORE DELETE ON odds_history"),
    "adding": at_statement("TRIGGER gate BEFORE INSERT ON odds_history"),
    "current": at_statement("TRIGGER gate BEFORE INSERT OR UPDATE ON current_odds"),
    "states": at_statement("TRIGGER gate BEFORE UPDATE ON archive_files"),
    "committing": at_statement("CONSTRAINT TRIGGER gate AFTER UPDATE ON archive_files DEFERRABLE INITIALLY DEFERRED"),
}


def test_a_rebuild_killed_at_any_point_leaves_the_days_as_they_were(lived: Lived) -> None:
    """kill -9; only the one killed while it commits has rebuilt them: the server commits without it."""
    whole, current = history_rows(lived.database), current_rows(lived.database)
    for name, point in KILL_POINTS.items():
        ensure_states(lived.database, lived.archive, lived.days[-1])
        lose_rows(lived.database)
        damaged, damaged_current = history_rows(lived.database), current_rows(lived.database)
        days = lived.days[0], lived.days[-1], lived.now
        with point(lived.database) as reached:
            kill_at(reached, doomed_work.rebuild, lived.database.url, lived.archive.url, *days)
        wait_until(lambda: not has_sessions(lived.database))
        is_committed = name == "committing"
        assert history_rows(lived.database) == (whole if is_committed else damaged), name
        assert current_rows(lived.database) == (current if is_committed else damaged_current), name
        rebuild_days(lived.database, lived.archive, lived.days[0], lived.days[-1], now=lived.now)
        assert history_rows(lived.database) == whole, name
        assert current_rows(lived.database) == current, name


def test_readers_see_the_days_as_they_were_until_all_of_them_are_rebuilt(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = history_rows(lived.database)
    lose_rows(lived.database)
    damaged, seen = history_rows(lived.database), list[Any]()
    apply_sent = rebuild.apply_sent

    def watched(connection: psycopg.Connection) -> Any:
        done = apply_sent(connection)
        seen.append(history_rows(lived.database))
        return done

    monkeypatch.setattr(rebuild, "apply_sent", watched)
    rebuild_days(lived.database, lived.archive, lived.days[0], lived.days[-1], now=lived.now)
    assert seen == [damaged]
    assert history_rows(lived.database) == whole


def test_what_cycles_commit_while_the_days_are_folded_is_taken_in(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Today among the days: cycles are committed, and then damaged, between the folding and the writer's lock."""
    world = LiveDays(lived.database, lived.archive, seed=12, days=3)
    whole = list[Any]()

    def late_lock(connection: psycopg.Connection) -> None:
        for number in (1, 2):
            world.commit(lived.now + (5 * number - 15) * SECOND)
        whole.extend([history_rows(lived.database), current_rows(lived.database)])
        lose_rows(lived.database)
        take_writer_lock(connection)

    monkeypatch.setattr(rebuild, "take_writer_lock", late_lock)
    before = len(history_rows(lived.database))
    done = rebuild_days(lived.database, lived.archive, lived.days[0], lived.days[-1], now=lived.now)
    monkeypatch.undo()
    assert len(whole[0]) > before + 5
    assert sum(day.rows for day in done) == len(whole[0])
    # The rows that were folded before were damaged behind the rebuild's back; of the new cycles every row is there.
    new_runs = {row[2] for row in whole[0]} - set(range(1, max(row[2] for row in whole[0]) - 1))
    assert [row for row in history_rows(lived.database) if row[2] in new_runs] == [
        row for row in whole[0] if row[2] in new_runs
    ]
    rebuild_days(lived.database, lived.archive, lived.days[0], lived.days[-1], now=lived.now)
    assert [history_rows(lived.database), current_rows(lived.database)] == whole


def test_a_remap_while_the_days_are_folded_makes_the_rebuild_begin_again(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = history_rows(lived.database)
    lose_rows(lived.database)
    taken: list[str] = []

    def late_lock(connection: psycopg.Connection) -> None:
        if not taken:
            query(lived.database, "UPDATE pipeline_settings SET catalogue_version = 'newer' RETURNING id")
            query(lived.database, "UPDATE scrape_runs SET catalogue_version = 'newer' RETURNING id")
        taken.append("lock")
        take_writer_lock(connection)

    monkeypatch.setattr(rebuild, "take_writer_lock", late_lock)
    rebuild_days(lived.database, lived.archive, lived.days[0], lived.days[-1], now=lived.now)
    assert len(taken) == 2
    assert history_rows(lived.database) == whole


@pytest.mark.timeout(120)
def test_days_are_rebuilt_again_and_again_while_cycles_and_readers_go_on(lived: Lived) -> None:
    """No deadlock, no lost change, I1 and I2 hold; today is rebuilt as it grows."""
    database = Database(lived.database.url)
    world = LiveDays(database, lived.archive, seed=13, days=3)
    cycles, failures = 12, list[BaseException]()

    def cycle() -> None:
        try:
            for number in range(cycles):
                world.commit(lived.now + (number - 18) * SECOND)
        except BaseException as error:
            failures.append(error)

    before = len(history_rows(lived.database))
    cycling = threading.Thread(target=cycle)
    cycling.start()
    rounds = 0
    while cycling.is_alive():
        rounds += 1
        done = rebuild_days(lived.database, lived.archive, lived.days[-1], lived.days[-1], now=lived.now)
        assert (done[0].added, done[0].removed, done[0].replaced) == (0, 0, 0)
    cycling.join()
    database.dispose()
    assert failures == []
    assert rounds > 1
    (inserted,) = query(lived.database, "SELECT sum((counts ->> 'inserted_history')::int) FROM scrape_runs")[0]
    assert len(history_rows(lived.database)) == inserted > before
    assert rebuild_current(lived.database).repaired == 0
