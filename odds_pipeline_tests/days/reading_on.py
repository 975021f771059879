"""Readers who go on while a day is taken away or exchanged, and one of them who holds on to history for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from odds_pipeline.database.engine import Database

_HOLDING_S = 1.5


@dataclass
class Reading:
    """How long readers waited for the lock that every question takes, and what each of them counted."""

    waits: list[float] = field(default_factory=list)
    counts: set[int] = field(default_factory=set)

    def require_no_queue(self, *blocked: float) -> None:
        """Nobody waited until the one who holds on had ended, as behind a lock that is waited for; ``blocked`` too."""
        assert len(self.waits) > 20
        assert max(*self.waits, *blocked) < _HOLDING_S / 2


@contextmanager
def reading_on(
    database: Database, count: Callable[[psycopg.Connection], int], *, readers: int = 1
) -> Iterator[Reading]:
    """Readers who ``count`` again and again in the block, a snapshot each time, beside one who holds on to history."""
    found = Reading()
    is_over = threading.Event()

    def read() -> None:
        with database.connect() as reader:
            while not is_over.is_set():
                reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                began = time.perf_counter()
                reader.execute("LOCK TABLE ONLY odds_history IN ACCESS SHARE MODE")
                found.waits.append(time.perf_counter() - began)
                found.counts.add(count(reader))
                reader.rollback()

    def hold_on() -> None:
        with database.connect() as reader:
            reader.execute("SELECT FROM odds_history LIMIT 1")
            is_over.wait(_HOLDING_S)

    threads = [threading.Thread(target=target) for target in (*[read] * readers, hold_on)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
