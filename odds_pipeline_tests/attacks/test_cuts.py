"""Connections that break in the middle of COPY and of COMMIT: what was sent counts once, or not at all."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.runs import give_up_dead_runs
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.holding import (
    Remembered,
    assert_again_changes_nothing,
    assert_invariants_hold,
    remember,
)
from odds_pipeline_tests.attacks.proxy import Cut, CuttingProxy, Where
from odds_pipeline_tests.attacks.rounds import told
from odds_pipeline_tests.cycle.small_world import SmallWorld, available, query, run_cycle, stored

SEED = 603
ONE_MINUTE = timedelta(minutes=1)
ANSWER_TO_COMMIT = 18
"""Bytes: that it is done, and that the server is ready."""
NOTHING_TO_CUT = "committed: it had fewer bytes than that"
TRIES = 3
"""Of the writer, before it gives up."""


class Cuts:
    """A cycle over a way that breaks, then one over a way that does not, round after round."""

    def __init__(self, database: Database, proxy: CuttingProxy, world: SmallWorld, staging: Path) -> None:
        self.database, self.proxy, self.world, self.staging = database, proxy, world, staging
        self.archive = archive_of(database)
        self.draw = random.Random(SEED)
        self.past: list[Remembered] = []
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.cut = 0
        self.passed = self.undisturbed()

    def round(self, number: int) -> None:
        where = list(Where)[number % len(Where)]
        self.world.advance()
        times = self.draw.choice([1, 1, TRIES])
        in_all = self.passed.get(where, ANSWER_TO_COMMIT)
        cut = Cut(where, self.draw.randrange(in_all), times)
        with told(SEED, number, f"{cut}"):
            self.proxy.arm(cut)
            outcome = self.cycle(cut)
            self.outcomes[where, outcome] += 1
            self.cut += outcome != NOTHING_TO_CUT
            open_runs = query(self.database, "SELECT id FROM scrape_runs WHERE status IN ('pending', 'running')")
            assert_invariants_hold(
                self.database, self.archive, self.draw, open_runs=[run for (run,) in open_runs], past=self.past[-50:]
            )
            now = self.world.clock.advance(self.world.settings.dead_run_after + ONE_MINUTE)
            give_up_dead_runs(self.database, settings=self.world.settings, now=now)
            self.passed = self.undisturbed()

    def cycle(self, cut: Cut) -> str:
        """One cycle over the way that breaks; the writer tries again, and knows whether it has committed."""
        world = self.world
        with Database(self.proxy.url) as database:
            try:
                ran = run_cycle(database, self.staging, world.settings, world.clock)
            except psycopg.OperationalError:
                assert cut.times == TRIES, "one break is no failure"
                return "failed"
        (run,) = query(self.database, "SELECT max(id) FROM scrape_runs")[0]
        rows = query(
            self.database, "SELECT status, (counts ->> 'inserted_history')::int FROM scrape_runs WHERE id = %s", [run]
        )
        assert rows == [("completed", ran.record.inserted_history)]
        assert available(stored(self.database)) == world.truth()
        return "committed" if self.proxy.cuts else NOTHING_TO_CUT

    def undisturbed(self) -> dict[Where, int]:
        """A cycle over the same way, whole; how many bytes of rows went each way."""
        world = self.world
        self.proxy.arm(None)
        with Database(self.proxy.url) as database:
            run_cycle(database, self.staging, world.settings, world.clock)
        passed = {where: max(1, size) for where, size in self.proxy.copied.items()}
        assert available(stored(self.database)) == world.truth()
        assert_again_changes_nothing(self.database, self.archive, world.settings, world.clock.now())
        self.past.append(remember(self.database, world.clock.now()))
        assert_invariants_hold(self.database, self.archive, self.draw, past=self.past[-50:])
        return passed


@pytest.fixture
def cuts(database: Database, tmp_path: Path) -> Iterator[Cuts]:
    world = SmallWorld(events=2, seed=27)
    with world.simulator, CuttingProxy(database.url.render_as_string(hide_password=False)) as proxy:
        yield Cuts(database, proxy, world, tmp_path)


@pytest.mark.parametrize("times", [4, pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
def test_a_cut_in_the_middle_of_copy_or_commit_loses_nothing_and_writes_nothing_twice(cuts: Cuts, times: int) -> None:
    """I1 to I6; B-48: whether the first COMMIT arrived is known to the retry."""
    for number in range(2 * times):
        cuts.round(number)
        if cuts.cut == times:
            break
    assert cuts.cut == times, "the cycles have fewer bytes than the one that was measured"
    print(f"seed {SEED}, {times} cuts:", dict(sorted(cuts.outcomes.items())))
