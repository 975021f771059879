"""What the database itself refuses, upserts and deletes along: uniqueness, checks, triggers, foreign keys."""

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


@pytest.fixture
def connection(shared_migrated_database: str) -> Iterator[psycopg.Connection]:
    """A transaction that is undone after the test."""
    with psycopg.connect(shared_migrated_database) as connection:
        yield connection
        connection.rollback()


def rows(connection: psycopg.Connection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), parameters).fetchall()


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


def test_history_accepts_the_changes_of_an_answer_once(connection: psycopg.Connection) -> None:
    """B-48: a repeated append is impossible by key."""
    connection.execute(
        "CREATE TABLE odds_history_20261120 PARTITION OF odds_history "
        "FOR VALUES FROM ('2026-11-20 00:00+00') TO ('2026-11-21 00:00+00')"
    )
    row = {"captured_at": NOON, "event_bookmaker_id": 1, "run_id": 1, "changes": b"\x00\x00"}
    insert(connection, "odds_history", returning="run_id", **row)
    with pytest.raises(errors.UniqueViolation):
        insert(connection, "odds_history", returning="run_id", **row)


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
