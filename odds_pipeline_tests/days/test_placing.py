"""Days rebuilt after the catalogue has learnt: archived observations go where ``remap`` moved their markets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.database.remap import remap
from odds_pipeline.database.write import write_cycle
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.days.sources import DayNotRebuildable
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.answers import prepare
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, answer, coverage, observations, running
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.days.live_days import current_rows, history_rows

DAY = date(2026, 3, 1)
NEXT = date(2026, 3, 2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=1)
Offer = dict[MarketKey, dict[str, str | None]]

DRAW_NO_BET: MarketKey = ("bet9ja:S_DNB", None)
MAPPED: MarketKey = ("4703", None)
TEAM_TOTALS: MarketKey = ("bet9ja:S_HAOU", Decimal("1.500"))
UNKNOWN: MarketKey = ("bet9ja:S_X", None)
SOURCES = {"bet9ja:S_DNB": ("S_DNB", None), "4703": ("S_DNB", None), "bet9ja:S_HAOU": ("S_HAOU", "1.5")}


def commit(database: Database, hours: int, markets: Offer) -> None:
    """A cycle whose observations carry Bet9ja's own ids, as a parser with an older catalogue would leave them."""
    at = NOON + timedelta(hours=hours)
    said = answer("bet9ja", "800000001", at, markets, kickoff=NOON + timedelta(days=9))
    cycle = Cycle(at, {"bet9ja": (at, True)}, [said])
    run_id = running(database, at)
    own = [SOURCES.get(market, (market.removeprefix("bet9ja:"), None)) for market, _ in said.markets]
    rows = observations(cycle).with_columns(
        source_market_id=pl.Series([source for source, _ in own], dtype=pl.String),
        source_specifier=pl.Series([specifier for _, specifier in own], dtype=pl.String),
    )
    answers = prepare(rows.lazy(), coverage(cycle, run_id), cycle_at=at)
    write_cycle(database, archive_of(database), answers, run_id=run_id, settings=SETTINGS, now=at)


def rebuilds_to_the_same(database: Database, *days: date) -> bool:
    """Whether each day alone, emptied, and all of them together become what they were."""
    before, current = history_rows(database), current_rows(database)
    for each in [*((day,) for day in days), days]:
        with database.connect() as connection:
            connection.execute(
                "DELETE FROM odds_history WHERE (captured_at AT TIME ZONE 'UTC')::date = ANY(%s)", [list(each)]
            )
        rebuild_days(database, archive_of(database), each[0], each[-1], now=NOW)
        if history_rows(database) != before:
            return False
    return current_rows(database) == current and rebuild_current(database).repaired == 0


def test_a_market_that_moved_is_rebuilt_under_its_new_id(database: Database) -> None:
    commit(database, 0, {DRAW_NO_BET: {"1": "1.50", "2": "2.40"}, UNKNOWN: {"a": "3.00"}})
    commit(database, 5, {DRAW_NO_BET: {"1": "1.55", "2": None}, UNKNOWN: {"a": "3.10"}})
    commit(database, 13, {UNKNOWN: {"a": "3.20"}})
    commit(database, 14, {DRAW_NO_BET: {"1": "1.60", "2": None}, UNKNOWN: {"a": "3.20"}})
    assert remap(database, Mapper.load(), now=NOW).moved == 1
    assert rebuilds_to_the_same(database, DAY, NEXT)


def test_a_market_that_only_vanished_on_a_day_is_rebuilt_under_its_new_id(database: Database) -> None:
    commit(database, 0, {DRAW_NO_BET: {"1": "1.50", "2": "2.40"}, UNKNOWN: {"a": "3.00"}})
    commit(database, 13, {UNKNOWN: {"a": "3.20"}})
    remap(database, Mapper.load(), now=NOW)
    assert rebuilds_to_the_same(database, DAY, NEXT)


def test_the_parts_of_a_market_that_was_split_are_rebuilt_each(database: Database) -> None:
    """A part of which nothing is offered is unavailable, also on a day on which nothing else is said of it."""
    both = {"OH": "2.00", "UH": "1.75", "OA": "2.60", "UA": "1.45"}
    commit(database, 0, {TEAM_TOTALS: {**both, "OH": "2.10"}})
    commit(database, 5, {TEAM_TOTALS: {**both, "OA": None}})
    commit(database, 13, {TEAM_TOTALS: {"OH": "2.20", "UH": "1.75"}, UNKNOWN: {"a": "3.00"}})
    commit(database, 14, {UNKNOWN: {"a": "3.00"}})
    commit(database, 15, {TEAM_TOTALS: {**both, "OA": None}, UNKNOWN: {"a": "3.00"}})
    assert remap(database, Mapper.load(), now=NOW).rewritten == 1
    assert rebuilds_to_the_same(database, DAY, NEXT)


def test_a_market_that_was_scraped_under_both_ids_is_rebuilt_as_one(database: Database) -> None:
    commit(database, 0, {DRAW_NO_BET: {"1": "1.50", "2": "2.40"}})
    commit(database, 5, {DRAW_NO_BET: {"1": "1.60", "2": "2.30"}})
    commit(database, 13, {MAPPED: {"4704": "1.60", "4705": "2.30"}})
    commit(database, 14, {MAPPED: {"4704": "1.70", "4705": "2.20"}})
    assert remap(database, Mapper.load(), now=NOW).rewritten == 1
    assert rebuilds_to_the_same(database, DAY, NEXT)


def test_cycles_after_the_remap_are_rebuilt_with_those_before(database: Database) -> None:
    commit(database, 0, {DRAW_NO_BET: {"1": "1.50", "2": "2.40"}})
    remap(database, Mapper.load(), now=NOW)
    commit(database, 13, {MAPPED: {"4704": "1.60", "4705": "2.30"}})
    commit(database, 14, {})
    assert rebuilds_to_the_same(database, DAY, NEXT)


def test_markets_that_a_replay_stored_by_older_names_are_rebuilt_under_these(database: Database) -> None:
    """Until the next remap: the catalogue would place them elsewhere, or some of their outcomes."""
    mapped_with_own: MarketKey = ("4703", None)
    with database.connect() as connection:
        connection.execute("UPDATE pipeline_settings SET catalogue_version = %s", [Mapper.load().version])
    commit(database, 0, {DRAW_NO_BET: {"1": "1.50", "2": "2.40"}, TEAM_TOTALS: {"OH": "2.00", "UA": "1.45"}})
    commit(database, 13, {DRAW_NO_BET: {"1": "1.60", "2": None}})
    assert rebuilds_to_the_same(database, DAY, NEXT)
    commit(database, 15, {mapped_with_own: {"4704": "1.60", "bet9ja:2": "2.30"}})
    commit(database, 16, {mapped_with_own: {"4704": "1.60", "bet9ja:2": "2.40"}})
    assert rebuilds_to_the_same(database, DAY, NEXT)


def test_a_remap_that_is_still_to_come_is_asked_for(database: Database) -> None:
    """What an older catalogue left can only be placed by the one that the stored markets are named by."""
    commit(database, 0, {DRAW_NO_BET: {"1": "1.50", "2": "2.40"}})
    with database.connect() as connection:
        connection.execute("UPDATE pipeline_settings SET catalogue_version = 'between'")
    with pytest.raises(DayNotRebuildable, match="named by the catalogue between, not"):
        rebuild_days(database, archive_of(database), DAY, DAY, now=NOW)


def test_a_day_with_a_market_that_the_database_lost_is_refused(database: Database) -> None:
    commit(database, 0, {DRAW_NO_BET: {"1": "1.50", "2": "2.40"}, UNKNOWN: {"a": "3.00"}})
    with database.connect() as connection:
        connection.execute("DELETE FROM current_odds WHERE market_id = 1")
        connection.execute("DELETE FROM markets WHERE id = 1")
    with pytest.raises(DayNotRebuildable, match="bet9ja 800000001, which the archive has, is not in the table markets"):
        rebuild_days(database, archive_of(database), DAY, DAY, now=NOW)
