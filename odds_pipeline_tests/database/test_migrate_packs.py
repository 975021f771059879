"""Migrating a filled database from one history row per change to one per answer, and back."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from odds_pipeline.database import migrate
from odds_pipeline.database.migrate import MigrationFailed
from odds_pipeline.database.partitions import ensure_partitions, list_partitions
from odds_pipeline_tests.database.rows import NOON, insert_event, insert_listing, insert_market

BEFORE = "0015"
ROWS = "SELECT captured_at, market_id, run_id, state FROM odds_history ORDER BY 1, 2"
CHANGES = "SELECT captured_at, market_id, run_id, state FROM odds_history_changes ORDER BY 1, 2"
VIEW = "SELECT * FROM market_odds_history ORDER BY captured_at, market_id"


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture
def filled(empty_database: str) -> str:
    """Three days of three markets at two listings, answer by answer, and a row of a market that is no longer there."""
    migrate.upgrade(empty_database, BEFORE)
    with psycopg.connect(empty_database) as connection:
        event = insert_event(connection)
        listing = insert_listing(connection, event, "betpawa", "1")
        markets = [insert_market(connection, listing, name) for name in ("3743", "3795")]
        markets.append(insert_market(connection, insert_listing(connection, event, "bet9ja", "1"), "5000"))
        ensure_partitions(connection, date(2026, 11, 20), date(2026, 11, 23))
        connection.execute(
            """
            INSERT INTO odds_history (captured_at, market_id, run_id, state)
            SELECT %(noon)s + number * interval '7 hours', market_id, number,
                   CASE WHEN number %% 3 = 0 THEN '\\x02'::bytea ELSE '\\x00'::bytea END
                       || int2send((100 + number)::smallint) || int2send((200 + market_id)::smallint)
            FROM generate_series(1, 9) AS number, unnest(%(markets)s::int[]) AS market_id
            WHERE (number + market_id) %% 4 > 0
            UNION ALL SELECT %(noon)s, 1000, 3, '\\x000064'
            """,
            {"noon": NOON, "markets": markets},
        )
    return empty_database


def test_every_change_of_a_filled_database_is_there_after_and_after_going_back(filled: str) -> None:
    stored, shown = rows(filled, ROWS), rows(filled, VIEW)
    assert len(shown) == len(stored) - 1 > 15
    with psycopg.connect(filled) as connection:
        days = list_partitions(connection)
    migrate.upgrade(filled)
    migrate.verify(filled)
    assert rows(filled, CHANGES) == stored
    assert rows(filled, VIEW) == shown
    (packs,) = rows(filled, "SELECT count(*), sum(odds_count(changes)) FROM odds_history")
    assert packs[0] < packs[1] == len(stored)
    with psycopg.connect(filled) as connection:
        assert list_partitions(connection) == days
        assert ensure_partitions(connection, date(2026, 11, 24), date(2026, 11, 24)) == ["odds_history_20261124"]
    migrate.downgrade(filled, BEFORE)
    assert rows(filled, ROWS) == stored
    assert rows(filled, VIEW) == shown
    migrate.upgrade(filled)
    assert rows(filled, CHANGES) == stored


def test_rows_of_one_answer_that_bear_several_runs_keep_them_up_and_down(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        connection.execute("UPDATE odds_history SET run_id = 700 + market_id WHERE market_id % 2 = 1")
    stored, shown = rows(filled, ROWS), rows(filled, VIEW)
    migrate.upgrade(filled)
    assert rows(filled, CHANGES) == stored
    assert rows(filled, VIEW) == shown
    mixed = rows(filled, "SELECT run_id FROM odds_history WHERE odds_is_mixed(changes)")
    assert mixed
    assert all(run_id > 700 for (run_id,) in mixed)
    migrate.downgrade(filled, BEFORE)
    assert rows(filled, ROWS) == stored
    assert rows(filled, VIEW) == shown


def test_who_was_granted_history_reads_it_afterwards_and_after_going_back(filled: str) -> None:
    tables = ("odds_history", "odds_history_20261121", "market_odds_history")
    role, others = f"analyst_{uuid4().hex}", f"others_{uuid4().hex}"

    def may_read(name: str, *tables: str) -> list[bool]:
        return [rows(filled, f"SELECT has_table_privilege('{name}', '{table}', 'SELECT')")[0][0] for table in tables]

    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role}".encode())
        connection.execute(f"CREATE ROLE {others}".encode())
        connection.execute(f"GRANT SELECT ON {', '.join(tables)} TO {role}".encode())
        try:
            migrate.upgrade(filled)
            assert may_read(role, *tables, "odds_history_changes") == [True] * 4
            assert may_read(others, *tables, "odds_history_changes") == [False] * 4
            migrate.downgrade(filled, BEFORE)
            assert may_read(role, *tables) == [True] * 3
        finally:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}, {others}".encode())


def test_a_partition_that_is_half_detached_is_named_and_nothing_is_changed(filled: str) -> None:
    stored = rows(filled, ROWS)
    with psycopg.connect(filled, autocommit=True) as connection, psycopg.connect(filled) as reader:
        reader.execute("SELECT count(*) FROM odds_history").fetchone()
        connection.execute("SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute("ALTER TABLE odds_history DETACH PARTITION odds_history_20261121 CONCURRENTLY")
    with pytest.raises(MigrationFailed, match="odds_history_20261121 was detached half way"):
        migrate.upgrade(filled)
    assert migrate.current(filled) == BEFORE
    assert rows(filled, ROWS) == [row for row in stored if row[0].date() != date(2026, 11, 21)]
