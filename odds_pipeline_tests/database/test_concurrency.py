"""Writers at the same time: one after the other, and the newest answer counts, whoever comes first (I5)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import sign_session, try_cycle_lock
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.database.record import RunGivenUp
from odds_pipeline.database.remap import remap_if_learnt
from odds_pipeline.database.runs import give_up_dead_runs
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline_tests.attacks.rounds import wait_until
from odds_pipeline_tests.database.cycles import SETTINGS, answer, commit, running
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.database.reading import current, history, history_count
from odds_pipeline_tests.database.writers import HOME, RESULT, Elsewhere, prices, waiting, write, writers_lock

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def elsewhere(database: Database) -> Iterator[Elsewhere]:
    with ThreadPoolExecutor(8) as threads:
        yield Elsewhere(database, threads)


def test_writers_at_once_are_written_one_after_the_other(database: Database, elsewhere: Elsewhere) -> None:
    """B-46, B-55: all start together; each compares with what the one before it has committed, or is late."""
    cycles = {running(database, T0): prices(T0 + n * SECOND, f"2.{n}", events="efg") for n in range(1, 9)}
    with writers_lock(database):
        written = [elsewhere.start(write, cycle, run) for run, cycle in cycles.items()]
        wait_until(lambda: waiting(database) == len(cycles))
        assert history_count(database) == 0
    records = [future.result() for future in written]

    assert {row.outcomes["1"] for row in current(database).values()} == {"2.8"}
    for event in "efg":
        rows = history(database, ("betpawa", event, *RESULT))
        assert [row.captured_at for row in rows] == sorted({row.captured_at for row in rows})
        assert all(row.outcomes["1"] == f"2.{(row.captured_at - T0) // SECOND}" for row in rows)
        assert [row.run_id for row in rows] == [
            run for run, cycle in cycles.items() if cycle.at in {row.captured_at for row in rows}
        ]
    assert sum(record.new for record in records) == 3
    assert sum(record.late + record.inserted_history for record in records) == 3 * len(cycles)
    assert rebuild_current(database).repaired == 0


def test_a_late_answer_is_dropped_and_counted_and_the_rest_of_its_cycle_stands(database: Database) -> None:
    """B-14 (I5): per bookmaker event; it neither changes nor confirms nor retires anything."""
    commit(database, prices(T0 + 60 * SECOND, "2.5"))
    late = prices(T0 + 30 * SECOND, "2.1")
    late.answers.append(answer("betpawa", "f", T0 + 30 * SECOND, {RESULT: HOME}))
    record = commit(database, late)
    assert (record.late, record.new, record.changed, record.unavailable) == (1, 1, 0, 0)
    row = current(database)["betpawa", "e", *RESULT]
    assert (row.outcomes["1"], row.last_confirmed_at) == ("2.5", T0 + 60 * SECOND)
    empty = Cycle(T0 + 40 * SECOND, {}, [answer("betpawa", "e", T0 + 40 * SECOND)])
    assert commit(database, empty).late == 1
    assert current(database)["betpawa", "e", *RESULT].unavailable_at is None


def test_a_late_discovery_retires_nothing(database: Database) -> None:
    """B-12, B-13: it was made before the newest one, so it does not know what is listed since."""
    said = prices(T0 + 60 * SECOND, "2.5")
    said.discoveries["betpawa"] = (T0 + 60 * SECOND, True)
    commit(database, said)
    assert commit(database, Cycle(T0, {"betpawa": (T0, True)}, [])).unavailable == 0
    again = T0 + 120 * SECOND
    assert commit(database, Cycle(again, {"betpawa": (again, True)}, [])).unavailable == 1


def test_a_run_given_up_while_it_waited_for_its_turn_writes_nothing(database: Database, elsewhere: Elsewhere) -> None:
    """B-45 (I5): the watchdog thinks it dead; a newer run writes; the dead one wakes up."""
    slow = running(database, T0)
    with writers_lock(database):
        woken = elsewhere.start(write, prices(T0, "2.1"), slow)
        wait_until(lambda: waiting(database) == 1)
        assert give_up_dead_runs(database, settings=SETTINGS, now=T0 + timedelta(hours=1)) == [slow]
    with pytest.raises(RunGivenUp):
        woken.result()
    assert history_count(database) == 0
    assert commit(database, prices(T0 + SECOND, "2.2")).new == 1


def test_a_cycle_that_hangs_before_it_has_a_run_gives_its_lock_back(database: Database) -> None:
    """B-45: nothing but its silence tells of it; a cycle with a run is judged by the run's signs of life."""

    def look(dead_after: timedelta) -> None:
        settings = SETTINGS.model_copy(update={"dead_run_after": dead_after})
        assert give_up_dead_runs(database, settings=settings, now=T0) == []

    with database.connect() as hung, database.connect() as other:
        assert try_cycle_lock(hung)
        look(timedelta(minutes=10))
        assert not try_cycle_lock(other)
        sign_session(hung, running(database, T0))
        look(timedelta(0))
        assert not try_cycle_lock(other)
    with database.connect() as hung, database.connect() as other:
        assert try_cycle_lock(hung)
        look(timedelta(0))
        assert try_cycle_lock(other)
        with pytest.raises(psycopg.OperationalError):
            hung.execute("SELECT 1")


def test_a_remap_that_hangs_is_ended_with_its_run(database: Database, elsewhere: Elsewhere) -> None:
    """B-45: or no cycle could write after it."""
    run_id = running(database, T0)
    with writers_lock(database):
        hung = elsewhere.start(remap_if_learnt, Mapper.load(), now=T0, run_id=run_id, alive=lambda: None)
        wait_until(lambda: waiting(database) == 1)
        assert give_up_dead_runs(database, settings=SETTINGS, now=T0 + timedelta(hours=1)) == [run_id]
        with pytest.raises(psycopg.OperationalError):
            hung.result()
        assert waiting(database) == 0


def test_a_rebuild_of_current_waits_for_the_writer(database: Database, elsewhere: Elsewhere) -> None:
    """I1, I5: whoever changes odds takes the same lock."""
    commit(database, prices(T0, "2.5"))
    with writers_lock(database):
        rebuilding = elsewhere.start(rebuild_current)
        wait_until(lambda: waiting(database) == 1)
        assert not rebuilding.done()
    assert rebuilding.result().repaired == 0
