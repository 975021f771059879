"""The views that people select from: their columns and what they say; their plans are in ``test_view_plans.py``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from odds_pipeline.database.models import MarketOddsCurrent, MarketOddsHistory
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline_tests.database.by_hand import insert_changes
from odds_pipeline_tests.database.rows import (
    NOON,
    insert,
    insert_current,
    insert_event,
    insert_listing,
    insert_market,
)

CURRENT = [
    "event_id",
    "bookmaker_slug",
    "betpawa_market_id",
    "betpawa_market_name",
    "line",
    "handicap_type",
    "handicap_home",
    "handicap_away",
    "outcomes",
    "market_groups",
    "unavailable_at",
    "last_updated_at",
    "last_confirmed_at",
    "is_stale",
]
HISTORY = ["event_id", "bookmaker_slug", "betpawa_market_id", "line", "outcomes", "unavailable_at", "captured_at"]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def connection(shared_migrated_database: str) -> Iterator[psycopg.Connection]:
    """A transaction that is undone after the test."""
    with psycopg.connect(shared_migrated_database) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def market(connection: psycopg.Connection) -> int:
    """A betPawa market of an event, without line, in no state yet."""
    return insert_market(connection, insert_listing(connection, insert_event(connection), "betpawa", "1"))


def current(connection: psycopg.Connection) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM market_odds_current ORDER BY market_id").fetchall()


def set_listing_state(connection: psycopg.Connection, **values: Any) -> None:
    (listing,) = connection.execute("SELECT min(id) FROM event_bookmakers").fetchone() or (None,)
    insert(connection, "listing_state", returning="event_bookmaker_id", event_bookmaker_id=listing, **values)


def test_the_required_columns_come_first(connection: psycopg.Connection) -> None:
    """R1, R2."""
    for view, required in (("market_odds_current", CURRENT), ("market_odds_history", HISTORY)):
        cursor = connection.execute(f"SELECT * FROM {view}".encode())
        assert [column.name for column in cursor.description or ()][: len(required)] == required


def test_current_shows_a_market_in_words(connection: psycopg.Connection, market: int) -> None:
    insert_current(connection, market, state=bytes.fromhex("00 00b9 0140 80fa"))
    (row,) = current(connection)
    assert row["outcomes"] == [
        {"key": "1", "name": "Name 1", "odds": 1.85, "is_active": True},
        {"key": "X", "name": "Name X", "odds": 3.2, "is_active": True},
    ]
    assert (row["bookmaker_slug"], row["betpawa_market_id"], row["betpawa_market_name"], row["line"]) == (
        "betpawa",
        "3743",
        "Market 3743",
        None,
    )
    assert (row["market_groups"], row["last_updated_at"], row["unavailable_at"]) == (["popular"], NOON, None)
    assert (row["external_event_id"], row["source_market_id"], row["source_specifier"]) == ("1", "source 3743", None)


def test_an_available_market_is_confirmed_with_its_listing(connection: psycopg.Connection, market: int) -> None:
    """B-06: an unchanged market's confirmation moves on without a write to the market."""
    insert_current(connection, market)
    assert current(connection)[0]["last_confirmed_at"] == NOON, "never confirmed: its own arrival"
    set_listing_state(connection, last_confirmed_at=NOON + 5 * MINUTE)
    assert current(connection)[0]["last_confirmed_at"] == NOON + 5 * MINUTE
    connection.execute("UPDATE listing_state SET last_confirmed_at = %s", [NOON - MINUTE])
    assert current(connection)[0]["last_confirmed_at"] == NOON, "changed in an answer that was not complete"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"last_seen_at": NOON + MINUTE}, NOON + MINUTE),
        ({"last_seen_at": NOON - MINUTE, "unavailable_at": NOON}, NOON - MINUTE),
        ({"unavailable_at": NOON}, NOON),
    ],
    ids=["refused since", "unavailable", "unavailable, never seen"],
)
def test_a_refused_or_unavailable_market_keeps_its_own_sighting(
    connection: psycopg.Connection, market: int, values: dict[str, datetime], expected: datetime
) -> None:
    insert_current(connection, market, **values)
    set_listing_state(connection, last_confirmed_at=NOON + 60 * MINUTE)
    (row,) = current(connection)
    assert row["last_confirmed_at"] == expected
    assert row["unavailable_at"] == values.get("unavailable_at")


@pytest.mark.parametrize(
    ("failed", "minutes_ago", "expected"),
    [(0, 1, False), (2, 1, False), (3, 1, True), (0, 14, False), (0, 16, True)],
)
def test_odds_are_stale_after_failed_answers_or_without_newer_ones(
    connection: psycopg.Connection, market: int, failed: int, minutes_ago: int, expected: bool
) -> None:
    """R12: by default after 3 failures, or 15 minutes."""
    insert_current(connection, market)
    now = datetime.now(UTC)
    set_listing_state(connection, failed_answers=failed, last_answer_at=now - minutes_ago * MINUTE)
    assert current(connection)[0]["is_stale"] is expected


def test_staleness_is_told_by_the_pipelines_clock_and_settings(connection: psycopg.Connection, market: int) -> None:
    insert_current(connection, market)
    shifted = datetime.now(UTC) + timedelta(days=3)
    set_listing_state(connection, last_answer_at=shifted - 10 * MINUTE, failed_answers=4)
    connection.execute("UPDATE pipeline_settings SET clock_offset = '3 days', stale_failures = 5")
    assert current(connection)[0]["is_stale"] is False
    connection.execute("UPDATE pipeline_settings SET stale_after = '9 minutes'")
    assert current(connection)[0]["is_stale"] is True


def test_the_second_listing_of_a_match_is_left_out(connection: psycopg.Connection) -> None:
    event = insert_event(connection)
    ensure_partitions(connection, NOON.date(), NOON.date())
    for place, is_primary in enumerate((True, False)):
        listing = insert_listing(connection, event, "betpawa", str(place), is_primary=is_primary)
        market = insert_market(connection, listing, f"market {place}")
        insert_current(connection, market)
        insert_changes(connection, [(NOON, market, 1, b"\x00")])
    for view in ("market_odds_current", "market_odds_history"):
        seen = connection.execute(f"SELECT external_event_id FROM {view}".encode()).fetchall()
        assert seen == [("0",)], view


def test_history_shows_when_a_market_went_and_came_back(connection: psycopg.Connection, market: int) -> None:
    """B-08, B-11: availability is in the history."""
    ensure_partitions(connection, NOON.date(), NOON.date())
    states = [bytes.fromhex(state) for state in ("0000fa", "0200fa", "0000fb")]
    insert_changes(connection, [(NOON + n * MINUTE, market, n, state) for n, state in enumerate(states)])
    seen = connection.execute(
        "SELECT run_id, unavailable_at, outcomes -> 0 ->> 'odds' FROM market_odds_history ORDER BY captured_at"
    ).fetchall()
    assert seen == [(0, None, "2.5"), (1, NOON + MINUTE, "2.5"), (2, None, "2.51")]


def test_both_are_mapped_classes(migrated_database: str) -> None:
    """R3: no line is part of the identity like any other value."""
    with psycopg.connect(migrated_database) as connection:
        market = insert_market(connection, insert_listing(connection, insert_event(connection), "betpawa", "1"))
        insert_current(connection, market)
        ensure_partitions(connection, NOON.date(), NOON.date())
        insert_changes(connection, [(NOON, market, 1, b"\x00")])
    with Session(create_engine(migrated_database, poolclass=NullPool)) as session:
        odds = session.scalars(select(MarketOddsCurrent).where(MarketOddsCurrent.line.is_(None))).one()
        change = session.scalars(select(MarketOddsHistory)).one()
        assert (odds.market_id, odds.last_updated_at, odds.outcomes[0]["odds"]) == (market, NOON, 2.5)
        assert (change.market_id, change.captured_at, change.outcomes) == (market, NOON, [])
        key = (odds.event_id, "betpawa", "3743", None)
        assert session.get(MarketOddsCurrent, key) is odds


def test_lines_are_exact_decimals(connection: psycopg.Connection) -> None:
    listing = insert_listing(connection, insert_event(connection), "betpawa", "1")
    insert_current(connection, insert_market(connection, listing, line=Decimal("-0.25")))
    assert current(connection)[0]["line"] == Decimal("-0.25")
