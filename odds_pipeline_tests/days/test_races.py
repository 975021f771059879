"""Cycles, rebuilds, retention and readers together: no deadlock, no change lost or doubled, I1 and I2 hold.

A few rounds in every run of the suite; a hundred with ``make soak``.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta

import pytest

from odds_pipeline.database.archived_files import named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.days.opening import ensure_states
from odds_pipeline.days.read import Wanted, history, state_at
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.days.retention import retain
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds

SETTINGS = Settings(retention_days=2, match_retention_days=2, run_retention_days=2)
EVERYTHING = Wanted()
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Races:
    """One world, a round a day: everything at once on the day before, the day itself and the days that are over."""

    def __init__(self, database: Database) -> None:
        self.database, self.archive = database, archive_of(database)
        kickoffs = {
            str(number): datetime.combine(FIRST_DAY + timedelta(days=3 + 5 * number), time(18), UTC)
            for number in range(3)
        }
        self.days = DaysOfOdds(database, seed=99, kickoffs=kickoffs)
        self.days.write(days=3, cycles=2)
        self.draw = random.Random(7)
        self.now = datetime.combine(FIRST_DAY + timedelta(days=3), time(6), UTC)

    def rows(self) -> int:
        """Rows of history in both tiers."""
        with self.database.connect() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute("LOCK TABLE ONLY odds_history IN ACCESS SHARE MODE")
            row = connection.execute("SELECT count(*) FROM odds_history_changes").fetchone()
            assert row is not None
            return row[0] + sum(file.rows for file in named_files(connection, "history"))

    def round(self) -> None:
        """Run everybody together, until the cycles are written and days rebuilt and retired; then look."""
        # A day into which nothing was written yet cannot be rebuilt.
        self.days.cycle(self.now - timedelta(hours=1))
        is_over = threading.Event()
        workers: list[Callable[[], object]] = [self.cycles, self.rebuild, self.retire]
        with ThreadPoolExecutor() as pool:
            readers = [pool.submit(self.read, is_over), pool.submit(self.ask, is_over)]
            futures = [pool.submit(worker) for worker in workers]
            try:
                for future in futures:
                    future.result()
            finally:
                is_over.set()
            assert all(reader.result() > 0 for reader in readers)
        self.check()
        self.now += timedelta(days=1)

    def cycles(self) -> None:
        """Cycles of today, and a row that comes late for a day that is over, retired or not."""
        for number in range(3):
            self.days.cycle(self.now + timedelta(hours=number))
        self.days.late(self.now - timedelta(days=self.draw.randint(1, 4)))

    def rebuild(self) -> None:
        """Yesterday and today, while today's cycles run."""
        yesterday = self.now.date() - timedelta(days=1)
        rebuild_days(self.database, self.archive, yesterday, self.now.date(), now=self.now)

    def retire(self) -> None:
        """What is over by now; readers never hold on for long, so nothing is kept."""
        ensure_states(self.database, self.archive, self.now.date())
        done = retain(self.database, self.archive, settings=SETTINGS, now=self.now, trigger="scheduled")
        assert not done.kept

    def read(self, is_over: threading.Event) -> int:
        """Count rows without a pause: they never become fewer."""
        rounds, before = 0, 0
        while not is_over.is_set() or not rounds:
            rows = self.rows()
            assert rows >= before
            rounds, before = rounds + 1, rows
        return rounds

    def ask(self, is_over: threading.Event) -> int:
        """Ask across the tiers: each row once, and the state at a moment that is over is always the same."""
        rounds, moment = 0, self.now - timedelta(days=2)
        first = self.shown_at(moment)
        while not is_over.is_set() or not rounds:
            found = history(
                self.database, self.archive, EVERYTHING, LONG_AGO, self.now, unimported_days=lambda *_: []
            ).rows
            assert not found.select("market_id", "captured_at").is_duplicated().any()
            # A row that came late may be the last one at the moment.
            assert first.items() <= self.shown_at(moment).items()
            rounds += 1
        return rounds

    def shown_at(self, moment: datetime) -> dict[int, datetime]:
        """When each market that was there before this round last changed at the moment."""
        rows = state_at(self.database, self.archive, EVERYTHING, moment, unimported_days=lambda *_: []).rows
        known = rows.filter(~rows["external_event_id"].str.starts_with("late"))
        # Events that are over may go with the words by which they are found.
        over = {slug for slug, kickoff in self.days.kickoffs.items() if kickoff < self.now}
        return {
            row["market_id"]: row["captured_at"]
            for row in known.iter_rows(named=True)
            if row["external_event_id"] not in over
        }

    def check(self) -> None:
        """Every change that a cycle recorded is in one of the tiers, once; current is what history says last."""
        assert self.rows() == self.days.written
        assert rebuild_current(self.database).repaired == 0
        twice = """
            SELECT count(*) FROM (
                SELECT state = lag(state) OVER (PARTITION BY market_id ORDER BY captured_at) AS is_same
                FROM odds_history_changes
            ) AS rows WHERE is_same
        """
        assert query(self.database, twice) == [(0,)]


@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
def test_cycles_rebuilds_retention_and_readers_do_not_disturb_one_another(database: Database, rounds: int) -> None:
    races = Races(database)
    for _ in range(rounds):
        races.round()
    retired = query(database, "SELECT count(DISTINCT first_day) FROM archive_files WHERE kind = 'history'")
    assert retired[0][0] >= rounds
    assert query(database, "SELECT DISTINCT status FROM cleanup_runs") == [("completed",)]
