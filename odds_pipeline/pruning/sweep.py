"""One pruning under way: its connection, when it must stop, and what it has deleted so far.

Everything is deleted in small transactions, so that killing the process loses at most one of them, and nothing waits
for a lock for longer than a moment: who holds a row or a table keeps it until the next pruning.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from odds_pipeline.pruning.policy import Policy

ROWS = 1_000
"""Rows deleted in one transaction: some milliseconds."""
RUNS = 20
"""Runs whose rows are deleted in one transaction; a cycle has about a hundred."""

_LOCK_TIMEOUT_MS = 100
_STATEMENT_TIMEOUT_MS = 120_000
"""None takes seconds, even where nothing was ever pruned. One that does not end must not keep the others waiting."""

SETTLED = sql.SQL("""(
    run.status IN ('SUCCESS', 'FAILURE', 'CANCELED')
    AND coalesce(to_timestamp(run.end_time), run.update_timestamp AT TIME ZONE 'UTC')
        < CASE run.status WHEN 'SUCCESS' THEN %(succeeded_before)s ELSE %(failed_before)s END
)""")
"""Whether the row ``run`` of ``runs`` is over, and for long enough. Any other status may still go on, and is never
touched. Dagster's own times are UTC without saying so."""


HELD = (errors.LockNotAvailable, errors.DeadlockDetected, errors.ForeignKeyViolation, errors.QueryCanceled)
"""What says that somebody else holds a row or a table, or has just referred to what was to go; or that it took long."""


def wait_for_nobody(connection: psycopg.Connection) -> None:
    """Let no statement of the session wait for a lock for longer than a moment, nor run without end."""
    connection.execute(
        "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)",
        [str(_LOCK_TIMEOUT_MS), str(_STATEMENT_TIMEOUT_MS)],
    )


@dataclass(slots=True)
class Sweep:
    """What one pruning shares between its parts. ``connection`` is in autocommit mode."""

    connection: psycopg.Connection
    policy: Policy
    deadline: float
    """On the clock of ``time.monotonic``."""
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Deleted rows by table and by kind: type of event, status."""
    bytes: Counter[str] = field(default_factory=Counter)
    """Bytes of the texts that they held, as stored, by table."""
    postponed: list[str] = field(default_factory=list)
    """The parts that were given up, and why, in words."""
    is_interrupted: bool = False
    """Whether time ran out before everything was looked at."""

    def may_go_on(self) -> bool:
        """Whether there is time for another batch."""
        if time.monotonic() < self.deadline:
            return True
        self.is_interrupted = True
        return False

    def times(self, before: datetime) -> dict[str, datetime]:
        """The parameters of ``SETTLED`` for what goes ``before`` a moment; failed runs stay whole for longer."""
        return {"succeeded_before": before, "failed_before": min(before, self.policy.failed_before)}

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """What is given up, and told of in ``postponed``, when somebody else holds a table or a row of it."""
        try:
            yield
        except HELD as held:
            self.postponed.append(f"{what}: {' '.join(str(held).split())}")

    @contextmanager
    def batch(self) -> Iterator[None]:
        """A transaction of its own. An error undoes it, and what was counted in it."""
        before = self.rows.copy(), self.bytes.copy()
        try:
            with self.connection.transaction():
                yield
        except BaseException:
            self.rows, self.bytes = before
            raise

    def delete(self, statement: LiteralString | sql.Composed, parameters: Mapping[str, Any]) -> int:
        """Run a statement that deletes and gives (table, kind, rows, bytes); return how many rows went."""
        deleted = 0
        for table, kind, rows, size in self.connection.execute(statement, parameters).fetchall():
            self.rows[table, kind] += rows
            self.bytes[table] += int(size)
            deleted += rows
        return deleted
