"""A market that the catalogue learnt moves to betPawa's id, and keeps one timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import DayHalfDetached
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.database.remap import remap, remap_if_learnt
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline_tests.database.cycles import answer, commit, running
from odds_pipeline_tests.database.half_detached import half_detached
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.test_invariants import as_outcomes, assert_no_row_repeats_the_one_before

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
#: A market under Bet9ja's own id, as stored while the catalogue did not know it.
OWN: MarketKey = ("bet9ja:S_DNB", None)
MAPPED: MarketKey = ("4703", None)


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def commit_bet9ja(database: Database, minutes: int, markets: dict[MarketKey, dict[str, str | None]]) -> None:
    moment = at(minutes)
    said = answer("bet9ja", "800000001", moment, markets, kickoff=NOON + timedelta(days=2))
    commit(database, Cycle(moment, {"bet9ja": (moment, True)}, [said]))


def name_source(database: Database, market_id: str, source: str) -> None:
    """Give stored markets the source that a parser would have given them; the cycles made by hand use the id itself."""
    with database.connect() as connection:
        connection.execute(
            """
            UPDATE market_sources SET source_market_id = %s, source_specifier = NULL WHERE source_market_id = %s
            """,
            [source, market_id],
        )


def timeline(database: Database) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT betpawa_market_id, line, captured_at, outcomes, unavailable_at IS NULL
            FROM market_odds_history ORDER BY captured_at, betpawa_market_id, line
            """
        ).fetchall()
    return [
        ((market, line), moment, as_outcomes(outcomes), available) for market, line, moment, outcomes, available in rows
    ]


def test_a_market_whose_place_is_free_moves_with_its_whole_history(database: Database) -> None:
    commit_bet9ja(database, 0, {OWN: {"1": "1.50", "2": "2.40"}})
    commit_bet9ja(database, 5, {OWN: {"1": "1.55", "2": None}})
    name_source(database, OWN[0], "S_DNB")

    done = remap(database, Mapper.load(), now=at(6))

    assert (done.moved, done.rewritten) == (1, 0)
    assert timeline(database) == [
        (MAPPED, at(0), {"4704": (Decimal("1.500"), True), "4705": (Decimal("2.400"), True)}, True),
        (MAPPED, at(5), {"4704": (Decimal("1.550"), True), "4705": (Decimal("2.400"), False)}, True),
    ]
    assert rebuild_current(database).repaired == 0


def test_the_next_cycle_confirms_the_moved_market_and_writes_no_history(database: Database) -> None:
    commit_bet9ja(database, 0, {OWN: {"1": "1.50", "2": "2.40"}})
    name_source(database, OWN[0], "S_DNB")
    remap(database, Mapper.load(), now=at(1))

    commit_bet9ja(database, 5, {MAPPED: {"4704": "1.50", "4705": "2.40"}})

    assert len(timeline(database)) == 1


def test_a_market_that_was_scraped_under_both_ids_becomes_one_timeline(database: Database) -> None:
    commit_bet9ja(database, 0, {OWN: {"1": "1.50", "2": "2.40"}})
    commit_bet9ja(database, 5, {OWN: {"1": "1.60", "2": "2.30"}})
    name_source(database, OWN[0], "S_DNB")
    commit_bet9ja(database, 10, {MAPPED: {"4704": "1.60", "4705": "2.30"}})
    commit_bet9ja(database, 15, {MAPPED: {"4704": "1.70", "4705": "2.20"}})

    done = remap(database, Mapper.load(), now=at(16))

    assert (done.moved, done.rewritten) == (0, 1)
    rows = timeline(database)
    assert [(key, moment) for key, moment, _, _ in rows] == [(MAPPED, at(0)), (MAPPED, at(5)), (MAPPED, at(15))]
    assert_no_row_repeats_the_one_before(rows)
    assert rebuild_current(database).repaired == 0


def test_no_timelines_are_joined_while_a_day_of_them_is_half_detached(database: Database) -> None:
    commit_bet9ja(database, 0, {OWN: {"1": "1.50", "2": "2.40"}})
    name_source(database, OWN[0], "S_DNB")
    commit_bet9ja(database, 10, {MAPPED: {"4704": "1.60", "4705": "2.30"}})
    with half_detached(database, NOON.date()), pytest.raises(DayHalfDetached):
        remap(database, Mapper.load(), now=at(16))


def test_a_combined_market_is_split_over_both_teams_with_a_timeline_each(database: Database) -> None:
    """B-22: outcomes of the home and the away total part ways."""
    own: MarketKey = ("bet9ja:S_HAOU", Decimal("1.500"))
    commit_bet9ja(database, 0, {own: {"OH": "2.00", "UH": "1.75", "OA": "2.60", "UA": "1.45"}})
    commit_bet9ja(database, 5, {own: {"OH": "2.10", "UH": "1.70", "OA": "2.60", "UA": "1.45"}})
    with database.connect() as connection:
        connection.execute("UPDATE market_sources SET source_market_id = 'S_HAOU', source_specifier = '1.5'")

    done = remap(database, Mapper.load(), now=at(6))

    assert done.rewritten == 1
    line = Decimal("1.500")
    home, away = ("5006", line), ("5003", line)
    assert timeline(database) == [
        (away, at(0), {"5004": (Decimal("2.600"), True), "5005": (Decimal("1.450"), True)}, True),
        (home, at(0), {"5007": (Decimal("2.000"), True), "5008": (Decimal("1.750"), True)}, True),
        (home, at(5), {"5007": (Decimal("2.100"), True), "5008": (Decimal("1.700"), True)}, True),
    ]
    assert rebuild_current(database).repaired == 0


def test_a_second_remap_changes_nothing_and_a_cycle_only_remaps_for_a_new_catalogue(database: Database) -> None:
    mapper = Mapper.load()
    commit_bet9ja(database, 0, {OWN: {"1": "1.50", "2": "2.40"}})
    name_source(database, OWN[0], "S_DNB")

    signs: list[str] = []
    run_id = running(database, at(1))
    first = remap_if_learnt(database, mapper, now=at(1), run_id=run_id, alive=lambda: signs.append("alive"))
    assert first is not None
    assert first.moved == 1
    assert signs, "a long remap is no dead run"
    assert remap_if_learnt(database, mapper, now=at(2), run_id=run_id, alive=lambda: None) is None
    again = remap(database, mapper, now=at(3))
    assert (again.moved, again.rewritten) == (0, 0)


def test_an_unavailable_market_stays_unavailable_since_then_when_it_moves(database: Database) -> None:
    commit_bet9ja(database, 0, {OWN: {"1": "1.50", "2": "2.40"}, ("bet9ja:S_X", None): {"a": "2.00"}})
    commit_bet9ja(database, 5, {("bet9ja:S_X", None): {"a": "2.00"}})
    name_source(database, OWN[0], "S_DNB")

    remap(database, Mapper.load(), now=at(6))

    with database.connect() as connection:
        row = connection.execute(
            "SELECT unavailable_at, last_confirmed_at FROM market_odds_current WHERE betpawa_market_id = %s",
            [MAPPED[0]],
        ).fetchone()
    assert row == (at(5), at(0))
