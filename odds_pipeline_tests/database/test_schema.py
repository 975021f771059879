"""The migrated database, read from its catalogue: keys, indexes, types, guards, and the rows that are there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import errors

from odds_pipeline_tests.database.rows import (
    NOON,
    insert,
    insert_current,
    insert_event,
    insert_listing,
    insert_market,
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


def test_there_is_only_one_row_of_settings(connection: psycopg.Connection) -> None:
    with pytest.raises(errors.UniqueViolation), connection.transaction():
        connection.execute("INSERT INTO pipeline_settings DEFAULT VALUES")
    with pytest.raises(errors.CheckViolation):
        connection.execute("INSERT INTO pipeline_settings (id) VALUES (false)")


def test_tournaments_of_one_name_in_two_countries_are_two(connection: psycopg.Connection) -> None:
    """B-30."""
    (sport,) = rows(connection, "SELECT id FROM sports")[0]
    for country in ("England", "Nigeria"):
        insert(connection, "tournaments", sport_id=sport, name="Premier League", country=country)
    with pytest.raises(errors.UniqueViolation):
        insert(connection, "tournaments", sport_id=sport, name="Premier League", country="England")


def test_no_line_and_line_zero_are_different_and_each_is_unique(connection: psycopg.Connection) -> None:
    """B-26: the unique index used COALESCE(line, 0)."""
    listing = insert_listing(connection, insert_event(connection), "betpawa", "1")
    without_line = insert_market(connection, listing)
    copy = """
        INSERT INTO markets (event_bookmaker_id, market_type_id, label_id, source_id, outcome_set_id,
                             label_fingerprint, line)
        SELECT event_bookmaker_id, market_type_id, label_id, source_id, outcome_set_id, label_fingerprint, %s
        FROM markets WHERE id = %s
    """
    connection.execute(copy, [Decimal(0), without_line])
    for line in (None, Decimal("0.000")):
        with pytest.raises(errors.UniqueViolation), connection.transaction():
            connection.execute(copy, [line, without_line])


def test_markets_and_current_odds_can_be_upserted(connection: psycopg.Connection) -> None:
    """B-49: ON CONFLICT infers exactly the unique index, for a null line too."""
    listing = insert_listing(connection, insert_event(connection), "betpawa", "1")
    market = insert_market(connection, listing)
    again = rows(
        connection,
        """
        INSERT INTO markets (event_bookmaker_id, market_type_id, label_id, source_id, outcome_set_id,
                             label_fingerprint, line)
        SELECT event_bookmaker_id, market_type_id, label_id, source_id, outcome_set_id, 7, line FROM markets
        ON CONFLICT (event_bookmaker_id, market_type_id, line)
        DO UPDATE SET label_fingerprint = excluded.label_fingerprint RETURNING id, label_fingerprint
        """,
    )
    assert again == [(market, 7)]
    insert_current(connection, market)
    connection.execute(
        "INSERT INTO current_odds SELECT 9, captured_at, last_seen_at, unavailable_at, market_id, run_id, state "
        "FROM current_odds ON CONFLICT (market_id) DO UPDATE SET fingerprint = excluded.fingerprint"
    )
    assert rows(connection, "SELECT market_id, fingerprint FROM current_odds") == [(market, 9)]


def test_a_source_without_specifier_is_stored_once(connection: psycopg.Connection) -> None:
    insert(connection, "market_sources", source_market_id="1")
    with pytest.raises(errors.UniqueViolation):
        insert(connection, "market_sources", source_market_id="1")


def test_a_listing_is_unique_by_bookmaker(connection: psycopg.Connection) -> None:
    """R5; the same external id at another bookmaker is another listing."""
    event = insert_event(connection)
    insert_listing(connection, event, "betpawa", "1")
    insert_listing(connection, event, "bet9ja", "1")
    with pytest.raises(errors.UniqueViolation):
        insert_listing(connection, event, "betpawa", "1", is_primary=False)


def test_an_event_has_one_primary_listing_per_bookmaker_when_the_transaction_ends(
    connection: psycopg.Connection,
) -> None:
    event = insert_event(connection)
    first = insert_listing(connection, event, "betpawa", "1")
    second = insert_listing(connection, event, "betpawa", "2")
    connection.execute("UPDATE event_bookmakers SET is_primary = (id = %s)", [second])
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    connection.execute("SET CONSTRAINTS ALL DEFERRED")
    connection.execute("UPDATE event_bookmakers SET is_primary = true WHERE id = %s", [first])
    with pytest.raises(errors.ExclusionViolation):
        connection.commit()


def test_events_are_unique_by_sportradar_id_but_many_have_none(connection: psycopg.Connection) -> None:
    insert_event(connection)
    insert_event(connection)
    insert_event(connection, "68995116")
    with pytest.raises(errors.UniqueViolation):
        insert_event(connection, "68995116")


def test_history_accepts_a_change_once(connection: psycopg.Connection) -> None:
    """B-48: a repeated append is impossible by key."""
    connection.execute(
        "CREATE TABLE odds_history_20261120 PARTITION OF odds_history "
        "FOR VALUES FROM ('2026-11-20 00:00+00') TO ('2026-11-21 00:00+00')"
    )
    row = {"captured_at": NOON, "market_id": 1, "run_id": 1, "state": b"\x00"}
    insert(connection, "odds_history", returning="market_id", **row)
    with pytest.raises(errors.UniqueViolation):
        insert(connection, "odds_history", returning="market_id", **row)


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
        "pk_odds_history": "btree (market_id, captured_at)",
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
    assert order["odds_history"] == ["captured_at", "market_id", "run_id", "state"]
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


def test_a_run_starts_pending_and_takes_no_unknown_status_or_trigger(connection: psycopg.Connection) -> None:
    """R8."""
    run = insert(connection, "scrape_runs", trigger="manual")
    assert rows(connection, "SELECT status, events_scraped, events_failed FROM scrape_runs") == [("pending", 0, 0)]
    for column, value in (("status", "finished"), ("trigger", "cron")):
        with pytest.raises(errors.CheckViolation), connection.transaction():
            connection.execute(f"UPDATE scrape_runs SET {column} = %s WHERE id = %s".encode(), [value, run])


def test_errors_and_coverage_go_with_their_run_and_survive_their_event(connection: psycopg.Connection) -> None:
    event = insert_event(connection)
    run = insert(connection, "scrape_runs", trigger="manual")
    (bookmaker,) = rows(connection, "SELECT min(id) FROM bookmakers")[0]
    insert(connection, "scrape_coverage", returning="run_id", run_id=run, bookmaker_id=bookmaker)
    insert(
        connection,
        "scrape_errors",
        scrape_run_id=run,
        event_id=event,
        error_type="timeout",
        message="no answer within 30 s",
        occurred_at=NOON,
    )
    connection.execute("DELETE FROM events")
    assert rows(connection, "SELECT event_id, occurrences FROM scrape_errors") == [(None, 1)]
    connection.execute("DELETE FROM scrape_runs")
    assert rows(connection, "SELECT FROM scrape_errors UNION ALL SELECT FROM scrape_coverage") == []


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


def test_a_market_of_a_snapshot_that_does_not_exist_is_refused(connection: psycopg.Connection) -> None:
    """R6: no foreign key can refer to a partitioned table's id alone; a trigger guards it."""
    event = insert_event(connection)
    (bookmaker,) = rows(connection, "SELECT min(id) FROM bookmakers")[0]
    snapshot = insert(
        connection,
        "odds_snapshots",
        event_id=event,
        bookmaker_id=bookmaker,
        captured_at=datetime(2026, 2, 1, tzinfo=UTC),
    )
    market = {"betpawa_market_id": "3743", "betpawa_market_name": "1X2", "outcomes": "[]"}
    insert(connection, "market_odds", snapshot_id=snapshot, **market)
    with pytest.raises(errors.ForeignKeyViolation, match=str(snapshot + 1)), connection.transaction():
        insert(connection, "market_odds", snapshot_id=snapshot + 1, **market)
    with pytest.raises(errors.ForeignKeyViolation):
        connection.execute("UPDATE market_odds SET snapshot_id = snapshot_id + 1")
