"""Advice on the earlier system's database, scaled down: what it says, and what doing it really saves.

``python -m benchmarks earlier`` does the same with two gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.judging import judge
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.profile import foreign_profile
from odds_pipeline_tests.storage.carrying_out import (
    SAME_SHARE,
    carry_out_each,
    carry_out_plan,
    exact_bytes,
    require_the_expected_plan,
)
from odds_pipeline_tests.storage.first_generation import make_first_generation

NOW = datetime(2026, 2, 13, 12, tzinfo=UTC)


class Earlier(NamedTuple):
    """A database of the first generation, and what is said of it. Nobody may write to it."""

    url: str
    profile: StorageProfile
    judgement: Judgement


@pytest.fixture(scope="module")
def earlier(postgres_server: EmbeddedServer) -> Iterator[Earlier]:
    """The generated database, profiled and judged once."""
    name = f"earlier_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    url = postgres_server.url(name)
    with psycopg.connect(url, autocommit=True) as connection:
        make_first_generation(connection, now=NOW)
        connection.execute("VACUUM ANALYZE")
    with Database(url) as database:
        profile = foreign_profile(database, schema="public", now=NOW)
    yield Earlier(url, profile, judge(profile, Settings()))
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_the_generated_database_has_the_proportions_of_the_real_one(earlier: Earlier) -> None:
    """Against the earlier system's volumes in February 2026."""
    database = earlier.profile.databases[0]
    snapshots, competitors = (database.table(name) for name in ("odds_snapshots", "competitor_odds_snapshots"))
    markets, their_markets = (database.table(name) for name in ("market_odds", "competitor_market_odds"))
    assert snapshots
    assert competitors
    assert markets
    assert their_markets
    assert snapshots.ages
    for table, raw_bytes in ((snapshots, 46_000), (competitors, 40_000)):
        raw = table.column("raw_response")
        assert raw
        assert raw.bytes / table.rows == pytest.approx(raw_bytes, rel=0.1)
    assert competitors.rows / snapshots.rows == pytest.approx(0.5, rel=0.1)
    assert markets.rows / snapshots.rows == pytest.approx(170, rel=0.1)
    assert their_markets.rows / competitors.rows == pytest.approx(72, rel=0.15)
    assert markets.bytes_per_row == pytest.approx(260, rel=0.15)
    assert their_markets.bytes_per_row == pytest.approx(285, rel=0.2)
    assert [each.share for each in database.repeats] == pytest.approx([0.95, 0.95], abs=0.01)
    assert snapshots.ages.newest - snapshots.ages.oldest > timedelta(days=30)
    assert snapshots.ages.rows_within[14] > 14 / 35 * snapshots.rows, "more at the end"


def test_the_drivers_are_raw_answers_and_market_rows_with_their_exact_shares(earlier: Earlier) -> None:
    with psycopg.connect(earlier.url) as connection:
        exact = {each.what: exact_bytes(connection, each) for each in earlier.judgement.drivers[:4]}
    assert len(exact) == 4
    for driver in earlier.judgement.drivers[:4]:
        assert driver.share == pytest.approx(exact[driver.what] / earlier.profile.total_bytes, rel=SAME_SHARE)


def test_the_plan_is_no_raw_answers_then_rows_of_changes_only_then_two_weeks(earlier: Earlier) -> None:
    require_the_expected_plan(earlier.judgement)


def test_each_advice_saves_what_it_was_reckoned_to_save(earlier: Earlier) -> None:
    carried_out = list(carry_out_each(earlier.url, earlier.judgement.opportunities))
    assert len(carried_out) >= 7
    assert [each for each in carried_out if not each.is_near] == []


def test_the_plan_saves_step_by_step_what_it_was_reckoned_to_save(earlier: Earlier) -> None:
    carried_out = list(carry_out_plan(earlier.url, earlier.judgement.plan))
    assert [each for each in carried_out if not each.is_near] == []
