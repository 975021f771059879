"""Statements are run as they stand, on hostile names, and what they leave says what was said before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import DatabaseProfile
from odds_pipeline.storage.opportunities.advice import Advice
from odds_pipeline.storage.opportunities.eliminate import empty_room, raw_answers, repeating_rows
from odds_pipeline.storage.opportunities.indexes import useless_indexes
from odds_pipeline.storage.opportunities.normalize import outcomes_as_arrays, words_as_numbers
from odds_pipeline.storage.opportunities.retain import old_rows
from odds_pipeline_tests.storage.opportunities.whole_answers import (
    ANSWERS,
    LINK,
    NOW,
    SCHEMA,
    STATES,
    answered,
    known,
    make_whole_answers,
    measured,
)

TABLE = sql.Identifier(SCHEMA, STATES)


@dataclass(frozen=True)
class Stored:
    """A database of whole answers."""

    database: Database
    connection: psycopg.Connection[Any]

    def measured(self, *, repeating: bool = True) -> DatabaseProfile:
        return measured(self.database, repeating=repeating)

    def count(self) -> int:
        row = self.connection.execute(sql.SQL("SELECT count(*) FROM {}").format(TABLE)).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture(params=["aware", "naive"])
def stored(empty_database: str, request: pytest.FixtureRequest) -> Iterator[Stored]:
    """Whole answers with times of either kind."""
    yield from _stored(empty_database, naive=request.param == "naive")


@pytest.fixture
def aware(empty_database: str) -> Iterator[Stored]:
    """Whole answers with aware times."""
    yield from _stored(empty_database, naive=False)


def test_storing_changes_only_loses_nothing(stored: Stored):
    before, rows = answered(stored.connection), stored.count()
    _carry_out(stored, _only(repeating_rows(stored.measured())))
    assert known(stored.connection) == before
    assert stored.count() < 0.75 * rows


def test_a_row_of_no_answer_stays(aware: Stored):
    _carry_out(aware, _only(repeating_rows(aware.measured())))
    query = sql.SQL("SELECT betpawa_market_id FROM {} WHERE {} = 0").format(TABLE, sql.Identifier(LINK))
    assert aware.connection.execute(query).fetchall() == [("of no answer",)]


def test_rows_are_written_as_before_once_only_changes_are_stored(aware: Stored):
    _carry_out(aware, _only(repeating_rows(aware.measured())))
    aware.connection.execute(sql.SQL(
        "INSERT INTO {} ({}, betpawa_market_id, betpawa_market_name, outcomes) VALUES (1, 'a', 'b', '[]')"
    ).format(TABLE, sql.Identifier(LINK)))  # fmt: skip


def test_storing_changes_only_is_refused_a_second_time(aware: Stored):
    _carry_out(aware, _only(repeating_rows(aware.measured())))
    rows = aware.count()
    with pytest.raises(psycopg.errors.DuplicateObject, match="stores_only_changes"):
        _carry_out(aware, _only(repeating_rows(aware.measured())))
    aware.connection.execute("ROLLBACK")
    assert aware.count() == rows


def test_a_table_that_others_refer_to_is_left_as_it_is(aware: Stored):
    aware.connection.execute(sql.SQL("CREATE TABLE notes (market bigint REFERENCES {})").format(TABLE))
    rows = aware.count()
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        _carry_out(aware, _only(repeating_rows(aware.measured())))
    aware.connection.execute("ROLLBACK")
    assert aware.count() == rows


@pytest.mark.parametrize("days", [14, 7])
def test_of_whole_answers_those_that_are_too_old_go_whole(stored: Stored, days: int):
    before = answered(stored.connection)
    _carry_out(stored, _named(old_rows(stored.measured(), NOW), f"retain:{days} days"))
    kept = {answer: said for answer, said in before.items() if answer[1] >= NOW - timedelta(days=days)}
    assert answered(stored.connection) == kept
    assert stored.count() == sum(len(said) for said in kept.values()) + 1  # and the row of no answer


def test_of_changes_the_state_that_a_market_had_when_the_days_begin_stays(stored: Stored):
    before = answered(stored.connection)
    _carry_out(stored, _only(repeating_rows(stored.measured())))
    rows = stored.count()
    _carry_out(stored, _named(old_rows(stored.measured(repeating=False), NOW), "retain:14 days"))
    within = {answer: said for answer, said in before.items() if answer[1] >= NOW - timedelta(days=14)}
    after = known(stored.connection)
    assert {answer: after[answer] for answer in within} == within
    assert stored.count() < 0.75 * rows


def test_outcomes_become_integers_with_every_price_as_it_was(aware: Stored):
    query = sql.SQL("SELECT id, outcomes FROM {} ORDER BY id").format(TABLE)
    before = aware.connection.execute(query).fetchall()
    _carry_out(aware, _only(outcomes_as_arrays(aware.measured())))
    names = sql.Identifier(SCHEMA, f"{STATES}_outcome_names")
    after = aware.connection.execute(sql.SQL(
        "SELECT state.id, names, outcomes[2:] FROM {} AS state JOIN {} AS said ON said.id = outcomes[1] ORDER BY 1"
    ).format(TABLE, names)).fetchall()  # fmt: skip
    assert [(row, _unpacked(said, prices)) for row, said, prices in after] == before


@pytest.mark.parametrize(
    "outcomes",
    [
        '[{"name": "1", "odds": 1.2345, "is_active": true}]',
        '[{"name": "1", "odds": 1.2, "is_active": true, "key": "1"}]',
        '[{"name": "1", "odds": 1.2}]',
    ],
)
def test_outcomes_that_cannot_be_packed_without_a_loss_are_left_as_they_are(aware: Stored, outcomes: str):
    advice = _only(outcomes_as_arrays(aware.measured()))
    aware.connection.execute(
        sql.SQL(
            "INSERT INTO {} ({}, betpawa_market_id, betpawa_market_name, outcomes) VALUES (1, 'x', 'y', {})"
        ).format(TABLE, sql.Identifier(LINK), sql.Literal(outcomes))
    )
    query = sql.SQL("SELECT outcomes::text FROM {} ORDER BY id").format(TABLE)
    before = aware.connection.execute(query).fetchall()
    with pytest.raises(psycopg.errors.RaiseException, match="not only a name"):
        _carry_out(aware, advice)
    assert aware.connection.execute(query).fetchall() == before


def test_names_become_numbers_of_a_dictionary(aware: Stored):
    query = sql.SQL("SELECT id, betpawa_market_name FROM {} ORDER BY id").format(TABLE)
    before = aware.connection.execute(query).fetchall()
    _carry_out(aware, _named(words_as_numbers(aware.measured()), f"normalize:{STATES}.betpawa_market_name"))
    words = sql.Identifier(SCHEMA, f"{STATES}_betpawa_market_names")
    after = aware.connection.execute(sql.SQL(
        "SELECT state.id, word FROM {} AS state JOIN {} AS said ON said.id = betpawa_market_name ORDER BY state.id"
    ).format(TABLE, words)).fetchall()  # fmt: skip
    assert after == before


def test_raw_answers_go_from_every_partition(aware: Stored):
    _carry_out(aware, _named(raw_answers(aware.measured()), f"eliminate:{ANSWERS}.raw_response"))
    query = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'raw_response'"
    assert aware.connection.execute(query).fetchone() == (0,)


def test_an_index_that_another_begins_with_is_dropped(aware: Stored):
    aware.connection.execute(
        sql.SQL('CREATE INDEX "by; two" ON {} ({}, betpawa_market_id)').format(TABLE, sql.Identifier(LINK))
    )
    _carry_out(aware, _only(useless_indexes(aware.measured(), NOW)))
    found = aware.connection.execute("SELECT indexname FROM pg_indexes WHERE tablename = %s", [STATES]).fetchall()
    assert sorted(name for (name,) in found) == ["by; two", f"{STATES}_pkey"]


def test_empty_room_is_given_back(aware: Stored):
    for _ in range(40):
        aware.connection.execute(sql.SQL("UPDATE {} SET line = line").format(TABLE))
    aware.connection.execute("ANALYZE")
    advice = _named(empty_room(aware.measured()), f"eliminate:{STATES}.bloat")
    _carry_out(aware, advice)
    assert not [each for each in empty_room(aware.measured()) if each.opportunity.id == advice.opportunity.id]


def _stored(url: str, *, naive: bool) -> Iterator[Stored]:
    database = Database(url)
    with psycopg.connect(database.libpq, autocommit=True) as connection:
        make_whole_answers(connection, naive=naive)
        yield Stored(database, connection)
    database.dispose()


def _carry_out(stored: Stored, advice: Advice) -> None:
    assert advice.opportunity.is_sql
    for statement in advice.opportunity.statements:
        stored.connection.execute(statement.encode())


def _only(found: Iterable[Advice]) -> Advice:
    (advice,) = found
    return advice


def _named(found: Iterable[Advice], name: str) -> Advice:
    return next(each for each in found if each.opportunity.id == name)


def _unpacked(names: list[str], prices: list[int]) -> list[dict[str, Any]]:
    return [
        {"name": name, "odds": abs(price) / 1000 if price not in (0, -1) else None, "is_active": price >= 0}
        for name, price in zip(names, prices, strict=True)
    ]


def test_changes_are_stored_also_where_a_column_is_reckoned_from_others(aware: Stored):
    aware.connection.execute(
        sql.SQL("ALTER TABLE {} ADD twice float GENERATED ALWAYS AS (line * 2) STORED").format(TABLE)
    )
    before, rows = answered(aware.connection), aware.count()
    _carry_out(aware, _only(repeating_rows(aware.measured())))
    assert known(aware.connection) == before
    assert aware.count() < 0.75 * rows


def test_a_type_that_a_check_or_a_view_holds_is_no_statement_and_both_are_named(aware: Stored):
    aware.connection.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT said CHECK (betpawa_market_name <> '?')").format(TABLE)
    )
    aware.connection.execute(sql.SQL("CREATE VIEW priced AS SELECT outcomes FROM {}").format(TABLE))
    words = _named(words_as_numbers(aware.measured()), f"normalize:{STATES}.betpawa_market_name").opportunity
    assert not words.is_sql
    assert "constraint said" in words.evidence
    outcomes = _only(outcomes_as_arrays(aware.measured())).opportunity
    assert not outcomes.is_sql
    assert "priced" in outcomes.evidence


def test_a_column_from_which_another_is_reckoned_is_named_and_no_plan_drops_it(aware: Stored):
    table = sql.Identifier(SCHEMA, ANSWERS)
    aware.connection.execute(
        sql.SQL("ALTER TABLE {} ADD size text GENERATED ALWAYS AS (raw_response ->> 'x') STORED").format(table)
    )
    found = _named(raw_answers(aware.measured()), f"eliminate:{ANSWERS}.raw_response").opportunity
    assert found.risk == "high"
    assert "column size" in found.risk_reason
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        aware.connection.execute(found.statements[0].encode())
