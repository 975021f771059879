"""Rows that say themselves of which event they are and when: what repeats goes, and the last state before stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import DatabaseProfile, Repeats
from odds_pipeline.storage.opportunities.advice import Advice
from odds_pipeline.storage.opportunities.eliminate import repeating_rows
from odds_pipeline.storage.opportunities.normalize import words_as_numbers
from odds_pipeline.storage.opportunities.retain import old_rows
from odds_pipeline.storage.profile import profile_database

NOW = datetime(2026, 2, 13, 12, tzinfo=UTC)
TABLE = """
CREATE TABLE market_odds_history (
    id bigserial, event_id int NOT NULL, bookmaker_slug text NOT NULL, betpawa_market_id text NOT NULL, line float,
    outcomes jsonb NOT NULL, captured_at timestamptz NOT NULL, PRIMARY KEY (id, captured_at)
) PARTITION BY RANGE (captured_at);
CREATE TABLE market_odds_history_2026 PARTITION OF market_odds_history FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON market_odds_history (event_id, betpawa_market_id, captured_at DESC);
"""
INSERT = """
    INSERT INTO market_odds_history (event_id, bookmaker_slug, betpawa_market_id, line, outcomes, captured_at)
    VALUES (%s, 'betpawa', '1x2', %s, to_jsonb(%s::int), %s)
"""
SELECT = """
    SELECT event_id, line, outcomes::int, captured_at FROM market_odds_history
    ORDER BY event_id, line NULLS FIRST, captured_at
"""


@pytest.fixture
def history(empty_database: str) -> Iterator[Database]:
    """Two events: one seen until now, and one that was seen three weeks ago for the last time."""
    states = (
        (1, None, 10, 30), (1, None, 10, 29), (1, None, 12, 28), (1, None, 10, 20), (1, None, 10, 16),
        (1, None, 10, 2), (1, None, 11, 1), (1, 0, 10, 29), (1, 0, 10, 3), (1, 2.5, 20, 25),
        (2, None, 30, 25), (2, None, 31, 22), (2, None, 31, 21),
    )  # fmt: skip
    with Database(empty_database) as database:
        with database.connect(autocommit=True) as connection:
            connection.execute(TABLE)
            for event, line, price, days in states:
                connection.execute(INSERT, [event, line, price, NOW - timedelta(days=days)])
            connection.execute("ANALYZE")
        yield database


def test_of_states_that_repeat_the_first_is_kept(history: Database):
    _carry_out(history, _repeating(history))
    assert _states(history) == [
        (1, None, 10, 30), (1, None, 12, 28), (1, None, 10, 20), (1, None, 11, 1),
        (1, 0, 10, 29), (1, 2.5, 20, 25), (2, None, 30, 25), (2, None, 31, 22),
    ]  # fmt: skip


def test_of_changes_the_last_state_before_is_kept_for_events_that_are_still_seen(history: Database):
    _carry_out(history, _repeating(history))
    _carry_out(history, _fourteen_days(history, repeating=False))
    assert _states(history) == [(1, None, 10, 20), (1, None, 11, 1), (1, 0, 10, 29), (1, 2.5, 20, 25)]


def test_of_whole_states_all_that_are_too_old_go(history: Database):
    _carry_out(history, _fourteen_days(history, repeating=True))
    assert _states(history) == [(1, None, 10, 2), (1, None, 11, 1), (1, 0, 10, 3)]


def _profile(history: Database, *, repeating: bool) -> DatabaseProfile:
    profile = profile_database(history, name="odds", now=NOW)
    return replace(profile, repeats=(Repeats("market_odds_history", 10, 5 if repeating else 0, 0, 0),))


def _repeating(history: Database) -> Advice:
    (advice,) = repeating_rows(_profile(history, repeating=True))
    return advice


def _fourteen_days(history: Database, *, repeating: bool) -> Advice:
    found = old_rows(_profile(history, repeating=repeating), NOW)
    return next(each for each in found if each.opportunity.id == "retain:14 days")


def _carry_out(history: Database, advice: Advice) -> None:
    with history.connect(autocommit=True) as connection:
        for statement in advice.opportunity.statements:
            connection.execute(statement.encode())


def _states(history: Database) -> list[tuple[int, float | None, int, int]]:
    """Event, line, price and days ago."""
    with history.connect() as connection:
        rows = connection.execute(SELECT).fetchall()
    return [(event, line, price, (NOW - at).days) for event, line, price, at in rows]


def test_tables_that_inherit_keep_their_rows(empty_database: str):
    with Database(empty_database) as database:
        with database.connect(autocommit=True) as connection:
            connection.execute(
                """
                CREATE TABLE states (id int UNIQUE, event_id int, market_id int, captured_at timestamptz, odds json);
                CREATE TABLE special (bonus text) INHERITS (states);
                CREATE INDEX ON states (event_id);
                INSERT INTO states SELECT n, 1, 1, timestamptz '2026-02-13' + n * interval '1 s', '{}'
                    FROM generate_series(1, 50) n;
                INSERT INTO special SELECT n, 1, 1, timestamptz '2026-02-13' + n * interval '1 s', '{}', 'bonus'
                    FROM generate_series(51, 60) n;
                """
            )
        (advice,) = (each for each in repeating_rows(profile_database(database, name="x", now=NOW))
                     if each.opportunity.tables == ("states",))  # fmt: skip
        with database.connect(autocommit=True) as connection:
            for statement in advice.opportunity.statements:
                connection.execute(statement.encode())
            counts = connection.execute("SELECT (SELECT count(*) FROM ONLY states), (SELECT count(bonus) FROM special)")
            assert counts.fetchone() == (1, 10)


def test_times_that_are_numbers_are_compared_with_a_number(empty_database: str):
    with Database(empty_database) as database:
        with database.connect(autocommit=True) as connection:
            connection.execute(
                """
                CREATE TABLE seen (captured_at double precision, event_id int);
                INSERT INTO seen (captured_at) SELECT extract(epoch FROM timestamptz '2026-02-13 11:00Z') - n * 86400
                    FROM generate_series(0, 39) n
                """
            )
        profile = profile_database(database, name="x", now=NOW)
        (advice,) = (each for each in old_rows(profile, NOW) if each.opportunity.id == "retain:7 days")
        with database.connect(autocommit=True) as connection:
            for statement in advice.opportunity.statements:
                connection.execute(statement.encode())
            assert connection.execute("SELECT count(*) FROM seen").fetchone() == (7,)


def test_a_column_with_a_default_becomes_numbers(empty_database: str):
    with Database(empty_database) as database:
        with database.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE bets (id int, status text NOT NULL DEFAULT 'waiting for an answer')")
            connection.execute("INSERT INTO bets SELECT generate_series(1, 3000)")
            connection.execute("ANALYZE bets")
        (advice,) = words_as_numbers(profile_database(database, name="x", now=NOW))
        with database.connect(autocommit=True) as connection:
            for statement in advice.opportunity.statements:
                connection.execute(statement.encode())
            words = connection.execute(
                "SELECT DISTINCT word.word FROM bets JOIN bets_statuss AS word ON word.id = status"
            )
            assert words.fetchall() == [("waiting for an answer",)]
