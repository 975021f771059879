"""Processes that an attack starts and kills: whole cycles, and simulators."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec

from odds_pipeline.clock import ManualClock
from odds_pipeline.database.engine import Database
from odds_pipeline.simulator.server import Options, Server, base_urls
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.bookmakers.sites import quick_settings
from odds_pipeline_tests.cycle.small_world import PERIOD, SmallWorld, query, run_cycle
from odds_pipeline_tests.doomed import DOOMED, forks


class Finished(msgspec.Struct, frozen=True):
    """How a cycle ended that was not killed: what history got, or the class and words of what was raised."""

    inserted_history: int | None
    failure: str = ""
    message: str = ""


class CycleProcess:
    """A whole cycle, scrape and write, in a process of its own."""

    def __init__(self, process: BaseProcess, answers: Connection) -> None:
        self._process, self._answers = process, answers

    @property
    def is_over(self) -> bool:
        """Whether it has ended, one way or another."""
        return not self._process.is_alive()

    def hang(self) -> None:
        """Stop it where it is, until ``come_back``; one that is over stays so."""
        self._signal(signal.SIGSTOP)

    def come_back(self) -> None:
        """Let it go on as if no time had passed."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """``kill -9``."""
        self._process.kill()
        self._process.join(60)
        assert self._process.exitcode in (0, -signal.SIGKILL), self._process.exitcode

    def finished(self) -> Finished | None:
        """Wait for the end; None for one that was killed before it came there."""
        self._process.join(120)
        assert self._process.exitcode is not None, "a cycle that never ends"
        try:
            return self._answers.recv()
        except EOFError:
            return None


@contextmanager
def cycle_process(
    database: Database, world: SmallWorld, staging: Path, *, urls: Mapping[str, str] | None = None, url: str = ""
) -> Iterator[CycleProcess]:
    """Start a cycle at the world's present time and wait until it begins; killed at the end of the block.

    ``urls``: of other bookmakers than the world's; ``url``: of another way to the database.
    """
    archive_of(database)  # so that the process finds the same one
    answers, theirs = forks.Pipe(duplex=False)
    arguments = (
        url or database.url.render_as_string(hide_password=False),
        staging,
        dict(urls or world.simulator.urls),
        world.clock.now(),
        theirs,
    )
    process = forks.Process(target=_cycle, args=arguments)
    process.start()
    theirs.close()
    try:
        assert answers.recv() == "begun"
        yield CycleProcess(process, answers)
    finally:
        process.kill()
        process.join(60)
        answers.close()


@contextmanager
def simulator_process(world: SmallWorld) -> Iterator[tuple[BaseProcess, dict[str, str]]]:
    """The world's bookmakers, as they are now, served by a process of its own; with their URLs."""
    answers, theirs = forks.Pipe(duplex=False)
    process = forks.Process(target=_serve, args=(world.events, world.seed, world.clock.now(), theirs))
    process.start()
    theirs.close()
    try:
        yield process, base_urls(answers.recv())
    finally:
        process.kill()
        process.join(60)
        answers.close()


def is_writing(database: Database) -> bool:
    """Whether a cycle of ours has begun to change odds and not committed yet."""
    changing = """
        SELECT FROM pg_locks AS held JOIN pg_stat_activity AS session USING (pid)
        WHERE held.relation = 'current_odds'::regclass AND held.mode = 'RowExclusiveLock'
          AND session.application_name = %s AND session.datname = current_database()
    """
    return bool(query(database, changing, [DOOMED]))


def _cycle(url: str, staging: Path, urls: dict[str, str], now: datetime, answers: Connection) -> None:
    settings = quick_settings(urls, timeout_s=60.0)
    with Database(url, application_name=DOOMED) as database:
        answers.send("begun")
        try:
            ran = run_cycle(database, staging, settings, ManualClock(now))
        except Exception as error:
            answers.send(Finished(None, type(error).__name__, str(error)))
        else:
            answers.send(Finished(ran.record.inserted_history))


def _serve(events: int, seed: int, now: datetime, answers: Connection) -> None:
    options: dict[str, Any] = {"events": events, "seed": seed, "period_s": PERIOD.total_seconds()}
    server = Server(Options(**options), ManualClock(now))
    answers.send(server.url)
    server.run()
