"""Events on offer on a day, by their creation and their kick-off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import LiteralString

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import Table
from odds_pipeline.storage.offered import events_a_day
from odds_pipeline.storage.session import measuring

NOW = datetime(2026, 2, 13, 12, tzinfo=UTC)
TODAY = datetime(2026, 2, 13)  # noqa: DTZ001 - as the earlier system stores it
DAY = timedelta(days=1)
EVENTS = Table("public", "events", "table", 1, "counted", 8192, 0, 0)


def offered(url: str) -> float | None:
    with Database(url) as database, measuring(database) as connection:
        return events_a_day(connection, (EVENTS,), now=NOW)


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
def test_events_count_from_the_day_they_are_known_to_that_of_their_kick_off(empty_database: str, kind: LiteralString):
    with Database(empty_database).connect() as connection:
        connection.execute(f"CREATE TABLE events (created_at {kind}, kickoff {kind})")
        for created, kickoff in (
            (TODAY - 30 * DAY, TODAY + DAY),  # on all seven days
            (TODAY - 3 * DAY + DAY / 2, TODAY - DAY / 2),  # on three: both at noon
            (TODAY - 9 * DAY, TODAY - 7 * DAY),  # on one, as the day begins
            (TODAY - 9 * DAY, TODAY - 8 * DAY),  # on none
            (TODAY, TODAY + 3 * DAY),  # today is not over
        ):
            connection.execute("INSERT INTO events VALUES (%s, %s)", [created, kickoff])
    assert offered(empty_database) == pytest.approx((7 + 3 + 1) / 7)


def test_days_before_the_first_event_are_left_out(empty_database: str):
    with Database(empty_database).connect() as connection:
        connection.execute("CREATE TABLE events (created_at timestamp, kickoff timestamp)")
        for _ in range(4):
            connection.execute("INSERT INTO events VALUES (%s, %s)", [TODAY - 2 * DAY, TODAY + DAY])
    assert offered(empty_database) == 4


def test_another_table_of_that_name_tells_nothing(empty_database: str):
    with Database(empty_database).connect() as connection:
        connection.execute("CREATE TABLE events (id int)")
    assert offered(empty_database) is None


def test_no_event_of_these_days_is_not_known(empty_database: str):
    with Database(empty_database).connect() as connection:
        connection.execute("CREATE TABLE events (created_at timestamp, kickoff timestamp)")
    assert offered(empty_database) is None
