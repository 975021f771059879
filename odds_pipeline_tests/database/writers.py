"""Writers at the same time: threads with connections of their own, and the lock that they all wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.write import write_cycle
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, answer, prepared
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import query

RESULT: MarketKey = ("3743", None)
HOME = {"1": "2.5", "X": "3.2", "2": "2.9"}

P = ParamSpec("P")
T = TypeVar("T")


class Elsewhere:
    """Runs functions in threads, each with connections of its own to the test's database."""

    def __init__(self, database: Database, threads: ThreadPoolExecutor) -> None:
        self._database, self._threads = database, threads

    def start(self, function: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        def run() -> T:
            database = Database(self._database.url)
            try:
                return function(database, *args, **kwargs)
            finally:
                database.dispose()

        return self._threads.submit(run)


@contextmanager
def writers_lock(database: Database) -> Iterator[None]:
    """Hold the lock that every writer waits for."""
    with database.connect() as connection:
        take_writer_lock(connection)
        yield


def prices(at: datetime, price: str, *, events: str = "e") -> Cycle:
    """One cycle in which the home win has this price at every event."""
    return Cycle(at, {}, [answer("betpawa", event, at, {RESULT: HOME | {"1": price}}) for event in events])


def write(database: Database, cycle: Cycle, run_id: int) -> WriteRecord:
    return write_cycle(
        database, archive_of(database), prepared(cycle, run_id), run_id=run_id, settings=SETTINGS, now=cycle.as_of
    )


def waiting(database: Database) -> int:
    """How many sessions of this database wait for a lock."""
    return query(
        database,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )[0][0]
