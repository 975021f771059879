"""A day whose concurrent detach was cut off, as an administrator's or an earlier version's may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from psycopg import errors

from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import list_partitions


@contextmanager
def half_detached(database: Database, day: date) -> Iterator[None]:
    """The day is, and during the block somebody reads, so that nobody can put it right."""
    with database.connect(autocommit=True) as connection, database.connect() as reader:
        reader.execute("SELECT FROM odds_history")
        connection.execute("SET statement_timeout = '200ms'")
        detach = f"ALTER TABLE odds_history DETACH PARTITION odds_history_{day:%Y%m%d} CONCURRENTLY"
        with pytest.raises(errors.QueryCanceled):
            connection.execute(detach.encode())
        assert days_half_detached(database) == [day]
        yield


def days_half_detached(database: Database) -> list[date]:
    with database.connect() as connection:
        return [partition.first_day for partition in list_partitions(connection) if partition.is_detaching]
