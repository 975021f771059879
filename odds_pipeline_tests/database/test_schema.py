"""The migrated database, read from its catalogue: keys, indexes, types, storage, and the rows that are there.

What constraints and triggers do is in ``test_guards.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from odds_pipeline_tests.database.rows import (
    insert_event,
)

REFERENCED = {
    "sports",
    "bookmakers",
    "tournaments",
    "events",
    "event_bookmakers",
    "market_types",
    "market_labels",
    "market_sources",
    "outcome_sets",
    "markets",
    "scrape_runs",
    "competitor_tournaments",
    "competitor_events",
    "competitor_odds_snapshots",
}


@pytest.fixture
def connection(shared_migrated_database: str) -> Iterator[psycopg.Connection]:
    """A transaction that is undone after the test."""
    with psycopg.connect(shared_migrated_database) as connection:
        yield connection
        connection.rollback()


def rows(connection: psycopg.Connection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), parameters).fetchall()


def indexes(connection: psycopg.Connection, table: str) -> dict[str, str]:
    found = rows(connection, "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", table)
    return {name: definition.split(" USING ")[1] for name, definition in found}


def test_every_foreign_key_is_led_by_an_index(connection: psycopg.Connection) -> None:
    """R7."""
    unindexed = rows(
        connection,
        """
        SELECT key.conrelid::regclass::text, key.conname FROM pg_constraint AS key
        WHERE key.contype = 'f' AND key.conparentid = 0 AND NOT EXISTS (
            SELECT FROM pg_index AS index
            WHERE index.indrelid = key.conrelid AND index.indpred IS NULL
              AND (index.indkey::int2[])[0:cardinality(key.conkey) - 1] @> key.conkey
        )
        """,
    )
    assert unindexed == []
    referenced = rows(connection, "SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'")
    assert {name for (name,) in referenced} == REFERENCED


def test_every_constraint_and_index_is_named_by_the_convention(connection: psycopg.Connection) -> None:
    names = rows(
        connection,
        """
        SELECT conrelid::regclass::text, conname FROM pg_constraint
        WHERE conrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND NOT relispartition)
          AND contype <> 'n'
        UNION ALL
        SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname ~ '^ix'
          AND tablename NOT IN (SELECT relname FROM pg_class WHERE relispartition)
        """,
    )
    odd = [
        (table, name)
        for table, name in names
        if table != "alembic_version"
        and not any(name.startswith(f"{kind}_{table}") for kind in ("pk", "uq", "fk", "ck", "ix", "ex"))
    ]
    assert odd == []
    assert len(names) > 60


def test_every_time_carries_its_zone(connection: psycopg.Connection) -> None:
    """B-36."""
    columns = rows(
        connection,
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type LIKE 'timestamp%%'",
    )
    assert [column for column in columns if column[2] != "timestamp with time zone"] == []
    assert len(columns) > 30


def test_prices_and_lines_are_exact(connection: psycopg.Connection) -> None:
    """I9: no floating point but for what is a ratio or a duration."""
    floats = rows(
        connection,
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type IN ('real', 'double precision')",
    )
    assert sorted(floats) == [("cleanup_runs", "duration_seconds"), ("storage_alerts", "growth_percent")]


def test_generated_keys_are_declared_as_generated(connection: psycopg.Connection) -> None:
    """B-56: of the partitioned table too, whose key is composite."""
    undeclared = rows(
        connection,
        """
        SELECT table_name
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = 'public' AND column_name = 'id' AND table_type = 'BASE TABLE' AND is_identity = 'NO'
          AND table_name !~ '_\\d{6,8}$' AND table_name <> 'pipeline_settings'
        """,
    )
    assert undeclared == []
    event = insert_event(connection)
    statement = """
        INSERT INTO odds_snapshots (event_id, bookmaker_id, captured_at)
        SELECT %s, min(id), '2026-02-28 23:59:59+00' FROM bookmakers RETURNING id, tableoid::regclass::text
    """
    first, second = rows(connection, statement, event), rows(connection, statement, event)
    assert second[0][0] == first[0][0] + 1
    assert first[0][1] == "odds_snapshots_202602"


def test_a_fresh_database_has_its_reference_rows(connection: psycopg.Connection) -> None:
    """B-33, B-57: nothing has to be created by hand before the first cycle."""
    assert rows(connection, "SELECT slug FROM sports") == [("football",)]
    assert rows(connection, "SELECT slug, is_active FROM bookmakers ORDER BY id") == [
        ("betpawa", True),
        ("sportybet", True),
        ("bet9ja", True),
    ]
    assert len(rows(connection, "SELECT FROM pipeline_settings")) == 1
    assert rows(connection, "SELECT FROM market_odds_current") == []
    assert rows(connection, "SELECT FROM market_odds_history") == []


def test_history_is_partitioned_by_time_without_default_or_foreign_keys(connection: psycopg.Connection) -> None:
    """R4."""
    assert rows(
        connection,
        "SELECT partstrat, partdefid, pg_get_partkeydef(partrelid) FROM pg_partitioned_table "
        "WHERE partrelid = 'odds_history'::regclass",
    ) == [("r", 0, "RANGE (captured_at)")]
    assert (
        rows(
            connection,
            "SELECT conname FROM pg_constraint "
            "WHERE contype = 'f' AND 'odds_history'::regclass IN (conrelid, confrelid)",
        )
        == []
    )
    assert indexes(connection, "odds_history") == {
        "pk_odds_history": "btree (event_bookmaker_id, captured_at)",
        "ix_odds_history_captured_at": "brin (captured_at) WITH (autosummarize='on')",
    }


def test_columns_of_the_odds_tables_lie_in_the_order_that_packs_them(connection: psycopg.Connection) -> None:
    order = dict(
        rows(
            connection,
            "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) "
            "FROM information_schema.columns WHERE table_name IN ('current_odds', 'odds_history') GROUP BY 1",
        )
    )
    assert order["odds_history"] == ["captured_at", "event_bookmaker_id", "run_id", "changes"]
    assert order["current_odds"] == [
        "fingerprint",
        "captured_at",
        "last_seen_at",
        "unavailable_at",
        "market_id",
        "run_id",
        "state",
    ]


def test_rows_that_every_cycle_touches_are_updated_in_place(connection: psycopg.Connection) -> None:
    """I10: free space in each page, and no index but the key's, so that an update is HOT."""
    options = dict(
        rows(
            connection,
            "SELECT relname, reloptions FROM pg_class WHERE relname IN ('current_odds', 'listing_state')",
        )
    )
    assert options == {"current_odds": ["fillfactor=90"], "listing_state": ["fillfactor=50"]}
    assert list(indexes(connection, "current_odds")) == ["pk_current_odds"]
    assert list(indexes(connection, "listing_state")) == ["pk_listing_state"]


def test_runs_are_indexed_by_status_start_and_dagster_run(connection: psycopg.Connection) -> None:
    """R7, R8."""
    assert set(indexes(connection, "scrape_runs")) >= {
        "ix_scrape_runs_status",
        "ix_scrape_runs_started_at",
        "ix_scrape_runs_dagster_run_id",
    }
    assert set(indexes(connection, "scrape_errors")) >= {
        "ix_scrape_errors_scrape_run_id",
        "ix_scrape_errors_bookmaker_id",
    }


def test_first_generation_snapshots_are_really_partitioned_and_indexed(connection: psycopg.Connection) -> None:
    """R6."""
    partitions = rows(
        connection, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'odds_snapshots'::regclass"
    )
    assert {name for (name,) in partitions} >= {f"odds_snapshots_2026{month:02}" for month in range(1, 13)}
    assert set(indexes(connection, "odds_snapshots").values()) == {
        "btree (id, captured_at)",
        "btree (event_id)",
        "btree (bookmaker_id)",
        "btree (scrape_run_id)",
        "btree (event_id, captured_at DESC)",
        "brin (captured_at)",
    }
    assert {"btree (snapshot_id)", "btree (betpawa_market_id)"} <= set(indexes(connection, "market_odds").values())
