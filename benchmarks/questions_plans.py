"""How PostgreSQL answers a question: the statements that it runs, explained with what they read and how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg
from psycopg import sql

from odds_pipeline.database.engine import Database

from .measure import say

_LEAST_MS = 0.3
"""Statements that take less are only counted."""


def explain(database: Database, name: str, ask: Callable[[], object]) -> None:
    """Print the plans of the statements that ``ask`` runs over psycopg connections, those that take time."""
    with _noted() as statements:
        ask()
    plans = [plan for query, parameters in statements if (plan := _plan(database, query, parameters)) is not None]
    long = [(milliseconds, lines) for milliseconds, lines in plans if milliseconds >= _LEAST_MS]
    say(f"\n{name}: {len(plans)} queries, of which {len(long)} take {_LEAST_MS} ms or more, planning included")
    for _, lines in long:
        say("\n".join(f"    {line}" for line in lines))
        say()


def _plan(database: Database, query: str, parameters: Any) -> tuple[float, list[str]] | None:
    if query.split(maxsplit=1)[0].upper() not in ("SELECT", "WITH"):
        return None
    with database.connect() as connection:
        # As in a pool that has been used: the catalogue is known to the session.
        connection.execute(f"EXPLAIN {query}".encode(), parameters)
        rows = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query}".encode(), parameters).fetchall()
    lines = [line for (line,) in rows]
    times = [float(line.split()[2]) for line in lines if line.startswith(("Planning Time", "Execution Time"))]
    return sum(times), lines


@contextmanager
def _noted() -> Iterator[list[tuple[str, Any]]]:
    """The statements, with their parameters, that cursors run meanwhile."""
    statements: list[tuple[str, Any]] = []
    execute = psycopg.Cursor[Any].execute

    def noting(self: psycopg.Cursor[Any], query: Any, parameters: Any = None, **options: Any) -> psycopg.Cursor[Any]:
        text = query.as_string(self) if isinstance(query, (sql.SQL, sql.Composed)) else query
        statements.append((text if isinstance(text, str) else text.decode(), parameters))
        return execute(self, query, parameters, **options)

    with patch.object(psycopg.Cursor, "execute", noting):
        yield statements
