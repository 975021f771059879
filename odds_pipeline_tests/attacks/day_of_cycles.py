"""A day compressed into minutes: whole cycles over HTTP from a simulated world, five minutes apart by the clock.

Faults, kick-offs, midnight, retention and rebuilding come as they come in a day. What the process of the cycles holds
(memory, files, connections, threads) is weighed after each; retention, rebuilding and the questions whether all is well
have processes of their own, as Dagster's runs have.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context, resource_tracker
from pathlib import Path
from random import Random
from typing import Concatenate, ParamSpec, TypeVar

import psutil
from sqlalchemy import URL

from odds_pipeline.clock import SteppedClock, SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.days.current import rebuild_current_across
from odds_pipeline.days.rebuild import RebuiltDay, rebuild_days
from odds_pipeline.days.retention import Retained, retain
from odds_pipeline.scrape.cycle import scrape_cycle, write_scraped
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline.simulator.simulator import Simulator
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.holding import Remembered, assert_invariants_hold, remember
from odds_pipeline_tests.bookmakers.sites import quick_settings
from odds_pipeline_tests.database.reading import query

P = ParamSpec("P")
T = TypeVar("T")

PERIOD = timedelta(minutes=5)
A_DAY = timedelta(days=1)
SHARE = 0.05
"""Of the requests, those that meet a fault."""
_TRIES = 2
#: One that hangs until the client gives up is rare: it is the only fault that takes real seconds.
_KINDS = [kind for kind in FaultKind if kind not in (FaultKind.HANG, FaultKind.RATE_LIMIT)] * 4 + [FaultKind.HANG]
#: Requests of a discovery, about: Bet9ja's has one for each tournament, but faults fall on the first.
_PAGES = {"betpawa": 1, "sportybet": 1, "bet9ja": 3}
_STATUSES = (403, 404, 429, 500, 502, 503)
_PRICES = ("NaN", "", "1", "-2", "1e9", "2.3456")


@dataclass(frozen=True, slots=True)
class Weight:
    """What the process holds after a cycle: bytes of memory, open files, threads, and connections to its database."""

    memory: int
    files: int
    threads: int
    connections: int


class DayOfCycles:
    """Cycles one after another, beginning at ``start`` by the clock; to be used as a context manager."""

    def __init__(self, database: Database, staging_root: Path, *, start: datetime, events: int, seed: int) -> None:
        self.database = database
        self.archive = archive_of(database)
        self.draw = Random(seed)
        self.weights: list[Weight] = []
        self.remembered: list[Remembered] = []
        self.statuses: Counter[str] = Counter()
        self.counted: Counter[str] = Counter()
        self._staging_root = staging_root
        offset = start - datetime.now(UTC)
        self.clock = SteppedClock(offset)
        # A process of its own: what the bookmakers remember is not the pipeline's.
        self._simulator = Simulator(
            events=events, seed=seed, clock=SystemClock(offset), period=PERIOD, own_process=True, render_ahead=False
        )
        self._settings: Settings | None = None

    def __enter__(self) -> DayOfCycles:
        # It is started with the first process, and its file is not one that cycles leave open.
        resource_tracker.ensure_running()
        # Pytest keeps every record of the log, which would be weighed too.
        logging.disable(logging.ERROR)
        self._simulator.start()
        self._settings = quick_settings(self._simulator.urls, timeout_s=5.0, tries=_TRIES).model_copy(
            update={"retention_days": 1, "match_retention_days": 1, "run_retention_days": 1, "error_retention_days": 1}
        )
        return self

    def __exit__(self, *failure: object) -> None:
        self._simulator.stop()
        logging.disable(logging.NOTSET)

    @property
    def settings(self) -> Settings:
        assert self._settings is not None
        return self._settings

    def advance(self, periods: int = 1) -> None:
        """Move the clocks of the pipeline and of the world."""
        self.clock.advance(periods * PERIOD)
        self._simulator.advance(periods)

    def cycle(self, *, faults: bool = True) -> WriteRecord:
        """A cycle as production runs it, then on to the next period."""
        if faults:
            self._break_something()
        cycle, collected = scrape_cycle(
            self.database,
            self.settings.bookmakers,
            trigger="scheduled",
            settings=self.settings,
            clock=self.clock,
            staging_root=self._staging_root,
        )
        record = write_scraped(self.database, self.archive, cycle, settings=self.settings, clock=self.clock)
        self._simulator.clear_faults()
        for each in collected.values():
            self.counted["requests"] += each.requests
            self.counted["retries"] += each.retries
            self.counted["events failed"] += each.failed
            self.counted["events answered"] += each.answered_complete + each.answered_started
            assert not each.failures["internal_error"], each.failures
        self.counted["changes"] += record.inserted_history
        ((status,),) = query(self.database, "SELECT status FROM scrape_runs WHERE id = %s", [cycle.run_id])
        self.statuses[status] += 1
        nobody_was_found = not any(each.found for each in collected.values())
        assert status in (("failed",) if nobody_was_found else ("completed", "partial")), status
        assert record.set_aside == 0
        assert not list(self._staging_root.iterdir()), "staging files stayed behind"
        self.advance()
        self._weigh()
        return record

    def remember(self) -> None:
        """Keep what is current, to be asked for again."""
        self.remembered.append(remember(self.database, self.clock.now()))

    def retain(self) -> Retained:
        """Retention, of which nothing may be kept back."""
        done = self._elsewhere(_retain, self.settings, self.clock.now())
        assert not done.kept, done.kept
        return done

    def rebuild(self, first: date, last: date) -> Sequence[RebuiltDay]:
        """A backfill of days of history, and then of current: both say what was there already."""
        return self._elsewhere(_rebuild, first, last, self.clock.now())

    def assert_invariants_hold(self) -> None:
        """I1 to I5, the past included."""
        self._elsewhere(_assert_invariants_hold, self.draw.random(), self.remembered)

    def _elsewhere(self, work: Callable[Concatenate[URL, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            return process.submit(work, self.database.url, *arguments, **named).result()

    def _break_something(self) -> None:
        """Faults for one request in twenty, drawn for each cycle; half of them go away when tried again."""
        for slug, listed in self._simulator.state()["events"].items():
            # Taken by whichever requests come next: which those are is chance enough.
            for target, requests in (("event", listed), ("discovery", _PAGES[slug])):
                for _ in range(self._how_many(requests)):
                    self._simulator.add_fault(self._fault(slug, target, self.draw.choice((1, _TRIES))))

    def _how_many(self, requests: int) -> int:
        return sum(self.draw.random() < SHARE for _ in range(requests))

    def _fault(self, slug: str, target: str, times: int) -> Fault:
        return Fault(
            kind=self.draw.choice(_KINDS),
            bookmaker=slug,
            target=target,  # type: ignore[arg-type]
            times=times,
            status=self.draw.choice(_STATUSES),
            price=self.draw.choice(_PRICES),
        )

    def _weigh(self) -> None:
        gc.collect()
        ((connections,),) = query(
            self.database,
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
            """,
        )
        self.weights.append(
            Weight(
                memory=psutil.Process().memory_info().rss,
                files=len(os.listdir("/proc/self/fd")),
                threads=threading.active_count(),
                connections=connections,
            )
        )


def _retain(url: URL, settings: Settings, now: datetime) -> Retained:
    with Database(url) as database:
        return retain(database, archive_of(database), settings=settings, now=now, trigger="scheduled")


def _rebuild(url: URL, first: date, last: date, now: datetime) -> Sequence[RebuiltDay]:
    with Database(url) as database:
        rebuilt = rebuild_days(database, archive_of(database), first, last, now=now)
        rebuild_current_across(database, archive_of(database))
        return rebuilt


def _assert_invariants_hold(url: URL, seed: float, past: Sequence[Remembered]) -> None:
    with Database(url) as database:
        assert_invariants_hold(database, archive_of(database), Random(seed), past=past)
