"""A profile of a real database: its sizes and figures against those that PostgreSQL tells of all rows."""

from __future__ import annotations

from datetime import UTC, datetime

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import DatabaseProfile
from odds_pipeline.storage.profile import profile_database

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def profiled(database: Database, schema: str | None = None) -> DatabaseProfile:
    return profile_database(database, name="odds", now=NOW, schema=schema)


def test_sizes_are_those_of_postgres_and_parents_have_the_sums_of_their_partitions(database: Database) -> None:
    profile = profiled(database)
    with database.connect() as connection:
        sizes = dict(
            connection.execute(
                """
                SELECT relname, pg_total_relation_size(oid) FROM pg_class
                WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                """
            ).fetchall()
        )
    found = {table.name: table for table in profile.tables}
    assert sizes.keys() == {name for name, table in found.items() if table.kind != "partitioned"}
    assert sizes == {name: found[name].total_bytes for name in sizes}
    for parent in (table for table in profile.tables if table.kind == "partitioned"):
        assert parent.total_bytes == sum(part.total_bytes for part in profile.partitions_of(parent.name))
