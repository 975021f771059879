"""A database that notes how PostgreSQL would answer each query before it does: for tests of what a question reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import sql

from odds_pipeline.database.engine import Database


class ExplainingDatabase(Database):
    """``nodes`` are those of the plans of all queries over borrowed connections, as EXPLAIN tells them."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.nodes: list[dict[str, Any]] = []

    @contextmanager
    def borrow(self) -> Iterator[psycopg.Connection]:
        with super().borrow() as connection:
            yield cast(psycopg.Connection, _Explaining(connection, self.nodes))

    def scans(self, table: str) -> list[dict[str, Any]]:
        """The nodes that read a table."""
        return [node for node in self.nodes if node.get("Relation Name") == table]


class _Explaining:
    """A connection whose queries are explained first."""

    def __init__(self, connection: psycopg.Connection, nodes: list[dict[str, Any]]) -> None:
        self._connection = connection
        self._nodes = nodes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, query: str | sql.Composed, parameters: Any = None, **options: Any) -> Any:
        text = query if isinstance(query, str) else query.as_string(self._connection)
        if text.split()[0] in ("SELECT", "WITH"):
            row = self._connection.execute(f"EXPLAIN (FORMAT JSON) {text}".encode(), parameters).fetchone()
            assert row is not None
            self._nodes.extend(_walk(row[0][0]["Plan"]))
        return self._connection.execute(text.encode(), parameters, **options)


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _walk(child)
