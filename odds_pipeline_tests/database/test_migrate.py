"""Migrations: up, down, together, half-way, and proved from the catalogue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from odds_pipeline.database import migrate
from odds_pipeline.database.migrate import MIGRATIONS, MigrationFailed, SchemaDrift

REVISIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]

_OBJECTS = """
    SELECT relkind::text || ' ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT viewname || ' ' || definition FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


def objects(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute(_OBJECTS)} - {"r alembic_version", "i alembic_version_pkc"}


def test_up_from_empty_leaves_nothing_to_migrate_and_nothing_different(empty_database: str) -> None:
    """B-51, B-57: what the migrations make is what the models say, read from the catalogue."""
    assert migrate.current(empty_database) is None
    assert migrate.upgrade(empty_database) == migrate.head() == migrate.current(empty_database)
    migrate.verify(empty_database)


def test_each_revision_goes_down_to_exactly_what_was_before_it(empty_database: str) -> None:
    before: list[set[str]] = []
    for revision in REVISIONS:
        before.append(objects(empty_database))
        migrate.upgrade(empty_database, revision)
        assert objects(empty_database) != before[-1], f"revision {revision} does nothing"
    for revision in reversed(["base", *REVISIONS[:-1]]):
        migrate.downgrade(empty_database, revision)
        assert objects(empty_database) == before.pop(), f"down to {revision}"
    assert migrate.current(empty_database) is None
    migrate.upgrade(empty_database)
    migrate.verify(empty_database)


def test_upgrading_again_changes_nothing(migrated_database: str) -> None:
    before = objects(migrated_database)
    assert migrate.upgrade(migrated_database) == migrate.head()
    assert objects(migrated_database) == before


def test_two_processes_that_upgrade_at_once_migrate_once(empty_database: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(migrate.upgrade, [empty_database] * 2)) == [migrate.head()] * 2
    migrate.verify(empty_database)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE scrape_runs DROP COLUMN counts", "counts"),
        ("ALTER TABLE competitor_events ALTER COLUMN kickoff TYPE timestamp", "kickoff"),
        ("ALTER TABLE scrape_runs ALTER COLUMN status DROP DEFAULT", "status"),
        ("DROP INDEX ix_event_bookmakers_event_id", "ix_event_bookmakers_event_id"),
        ("ALTER TABLE tournaments DROP CONSTRAINT uq_tournaments_sport_id_name_country", "country"),
        ("ALTER TABLE scrape_errors DROP CONSTRAINT fk_scrape_errors_event_id_events", "events"),
        ("CREATE TABLE left_over (id int)", "left_over"),
        ("DROP VIEW market_odds_history", "market_odds_history"),
        ("DROP FUNCTION odds_outcomes CASCADE", "odds_outcomes"),
        ("UPDATE alembic_version SET version_num = '0001'", "0001"),
    ],
)
def test_a_migration_recorded_but_not_applied_is_found(
    shared_migrated_database: str, statement: str, named: str
) -> None:
    """B-51: the version table said yes, the columns were missing."""
    with create_engine(shared_migrated_database, poolclass=NullPool).connect() as connection:
        assert migrate.differences(connection) == []
        connection.execute(text(statement))
        assert named in "; ".join(migrate.differences(connection))
        connection.rollback()


def test_a_database_that_differs_is_no_proof(empty_database: str) -> None:
    with pytest.raises(SchemaDrift, match="scrape_runs"):
        migrate.verify(empty_database)


def test_partitions_are_no_difference(migrated_database: str) -> None:
    with psycopg.connect(migrated_database) as connection:
        connection.execute(
            "CREATE TABLE odds_history_20280229 PARTITION OF odds_history "
            "FOR VALUES FROM ('2028-02-29 00:00+00') TO ('2028-03-01 00:00+00')"
        )
    migrate.verify(migrated_database)


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE VIEW market_odds_history AS SELECT 1")
    before = objects(empty_database)
    with pytest.raises(MigrationFailed, match="market_odds_history"):
        migrate.upgrade(empty_database)
    assert objects(empty_database) == before
    assert migrate.current(empty_database) is None


def test_a_database_newer_than_the_code_is_refused(migrated_database: str) -> None:
    with psycopg.connect(migrated_database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(MigrationFailed, match="9999"):
        migrate.upgrade(migrated_database)


def test_a_database_that_cannot_be_reached_is_a_failed_migration() -> None:
    with pytest.raises(MigrationFailed, match="head"):
        migrate.upgrade("postgresql://127.0.0.1:1/odds?connect_timeout=2")


def test_the_printed_sql_makes_the_same_database(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(migrate.upgrade_sql().encode())
    migrate.verify(empty_database)
