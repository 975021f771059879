"""``kill -9`` at random moments of a cycle: of its process, of PostgreSQL, and of the bookmakers it asks.

Half of the moments are drawn over the whole length of a cycle, half over the time in which it holds the writer's lock,
which ends with the commit. After each, one cycle: everything is as the world is, and the invariants hold.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from odds_pipeline.database import migrate
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.database.runs import give_up_dead_runs
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.holding import (
    Remembered,
    assert_again_changes_nothing,
    assert_invariants_hold,
    remember,
)
from odds_pipeline_tests.attacks.processes import CycleProcess, cycle_process, is_writing, simulator_process
from odds_pipeline_tests.attacks.rounds import told, wait_until
from odds_pipeline_tests.cycle.small_world import SmallWorld, available, confirmed_at, query, run_cycle, stored
from odds_pipeline_tests.database.servers import TEST_SETTINGS
from odds_pipeline_tests.doomed import has_sessions

RUN, SIMULATOR = "the run", "the simulator"
IMMEDIATE, POSTMASTER = "PostgreSQL, shut down immediately", "PostgreSQL's postmaster, killed"
VICTIMS = (RUN, IMMEDIATE, SIMULATOR, POSTMASTER)
SEED = 601
ONE_MINUTE = timedelta(minutes=1)


class Kills:
    """A small world, a server of its own that may be killed, and one round after another."""

    def __init__(self, server: EmbeddedServer, world: SmallWorld, staging: Path) -> None:
        self.server, self.world, self.staging = server, world, staging
        self.database = Database(server.url("attacked"))
        self.archive = archive_of(self.database)
        self.draw = random.Random(SEED)
        self.past: list[Remembered] = []
        #: How long a cycle took lately, and how long it held the writer's lock.
        self.length, self.write_length = 1.0, 0.2
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.next_cycle()

    def round(self, victim: str) -> None:
        self.world.advance()
        moment = self.draw.random()
        is_at_commit = self.draw.random() < 0.5
        with told(SEED, self.outcomes.total(), f"{victim} at {moment:.3f} of {'the write' if is_at_commit else 'all'}"):
            with ExitStack() as stack:
                simulator, urls = None, self.world.simulator.urls
                if victim == SIMULATOR:
                    simulator, urls = stack.enter_context(simulator_process(self.world))
                cycle = stack.enter_context(cycle_process(self.database, self.world, self.staging, urls=urls))
                if is_at_commit:
                    wait_until(lambda: cycle.is_over or is_writing(self.database))
                time.sleep(moment * (self.write_length if is_at_commit else self.length))
                if victim == RUN:
                    cycle.kill()
                elif simulator is not None:
                    simulator.kill()
                else:
                    self.kill_server(signal.SIGQUIT if victim == IMMEDIATE else signal.SIGKILL)
                self.outcomes[victim, self.outcome(victim, cycle)] += 1
            wait_until(lambda: not has_sessions(self.database))
            self.check()
            self.next_cycle()

    def kill_server(self, how: signal.Signals) -> None:
        """The cycle goes on meanwhile: it may find the server again."""
        pid = self.server.health().pid
        assert pid is not None
        os.kill(pid, how)
        self.database.dispose()
        wait_until(lambda: not self.server.health().is_serving)
        revived = EmbeddedServer.ensure(self.server.data_dir, overrides=TEST_SETTINGS)
        self.server.leave()
        self.server = revived

    @staticmethod
    def outcome(victim: str, cycle: CycleProcess) -> str:
        """How the cycle ended; what it says when it failed is about the server that was killed."""
        finished = cycle.finished()
        if finished is None:
            assert victim == RUN, "nobody killed it, and it said nothing"
            return "killed"
        if finished.inserted_history is not None:
            return "committed"
        print(f"{victim}: {finished.failure}: {finished.message}")
        assert victim in (IMMEDIATE, POSTMASTER), finished
        return finished.failure

    def check(self) -> None:
        self.past.append(remember(self.database, self.world.clock.now()))
        open_runs = query(self.database, "SELECT id FROM scrape_runs WHERE status IN ('pending', 'running')")
        assert_invariants_hold(
            self.database, self.archive, self.draw, open_runs=[run for (run,) in open_runs], past=self.past[-50:]
        )

    def next_cycle(self) -> None:
        """One cycle that nobody disturbs puts everything right; the same answers once more change nothing."""
        world, database = self.world, self.database
        now = world.clock.advance(world.settings.dead_run_after + ONE_MINUTE)
        give_up_dead_runs(database, settings=world.settings, now=now)
        began = time.perf_counter()
        ran = run_cycle(database, self.staging, world.settings, world.clock)
        self.length = time.perf_counter() - began
        self.write_length = sum(ran.record.seconds.values())
        assert available(stored(database)) == world.truth()
        assert set(confirmed_at(database).values()) == {ran.at}
        assert_again_changes_nothing(database, self.archive, world.settings, now)
        self.past.append(remember(database, now))
        assert_invariants_hold(database, self.archive, self.draw, past=self.past[-50:])
        assert not any(self.staging.iterdir()), "what dead cycles staged is swept"


@pytest.fixture
def kills(server_directory: Path, tmp_path: Path) -> Iterator[Kills]:
    world = SmallWorld(events=2, seed=27)
    server = EmbeddedServer.ensure(server_directory, overrides=TEST_SETTINGS)
    with closing(psycopg.connect(server.url("postgres"), autocommit=True)) as connection:
        connection.execute("CREATE DATABASE attacked")
    migrate.upgrade(server.url("attacked"))
    with world.simulator:
        kills = Kills(server, world, tmp_path)
        yield kills
        kills.database.dispose()
        kills.server.leave()


@pytest.mark.parametrize("rounds", [4, pytest.param(180, marks=[pytest.mark.soak, pytest.mark.timeout(7200)])])
def test_after_a_kill_at_any_moment_the_next_cycle_is_right(kills: Kills, rounds: int) -> None:
    """I1 to I6."""
    for number in range(rounds):
        kills.round(VICTIMS[number % len(VICTIMS)])
    print(f"seed {SEED}, {rounds} kills:", dict(sorted(kills.outcomes.items())))
