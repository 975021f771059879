"""Advice carried out on copies of a database: its statements run as they stand, and what they saved is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from odds_pipeline.storage.judged import Driver, Judgement, Opportunity, Plan

TOLERANCE = 0.20
"""How far an estimate may be from what was saved."""
SAME_SHARE = 0.05
"""How far a driver may be from the exact sum, relatively."""

ALONE = {"autovacuum": "off"}
"""Settings of a server of which nobody else makes use: a rewrite keeps deleted rows that another transaction may still
see, and autovacuum's are open at any time, even while they wait for another database to be copied."""


@dataclass(frozen=True)
class CarriedOut:
    """What an opportunity was reckoned to save, and what it did save, by the size of the whole database."""

    id: str
    estimated: int
    measured: int

    @property
    def ratio(self) -> float:
        """Estimated to measured."""
        return self.estimated / self.measured if self.measured else float("inf")

    @property
    def is_near(self) -> bool:
        """Whether the estimate was good enough."""
        return abs(self.estimated - self.measured) <= TOLERANCE * self.measured


def carry_out_each(url: str, opportunities: Sequence[Opportunity]) -> Iterator[CarriedOut]:
    """Carry out each opportunity that is SQL on a copy of its own of the database at ``url``, which nobody may use."""
    for each in opportunities:
        if each.is_sql and each.saving_bytes is not None:
            with copy_of(url) as copy:
                yield CarriedOut(each.id, each.saving_bytes, saved_by(copy, each))


def carry_out_plan(url: str, plan: Plan) -> Iterator[CarriedOut]:
    """Carry out the plan's steps one after another on one copy, with the sum of them all in the end."""
    steps: list[CarriedOut] = []
    with copy_of(url) as copy:
        for step in plan.steps:
            assert step.opportunity.is_sql, f"{step.opportunity.id} is no SQL"
            steps.append(CarriedOut(step.opportunity.id, step.saving_bytes, saved_by(copy, step.opportunity)))
            yield steps[-1]
    yield CarriedOut("all of them", sum(each.estimated for each in steps), sum(each.measured for each in steps))


def saved_by(url: str, opportunity: Opportunity) -> int:
    """Bytes by which the database is smaller once the statements ran, each outside of any transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        # As large as it is at rest: without what was given back but not yet removed.
        connection.execute("CHECKPOINT")
        before = _size(connection)
        for statement in opportunity.statements:
            connection.execute(statement.encode())
        connection.execute("CHECKPOINT")
        return before - _size(connection)


def require_the_expected_plan(judgement: Judgement) -> None:
    """What the earlier system should have been told: no raw answers, rows of changes only, two weeks of them."""
    assert {driver.what for driver in judgement.drivers[:2]} == {"odds_snapshots.raw_response", "market_odds"}
    assert [step.opportunity.id for step in judgement.plan.steps] == [
        "eliminate:odds_snapshots.raw_response",
        "eliminate:competitor_odds_snapshots.raw_response",
        "eliminate:market_odds.repeats",
        "eliminate:competitor_market_odds.repeats",
        "retain:14 days",
    ]


def exact_bytes(connection: psycopg.Connection, driver: Driver) -> int:
    """What a driver takes: of a column the sum over all its values, of a table what PostgreSQL says it has on disk."""
    table, _, column = driver.what.partition(".")
    if column:
        query = sql.SQL("SELECT sum(pg_column_size({})) FROM {}")
        return _number(connection, query.format(sql.Identifier(column), sql.Identifier(table)))
    query = sql.SQL("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree({table})")
    partitioned = _number(connection, query.format(table=sql.Literal(table)))
    return partitioned or _number(connection, sql.SQL("SELECT pg_total_relation_size({})").format(sql.Literal(table)))


@contextmanager
def copy_of(url: str) -> Iterator[str]:
    """The URL of a copy of the database, which is dropped again."""
    given = make_url(url)
    name = f"copy_{uuid4().hex[:12]}"
    maintenance = given.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        connection.execute(command.format(sql.Identifier(name), sql.Identifier(given.database or "")))
        try:
            yield given.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _size(connection: psycopg.Connection) -> int:
    return _number(connection, sql.SQL("SELECT pg_database_size(current_database())"))


def _number(connection: psycopg.Connection, query: sql.SQL | sql.Composed) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0] or 0)
