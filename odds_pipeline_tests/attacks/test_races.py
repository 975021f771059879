"""Forced races: of writers, of whole cycles, and of a run that was declared dead with its own return.

In each the loser writes nothing and says so.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import RunGivenUp, WriteRecord
from odds_pipeline.database.runs import give_up_dead_runs
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.holding import (
    Remembered,
    assert_again_changes_nothing,
    assert_invariants_hold,
    remember,
)
from odds_pipeline_tests.attacks.processes import Finished, cycle_process, is_writing
from odds_pipeline_tests.attacks.rounds import told, wait_until
from odds_pipeline_tests.cycle.small_world import SmallWorld, available, run_cycle, stored
from odds_pipeline_tests.database.cycles import SETTINGS, running
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.database.reading import current, query
from odds_pipeline_tests.database.writers import RESULT, Elsewhere, prices, waiting, write, writers_lock

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
DEAD_AFTER = SETTINGS.dead_run_after + MINUTE
EVENTS = "efg"
SEED = 602


class Writers:
    """Two that want to write at the same time, round after round; each brings other prices of the same events."""

    def __init__(self, database: Database, elsewhere: Elsewhere) -> None:
        self.database, self.elsewhere = database, elsewhere
        self.draw = random.Random(SEED)
        self.now = T0
        self.price = Decimal("2.01")
        #: How long a write took lately, in seconds.
        self.write_length = 0.1
        self.outcomes: Counter[tuple[str, str]] = Counter()

    def round(self, number: int) -> None:
        self.now += 2 * DEAD_AFTER
        race = [self.two_at_the_lock, self.two_at_once, self.given_up_while_it_waits, self.given_up_at_any_moment]
        race = [*race, self.one_run_twice][number % 5]
        with told(SEED, number, race.__name__):
            self.outcomes[race.__name__, race()] += 1
            assert_invariants_hold(self.database, archive_of(self.database), self.draw)

    def cycle(self, at: datetime) -> Cycle:
        # Never a price with a last digit of nothing, which the views leave out.
        self.price += Decimal("0.01") if self.price % Decimal("0.1") < Decimal("0.09") else Decimal("0.02")
        return prices(at, str(self.price), events=EVENTS)

    def two_at_the_lock(self) -> str:
        """Both have scraped and wait: the server lets one in."""
        older, newer = self.now, self.now + SECOND
        runs = [running(self.database, at) for at in (older, newer)]
        cycles = [self.cycle(at) for at in (older, newer)]
        with writers_lock(self.database):
            order = self.draw.sample([0, 1], 2)
            futures = {}
            for waiters, each in enumerate(order, 1):
                futures[each] = self.elsewhere.start(write, cycles[each], runs[each])
                wait_until(lambda waiters=waiters: waiting(self.database) == waiters)
        return self.newest_counts([futures[0].result(), futures[1].result()], runs, cycles)

    def two_at_once(self) -> str:
        runs = [running(self.database, at) for at in (self.now, self.now + SECOND)]
        cycles = [self.cycle(self.now), self.cycle(self.now + SECOND)]
        futures = [self.elsewhere.start(write, cycle, run) for cycle, run in zip(cycles, runs, strict=True)]
        return self.newest_counts([future.result() for future in futures], runs, cycles)

    def newest_counts(self, records: list[WriteRecord], runs: list[int], cycles: list[Cycle]) -> str:
        """The newer answers are current; the older ones came first, or were dropped whole and counted."""
        older, newer = records
        assert (newer.late, newer.inserted_history) == (0, len(EVENTS))
        assert self.shown() == {str(cycles[1].answers[0].markets[RESULT]["1"][0])}
        if older.late:
            assert (older.late, older.inserted_history, self.rows_of(runs[0])) == (len(EVENTS), 0, 0)
            return "the older wrote nothing"
        assert older.inserted_history == len(EVENTS)
        return "the older came first"

    def given_up_while_it_waits(self) -> str:
        """A newer run is let in before it."""
        slow, fast = running(self.database, self.now), running(self.database, self.now + DEAD_AFTER)
        newer = self.cycle(self.now + DEAD_AFTER)
        with writers_lock(self.database):
            woken = self.elsewhere.start(write, self.cycle(self.now), slow)
            wait_until(lambda: waiting(self.database) == 1)
            assert give_up_dead_runs(self.database, settings=SETTINGS, now=newer.at) == [slow]
        record = write(self.database, newer, fast)
        self.write_length = sum(record.seconds.values())
        assert (record.late, record.inserted_history) == (0, len(EVENTS))
        self.assert_refused(slow, woken.exception())
        return "refused"

    def given_up_at_any_moment(self) -> str:
        """The watchdog comes while the run writes: before its commit it is ended, after it is too late."""
        run = running(self.database, self.now)
        cycle = self.cycle(self.now)
        writing = self.elsewhere.start(write, cycle, run)
        time.sleep(self.draw.uniform(0, 1.5) * self.write_length)
        given_up = give_up_dead_runs(self.database, settings=SETTINGS, now=self.now + DEAD_AFTER)
        if given_up:
            self.assert_refused(run, writing.exception())
            return "refused"
        assert writing.result().inserted_history == self.rows_of(run) == len(EVENTS)
        return "it had committed"

    def one_run_twice(self) -> str:
        """As when a step is tried again while the first try still waits."""
        run, cycle = running(self.database, self.now), self.cycle(self.now)
        with writers_lock(self.database):
            futures = [self.elsewhere.start(write, cycle, run) for _ in range(2)]
            wait_until(lambda: waiting(self.database) == 2)
        first, second = (future.result() for future in futures)
        assert first == second
        assert first.inserted_history == self.rows_of(run) == len(EVENTS)
        return "written once"

    def assert_refused(self, run: int, error: BaseException | None) -> None:
        assert isinstance(error, RunGivenUp), error
        assert str(error) == f"run {run} is failed, not running; its answers were not written"
        assert self.rows_of(run) == 0
        (row,) = query(self.database, "SELECT status, error, counts FROM scrape_runs WHERE id = %s", [run])
        assert row == ("failed", "no sign of life for 10 minutes; given up", None)

    def rows_of(self, run: int) -> int:
        return query(self.database, "SELECT count(*) FROM market_odds_history WHERE run_id = %s", [run])[0][0]

    def shown(self) -> set[str]:
        return {row.outcomes["1"] for row in current(self.database).values()}


class Cycles:
    """Whole cycles in processes of their own, of which one hangs or two start together."""

    def __init__(self, database: Database, world: SmallWorld, staging: Path) -> None:
        self.database, self.world, self.staging = database, world, staging
        self.archive = archive_of(database)
        self.draw = random.Random(SEED)
        self.past: list[Remembered] = []
        self.outcomes: Counter[tuple[str, str]] = Counter()
        run_cycle(database, staging, world.settings, world.clock)

    def round(self, number: int) -> None:
        self.world.advance()
        race = [self.two_at_once, self.hung_while_it_scrapes, self.hung_while_it_writes][number % 3]
        with told(SEED, number, race.__name__):
            self.outcomes[race.__name__, race()] += 1
            world, database = self.world, self.database
            world.clock.advance(MINUTE)
            run_cycle(database, self.staging, world.settings, world.clock)
            assert available(stored(database)) == world.truth()
            assert_again_changes_nothing(database, self.archive, world.settings, world.clock.now())
            self.past.append(remember(database, world.clock.now()))
            assert_invariants_hold(database, self.archive, self.draw, past=self.past[-50:])

    def two_at_once(self) -> str:
        before = self.runs()
        start = (self.database, self.world, self.staging)
        with cycle_process(*start) as first, cycle_process(*start) as second:
            both = [first.finished(), second.finished()]
        committed = [each for each in both if each is not None and each.inserted_history is not None]
        refused = [each for each in both if each not in committed]
        assert len(self.runs() - before) == len(committed) >= 1, both
        assert refused in ([], [UNDER_WAY]), both
        if refused:
            return "one was refused"
        assert 0 in [each.inserted_history for each in committed], "the same answers twice"
        return "one after the other"

    def hung_while_it_scrapes(self) -> str:
        return self.hung(lambda: bool(self.open_runs()))

    def hung_while_it_writes(self) -> str:
        return self.hung(lambda: is_writing(self.database))

    def hung(self, has_come_so_far: Callable[[], bool]) -> str:
        """Stopped, declared dead, and back after the next cycle."""
        with cycle_process(self.database, self.world, self.staging) as cycle:
            wait_until(lambda: cycle.is_over or has_come_so_far())
            time.sleep(self.draw.uniform(0, 0.02))
            cycle.hang()
            open_runs = self.open_runs()
            now = self.world.clock.advance(DEAD_AFTER)
            assert give_up_dead_runs(self.database, settings=self.world.settings, now=now) == open_runs
            run_cycle(self.database, self.staging, self.world.settings, self.world.clock)
            cycle.come_back()
            finished = cycle.finished()
        if not open_runs:
            assert finished is not None
            assert finished.inserted_history is not None
            return "it had committed"
        (run,) = open_runs
        said = f"run {run} is failed, not running; its answers were not written"
        assert finished == Finished(None, "RunGivenUp", said)
        return "refused"

    def open_runs(self) -> list[int]:
        found = query(self.database, "SELECT id FROM scrape_runs WHERE status IN ('pending', 'running')")
        return [run for (run,) in found]

    def runs(self) -> set[int]:
        return {run for (run,) in query(self.database, "SELECT id FROM scrape_runs")}


UNDER_WAY = Finished(
    None, "CycleUnderWay", "another cycle is scraping right now; the next one can start when it has ended"
)


@pytest.fixture
def writers(database: Database) -> Iterator[Writers]:
    with ThreadPoolExecutor(4) as threads:
        yield Writers(database, Elsewhere(database, threads))


@pytest.fixture
def cycles(database: Database, tmp_path: Path) -> Iterator[Cycles]:
    world = SmallWorld(events=2, seed=27)
    with world.simulator:
        yield Cycles(database, world, tmp_path)


@pytest.mark.parametrize("rounds", [10, pytest.param(150, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
def test_of_two_writers_the_newest_answers_count_and_the_loser_writes_nothing(writers: Writers, rounds: int) -> None:
    """I5, I6."""
    for number in range(rounds):
        writers.round(number)
    print(f"seed {SEED}, {rounds} races:", dict(sorted(writers.outcomes.items())))


@pytest.mark.parametrize("rounds", [3, pytest.param(60, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
def test_a_cycle_that_loses_to_another_or_comes_back_from_the_dead_writes_nothing(cycles: Cycles, rounds: int) -> None:
    """I4, I5: what a hung cycle held, the lock of the scrape or of the writer, stops nobody once it was given up."""
    for number in range(rounds):
        cycles.round(number)
    print(f"seed {SEED}, {rounds} races:", dict(sorted(cycles.outcomes.items())))
