"""The margins of a day on the hand-made world, worked out by hand; and on either side of the archive's seam."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.margins_of_day import MARGINS_OF_DAY, margins_of_day
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days.retention import retain
from odds_pipeline.settings import Settings
from odds_pipeline_tests.analysis.hand_made import CYCLES, NOW, HandMade, hand_made, moment

DAY, NEXT_DAY = NOW.date(), NOW.date() + timedelta(days=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
GONE = [{"margin_missing": "unavailable", "markets": 1}]


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    """The hand-made world, for tests that only ask."""
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


def of_market(rows: pl.DataFrame, market_id: str) -> list[tuple[Any, ...]]:
    """(time, bookmaker, markets, with margin, mean rounded, missing) of one market."""
    return [
        (at, slug, markets, found, None if margin is None else round(margin, 6), missing)
        for at, slug, markets, found, margin, missing in rows.filter(pl.col("betpawa_market_id") == market_id)
        .select("at", "bookmaker_slug", "markets", "with_margin", "margin", "missing")
        .iter_rows()
    ]


def test_the_mean_margin_stands_at_each_full_hour_and_now(world: HandMade) -> None:
    """1X2. At 12:00 the states of the second cycle hold, at 12:16 those of the last; before 11:50 nothing was seen.

    betPawa at 12:00: 2.00 3.40 3.80 is 5.727554 %, 1.45 4.20 7.00 is 7.060755 %, 3.00 3.00 2.40 is 8.333333 %. At 12:16
    the first is 1.90 3.50 4.10, 5.593251 %, and the second has kicked off. SportyBet at 12:00: 2.05 3.30 3.70 is
    6.110545 %, 2.50 3.10 2.90 is 6.740823 %, 2.95 3.05 2.45 is 7.501517 %; at 12:16 1.92 3.40 4.00 is 6.495098 %, 2.40
    3.20 3.00 is 6.25 %. Bet9ja: 1.88 3.45 4.05 is 6.868355 %.
    """
    found = margins_of_day(world.source, DAY, now=NOW)
    assert found.rows.schema == pl.Schema(dict(MARGINS_OF_DAY))
    assert of_market(found.rows, "3743") == [
        (NOON, "betpawa", 3, 3, 7.040548, []),
        (NOON, "sportybet", 3, 3, 6.784295, []),
        (NOON, "bet9ja", 1, 1, 6.868355, []),
        (NOW, "betpawa", 3, 2, 6.963292, GONE),
        (NOW, "sportybet", 3, 3, 6.748872, []),
        (NOW, "bet9ja", 1, 1, 6.868355, []),
    ]
    assert found.rows.filter(pl.col("betpawa_market_id") == "3743")["betpawa_market_name"].unique().to_list() == [
        "1X2 - FT"
    ]


def test_a_market_without_a_margin_says_why(world: HandMade) -> None:
    """Over/under 2.5 of Bet9ja (5.555556 %) is gone at 12:00:14; betPawa's "No" to both to score is suspended at 12:05.

    1.85 1.95 is 5.336105 %, 1.83 1.97 is 5.406230 %; 1.70 2.10 is 6.442577 %, 1.72 2.05 is 6.920023 %. The outcomes of
    double chance overlap: 1.25 1.75 1.30 is 114.065934 %.
    """
    rows = margins_of_day(world.source, DAY, now=NOW).rows
    assert of_market(rows, "5000") == [
        (NOON, "betpawa", 1, 1, 5.336105, []),
        (NOON, "sportybet", 1, 1, 5.40623, []),
        (NOON, "bet9ja", 1, 1, 5.555556, []),
        (NOW, "betpawa", 1, 1, 5.336105, []),
        (NOW, "sportybet", 1, 1, 5.40623, []),
        (NOW, "bet9ja", 1, 0, None, GONE),
    ]
    assert rows.filter(pl.col("betpawa_market_id") == "5000")["line"].unique().to_list() == [Decimal("2.5")]
    suspended = [{"margin_missing": "inactive_outcome", "markets": 1}]
    assert of_market(rows, "3795") == [
        (NOON, "betpawa", 1, 1, 6.442577, []),
        (NOON, "sportybet", 1, 1, 6.920023, []),
        (NOW, "betpawa", 1, 0, None, suspended),
        (NOW, "sportybet", 1, 1, 6.920023, []),
    ]
    assert of_market(rows, "4693") == [
        (NOON, "betpawa", 1, 1, 114.065934, []),
        (NOW, "betpawa", 1, 1, 114.065934, []),
    ]


def test_what_was_gone_before_the_day_began_does_not_count(world: HandMade) -> None:
    """The next day nothing has changed by 02:00: what stood at midnight stands, of 1X2 all but what kicked off."""
    found = margins_of_day(world.source, NEXT_DAY, now=datetime(2026, 11, 21, 2, tzinfo=UTC))
    hours = [datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in range(3)]
    assert of_market(found.rows, "3743") == [
        (at, slug, markets, markets, margin, [])
        for at in hours
        for slug, markets, margin in [("betpawa", 2, 6.963292), ("sportybet", 3, 6.748872), ("bet9ja", 1, 6.868355)]
    ]
    assert {slug for _, slug, *_ in of_market(found.rows, "5000")} == {"betpawa", "sportybet"}
    assert found.changes == 0


def test_a_day_that_is_over_has_its_hours_and_its_end(world: HandMade) -> None:
    found = margins_of_day(world.source, DAY, now=NOW + timedelta(days=1))
    times = found.rows["at"].unique().sort().to_list()
    assert times == [NOON + timedelta(hours=hour) for hour in range(13)], "nothing was seen before 11:50"
    last = found.rows.filter(pl.col("at") == NOON + timedelta(hours=12)).drop("at")
    assert last.equals(margins_of_day(world.source, DAY, now=NOW).rows.filter(pl.col("at") == NOW).drop("at"))


def test_a_change_counts_at_its_own_moment(world: HandMade) -> None:
    """A moment shows what an answer that arrived in this very moment says, as the state at a moment does."""
    at = moment(2, "bet9ja")
    rows = margins_of_day(world.source, DAY, now=at).rows
    assert [row for row in of_market(rows, "3743") if row[1] == "bet9ja"] == [(at, "bet9ja", 1, 1, 6.868355, [])]
    earlier = margins_of_day(world.source, DAY, now=at - timedelta(microseconds=1)).rows
    # 1/1.98 + 1/3.35 + 1/3.75 is 0.50505051 + 0.29850746 + 0.26666667.
    assert [row[4] for row in of_market(earlier, "3743") if row[1] == "bet9ja"] == [7.022463]


def test_markets_and_bookmakers_can_be_chosen(world: HandMade) -> None:
    """p1 offers over/under 3.5 at 2.60 1.45 again since 12:10:10: 7.427056 %."""
    rows = margins_of_day(
        world.source, DAY, now=NOW, markets=[("5000", Decimal("3.5"))], bookmakers=["betpawa", "sportybet"]
    ).rows
    assert of_market(rows, "5000") == [
        (NOON, "betpawa", 1, 1, 6.666667, []),
        (NOW, "betpawa", 1, 1, 7.427056, []),
    ]
    assert margins_of_day(world.source, DAY, now=NOW, markets=[]).rows.is_empty()


def test_changes_of_the_day_are_counted(world: HandMade) -> None:
    """Sightings and changes of the headline markets: 13 first seen, p1, s1, n1, p2 and s3 change their 1X2, n1's
    over/under is gone, p1's "No" suspended, p2's 1X2 over."""
    assert margins_of_day(world.source, DAY, now=NOW).changes == 13 + 5 + 1 + 1 + 1
    assert margins_of_day(world.source, DAY, now=CYCLES[0]).changes == 0


def test_an_imported_price_with_a_known_fault_is_left_out_of_the_mean(database: Database) -> None:
    world = hand_made(database)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO untrusted_spans (market_id, since, until, reason) VALUES (%s, %s, %s, 'made up')",
            [world.market_id("p4", ("3743", None)), CYCLES[0], NOW],
        )
    rows = margins_of_day(world.source, DAY, now=NOW).rows
    ((*_, missing),) = [row for row in of_market(rows, "3743") if row[:2] == (NOW, "betpawa")]
    assert {each["margin_missing"] for each in missing} == {"unavailable", "untrusted"}
    (mean,) = [row[4] for row in of_market(rows, "3743") if row[:2] == (NOW, "betpawa")]
    assert mean == 5.593251


def test_a_retired_day_answers_as_it_did_before(database: Database) -> None:
    world = hand_made(database)
    later = NOW + timedelta(days=3)

    def answers() -> list[pl.DataFrame]:
        return [margins_of_day(world.source, day, now=later).rows for day in (DAY, NEXT_DAY)]

    before = answers()
    retain(database, world.source.archive, settings=Settings(retention_days=1), now=later, trigger="manual")
    with database.connect() as connection:
        assert DAY not in [partition.first_day for partition in list_partitions(connection)]
    for kept, retired in zip(before, answers(), strict=True):
        assert retired.height > 0
        assert retired.equals(kept)


def test_days_that_were_not_imported_are_named(world: HandMade) -> None:
    lacking = OddsSource(world.source.database, world.source.archive, lambda since, until: [date(2026, 11, 20)])
    assert margins_of_day(lacking, DAY, now=NOW).unimported == [date(2026, 11, 20)]


def test_a_day_that_has_not_begun_is_refused(world: HandMade) -> None:
    with pytest.raises(BadQuestion, match="2026-11-21 has not begun; the newest day is 2026-11-20"):
        margins_of_day(world.source, NEXT_DAY, now=NOW)
