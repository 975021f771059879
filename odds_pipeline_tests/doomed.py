"""Processes that tests start and kill, and the points of a transaction at which they can be met.

They are forked from a server that has everything imported, so that one costs a tenth of a second, not two.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import LiteralString

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.attacks.rounds import wait_until
from odds_pipeline_tests.database.reading import query

DOOMED = "odds_pipeline_doomed"
"""``application_name`` of a process that may be killed."""

Reached = Callable[[], bool]
"""Whether a process has come to a point."""

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["odds_pipeline_tests.attacks.processes", "odds_pipeline_tests.days.doomed_work"])

_GATE = 4711


def kill_at(reached: Reached, work: Callable[..., None], *arguments: object) -> None:
    """Let a process of its own work, and kill it, without a chance to clean up, once it has come that far."""
    process = forks.Process(target=work, args=arguments)
    process.start()
    try:
        wait_until(lambda: reached() or not process.is_alive())
        assert process.is_alive(), f"it ended by itself, with {process.exitcode}"
    finally:
        process.kill()
        process.join(60)
    assert process.exitcode == -signal.SIGKILL


def has_sessions(database: Database) -> bool:
    """Whether the server still has a session of a doomed process, killed or not."""
    ours = "SELECT FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    return bool(query(database, ours, [DOOMED]))


def is_waiting_for_a_lock(database: Database) -> bool:
    """Whether a doomed process has come to a lock that somebody holds."""
    waiting = "SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
    return bool(query(database, waiting, [DOOMED]))


@contextmanager
def gate_at(timing: LiteralString, database: Database) -> Iterator[Reached]:
    """A point within a transaction: there a trigger waits for a lock that is held until the end of the block.

    ``timing``: what SQL says between CREATE and EXECUTE of a trigger of the name ``gate``.
    """
    table = timing.split(" ON ", 1)[1].split()[0]
    with database.connect(autocommit=True) as connection:
        connection.execute(
            f"""
            CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN PERFORM pg_advisory_xact_lock_shared({_GATE}); RETURN coalesce(NEW, OLD); END'
            """.encode()
        )
        connection.execute(f"CREATE {timing} EXECUTE FUNCTION wait_at_gate()".encode())
        connection.execute("SELECT pg_advisory_lock(%s)", [_GATE])
        yield lambda: is_waiting_for_a_lock(database)
        connection.execute("SELECT pg_advisory_unlock(%s)", [_GATE])
        wait_until(lambda: not has_sessions(database))
        connection.execute(f"DROP TRIGGER gate ON {table}".encode())
        connection.execute("DROP FUNCTION wait_at_gate")
