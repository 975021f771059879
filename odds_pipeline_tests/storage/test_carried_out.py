"""Advice on the earlier system's database, scaled down: what it says, and what doing it really saves.

``python -m benchmarks earlier`` does the same with two gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from psycopg import sql

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage.drivers import BESIDE_TABLES
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.judging import judge
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.profile import foreign_profile
from odds_pipeline_tests.database.servers import TEST_SETTINGS, directory_for_a_server
from odds_pipeline_tests.storage.carrying_out import (
    ALONE,
    SAME_SHARE,
    carry_out_each,
    carry_out_plan,
    copy_of,
    exact_bytes,
    require_the_expected_plan,
    saved_by,
)
from odds_pipeline_tests.storage.first_generation import make_first_generation

NOW = datetime(2026, 2, 13, 12, tzinfo=UTC)


class Earlier(NamedTuple):
    """A database of the first generation, and what is said of it. Nobody may write to it."""

    url: str
    profile: StorageProfile
    judgement: Judgement


@pytest.fixture(scope="module")
def earlier() -> Iterator[Earlier]:
    """The generated database, profiled and judged once, on a server of its own."""
    settings = TEST_SETTINGS | ALONE
    with directory_for_a_server() as directory, EmbeddedServer.ensure(directory, overrides=settings) as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            make_first_generation(connection, now=NOW)
            connection.execute("VACUUM ANALYZE")
        with Database(server.url()) as database:
            profile = foreign_profile(database, schema="public", now=NOW)
        yield Earlier(server.url(), profile, judge(profile, Settings()))


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
    found = [each for each in earlier.judgement.drivers if each.what != BESIDE_TABLES][:4]
    with psycopg.connect(earlier.url) as connection:
        exact = {each.what: exact_bytes(connection, each) for each in found}
    assert len(exact) == 4
    for driver in found:
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


@pytest.mark.parametrize("table", ["market_odds", "competitor_market_odds"])
def test_rows_of_changes_only_say_at_every_snapshot_what_the_whole_snapshot_said(earlier: Earlier, table: str) -> None:
    advice = next(each for each in earlier.judgement.opportunities if each.id == f"eliminate:{table}.repeats")
    with copy_of(earlier.url) as copy:
        whole = _rows(copy, table)
        assert saved_by(copy, advice) > 0
        changes = _rows(copy, table)
    assert changes.height < 0.3 * whole.height
    # Every market that was ever seen of an event, at each of its snapshots: the last row until then.
    moments = whole.select("event", "snapshot").unique().join(whole.select("event", "market").unique(), on="event")
    said = moments.sort("snapshot").join_asof(
        changes.sort("snapshot"), on="snapshot", by=["event", "market"], check_sortedness=False
    )
    offered = said.filter(pl.col("said").is_not_null() & ~pl.col("is_gone"))
    assert_frame_equal(offered.select(whole.columns), whole, check_row_order=False)


def _rows(url: str, table: str) -> pl.DataFrame:
    """Snapshot, event, market, what is said of it, and whether that it is no longer there; a market once a snapshot."""
    snapshots, event = table.replace("market_odds", "odds_snapshots"), "event_id"
    if table.startswith("competitor"):
        event = "competitor_event_id"
    with Database(url) as database:
        rows = database.read_frame(
            sql.SQL("""
                SELECT snapshot.id::bigint AS snapshot, snapshot.{event} AS event,
                       row(betpawa_market_id, line, handicap_type, handicap_home, handicap_away)::text AS market,
                       row(betpawa_market_name, outcomes, market_groups)::text AS said,
                       unavailable_at IS NOT NULL AS is_gone
                FROM {table} JOIN {snapshots} AS snapshot ON snapshot.id = snapshot_id
            """).format(event=sql.Identifier(event), table=sql.Identifier(table), snapshots=sql.Identifier(snapshots))
        )
    assert not rows.select("snapshot", "event", "market").is_duplicated().any()
    return rows
