"""A cycle killed anywhere leaves a database from which the next cycle goes on as if nothing had happened (I4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, LiteralString

import pytest

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.database.runs import give_up_dead_runs
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline_tests.attacks.processes import cycle_process
from odds_pipeline_tests.attacks.rounds import wait_until
from odds_pipeline_tests.cycle.small_world import (
    SLUGS,
    MarketId,
    Offer,
    SmallWorld,
    available,
    confirmed_at,
    offer_of,
    query,
    run_cycle,
    stored,
)
from odds_pipeline_tests.database.servers import copy_of
from odds_pipeline_tests.doomed import Reached, gate_at, has_sessions, is_waiting_for_a_lock

ONE_MINUTE = timedelta(minutes=1)

KillPoint = Callable[[Database, SmallWorld], AbstractContextManager[Reached]]


@pytest.fixture
def world() -> Iterator[SmallWorld]:
    world = SmallWorld(events=3, seed=27)
    with world.simulator:
        yield world


@pytest.fixture
def twin(postgres_server: EmbeddedServer, migrated_template: str) -> Iterator[Database]:
    """A second database, whose cycles nobody disturbs."""
    with copy_of(postgres_server, migrated_template, name="undisturbed") as url, Database(url) as database:
        yield database


def at_statement(timing: LiteralString) -> KillPoint:
    """A point within a transaction."""
    return lambda database, world: gate_at(timing, database)


def while_asking(target: Any, requests: int) -> KillPoint:
    """A point in the scrape: answers are outstanding at every bookmaker."""

    @contextmanager
    def point(database: Database, world: SmallWorld) -> Iterator[Reached]:
        before = world.simulator.state()["requests"]
        world.simulator.add_fault(Fault(kind=FaultKind.HANG, target=target))

        def reached() -> bool:
            now = world.simulator.state()["requests"]
            return all(now[slug] - before[slug] >= requests for slug in SLUGS)

        yield reached
        world.simulator.clear_faults()

    return point


@contextmanager
def waiting_for_the_writers_lock(database: Database, world: SmallWorld) -> Iterator[Reached]:
    """The point between scrape and write: another writer is at work."""
    with database.connect() as connection:
        take_writer_lock(connection)
        yield lambda: is_waiting_for_a_lock(database)


KILL_POINTS: dict[str, KillPoint] = {
    "before the run exists": at_statement("TRIGGER gate BEFORE INSERT ON scrape_runs"),
    "pending": at_statement("TRIGGER gate BEFORE UPDATE ON scrape_runs FOR EACH ROW WHEN (OLD.status = 'pending')"),
    "discovering": while_asking("discovery", requests=1),
    "asking for events": while_asking("event", requests=3),
    "staged": at_statement("TRIGGER gate BEFORE UPDATE ON scrape_runs FOR EACH ROW WHEN (NEW.timings IS NOT NULL)"),
    "before the write": waiting_for_the_writers_lock,
    "current": at_statement("TRIGGER gate BEFORE INSERT OR UPDATE ON current_odds"),
    "history": at_statement("TRIGGER gate BEFORE INSERT ON odds_history"),
    "confirmations": at_statement("TRIGGER gate BEFORE UPDATE ON listing_state"),
    "coverage": at_statement("TRIGGER gate BEFORE INSERT ON scrape_coverage"),
    "closing the run": at_statement(
        "TRIGGER gate BEFORE UPDATE ON scrape_runs FOR EACH ROW WHEN (NEW.counts IS NOT NULL)"
    ),
    "committing": at_statement(
        "CONSTRAINT TRIGGER gate AFTER UPDATE ON scrape_runs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "WHEN (NEW.counts IS NOT NULL)"
    ),
}


def test_a_cycle_killed_at_any_point_is_made_good_by_the_next(
    world: SmallWorld, database: Database, twin: Database, tmp_path: Path
) -> None:
    """B-45, B-48: kill -9, then a normal cycle: nothing lost, nothing twice, the same as a twin that nobody disturbed.

    Only the cycle killed while it commits is there: the server commits without it.
    """
    staging, twin_staging = tmp_path / "staging", tmp_path / "twin"
    run_cycle(database, staging, world.settings, world.clock)
    run_cycle(twin, twin_staging, world.settings, world.clock)
    for name, point in KILL_POINTS.items():
        world.advance()
        before, rows_before = stored(database), history(database)
        with point(database, world) as reached:
            kill_at(reached, database, world, staging)
        wait_until(lambda: not has_sessions(database))
        is_committed = name == "committing"
        assert (stored(database) == before) == (not is_committed), name
        assert (history(database) == rows_before) == (not is_committed), name

        world.clock.advance(ONE_MINUTE)
        ran = run_cycle(database, staging, world.settings, world.clock)
        undisturbed = run_cycle(twin, twin_staging, world.settings, world.clock)
        assert (ran.record.inserted_history == 0) == is_committed, name
        assert undisturbed.record.inserted_history > 0
        assert available(stored(database)) == world.truth(), name
        assert set(confirmed_at(database).values()) == {ran.at}, name
        assert history(database) == history(twin), name
        assert rebuild_current(database).repaired == 0, name

    left_open = query(database, "SELECT id FROM scrape_runs WHERE status IN ('pending', 'running') ORDER BY id")
    now = world.clock.advance(timedelta(hours=1))
    given_up = give_up_dead_runs(database, settings=world.settings, now=now)
    assert given_up == [run_id for (run_id,) in left_open]
    assert len(given_up) == len(KILL_POINTS) - 2, "one was killed before its run existed, one had committed"
    run_cycle(database, staging, world.settings, world.clock)
    assert not any(staging.iterdir()), "what dead cycles staged is swept"


def kill_at(reached: Reached, database: Database, world: SmallWorld, staging: Path) -> None:
    """Start a cycle in a process of its own and kill it, without a chance to clean up, once it has come that far."""
    with cycle_process(database, world, staging) as cycle:
        wait_until(lambda: reached() or cycle.is_over)
        assert not cycle.is_over, cycle.finished()
        cycle.kill()


def history(database: Database) -> dict[MarketId, list[tuple[Offer, bool]]]:
    """Each market's states in order, without their times; no two in a row are equal (I2)."""
    rows = query(
        database,
        """
        SELECT bookmaker_slug, external_event_id, betpawa_market_id, line, outcomes, unavailable_at IS NULL
        FROM market_odds_history ORDER BY captured_at
        """,
    )
    states: dict[MarketId, list[tuple[Offer, bool]]] = defaultdict(list)
    for *market, outcomes, is_available in rows:
        states[tuple(market)].append((offer_of(outcomes), is_available))  # type: ignore[index]
    assert all(before != after for timeline in states.values() for before, after in pairwise(timeline))
    return states
