"""What tests of a profile share: its moment, taking one, filling a database."""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import DatabaseProfile
from odds_pipeline.storage.profile import profile_database

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def profiled(database: Database, schema: str | None = None) -> DatabaseProfile:
    """The profile of a database at ``NOW``."""
    return profile_database(database, name="odds", now=NOW, schema=schema)


def execute(database: Database, *commands: str | sql.Composed) -> None:
    """Run commands one after the other, each a transaction of its own."""
    with database.connect(autocommit=True) as connection:
        for command in commands:
            connection.execute(command.encode() if isinstance(command, str) else command)
