"""The sessions in which databases are measured: they write nothing, wait for nobody, and let nobody wait long.

Every statement is a transaction of its own, so that what it locks (ACCESS SHARE, which only stands in the way of DROP,
TRUNCATE, ALTER and the like) is free again when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from odds_pipeline.database.engine import Database

_STATEMENT_TIMEOUT = "1s"
_CATALOGUE_TIMEOUT = "60s"
_OPTIONS = (
    "default_transaction_read_only=on",
    "lock_timeout=100ms",
    # The longest that anybody could wait for a statement of ours.
    f"statement_timeout={_STATEMENT_TIMEOUT}",
    # A table that shows an account only some of its rows is an error then, not a smaller table.
    "row_security=off",
    # Which statements are quick is known here: each reads few pages by their numbers.
    "enable_seqscan=off",
    "enable_hashjoin=off",
    "enable_mergejoin=off",
    "jit=off",
    "max_parallel_workers_per_gather=0",
)


@contextmanager
def measuring(database: Database) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection for measuring; raises ``psycopg.OperationalError`` when the server does not answer."""
    given = database.url.query.get("options", "")
    texts = [given] if isinstance(given, str) else list(given)
    texts += [f"-c {option}" for option in _OPTIONS]
    url = database.url.set(query={**database.url.query, "options": " ".join(texts).strip()})
    measured = Database(url, application_name="odds_pipeline profile")
    with psycopg.connect(
        measured.libpq,
        autocommit=True,
        row_factory=tuple_row,
        prepare_threshold=None,
        # A database without an encoding (SQL_ASCII) would answer in bytes, not in text.
        client_encoding="utf8",
    ) as connection:
        yield connection


@contextmanager
def unhurried(connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[None]:
    """For statements that ask the catalogue alone: they lock no table, and may take long in a database of thousands."""
    connection.execute(f"SET statement_timeout = '{_CATALOGUE_TIMEOUT}'")
    yield
    connection.execute(f"SET statement_timeout = '{_STATEMENT_TIMEOUT}'")
