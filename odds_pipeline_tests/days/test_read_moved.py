"""Markets that a remap moved after days of theirs were retired: questions find their rows as if it had come before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
import pytest

from odds_pipeline.archive.store import Archive, ArchivedFile
from odds_pipeline.database.engine import Database
from odds_pipeline.database.remap import Remapped, remap
from odds_pipeline.database.write import write_cycle
from odds_pipeline.days import opening
from odds_pipeline.days.opening import ensure_states, opening_state
from odds_pipeline.days.read import Wanted, history, state_at
from odds_pipeline.days.retention import retain
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.answers import prepare
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, answer, coverage, observations, running
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import shown_rows

FIRST = datetime(2026, 11, 1, 6, tzinfo=UTC)
END = FIRST + timedelta(days=4)
DRAW_NO_BET: MarketKey = ("bet9ja:S_DNB", None)
MAPPED: MarketKey = ("4703", None)
TEAM_TOTALS: MarketKey = ("bet9ja:S_HAOU", Decimal("1.500"))

Offer = dict[str, str | None]

told = partial(history, unimported_days=lambda first, last: [])
current_at = partial(state_at, unimported_days=lambda first, last: [])


#: By hour: the market of the first match, of the second, and the team totals of the third.
OFFERS: dict[int, tuple[Offer, Offer, Offer]] = {
    0: ({"1": "1.50", "2": "2.40"}, {"1": "1.10", "2": "7.00"}, {"OH": "2.00", "UH": "1.75", "OA": "2.6", "UA": "1.4"}),
    7: ({"1": "1.55", "2": None}, {"1": "1.12", "2": "6.00"}, {"OA": "2.6", "UA": "1.4"}),
    26: ({"1": "1.60", "2": "2.30"}, {"1": "1.12", "2": None}, {"OH": "2.00", "UH": "1.75", "OA": "2.7", "UA": "1.5"}),
    50: ({"1": "1.60", "2": "2.30"}, {"4704": "1.20", "4705": "5.00"}, {"OH": "2.1", "UH": None, "OA": "2.7"}),
    75: ({"1": "1.65", "2": "2.30"}, {"4704": "1.25", "4705": "4.00"}, {"OH": "2.1", "UH": None, "OA": "2.7"}),
}  # fmt: skip


def write(database: Database) -> None:
    """Four days of three matches under Bet9ja's own ids, the second under betPawa's from the third day on."""
    for hours, (moved, joined, split) in OFFERS.items():
        at = FIRST + timedelta(hours=hours)
        markets = [{DRAW_NO_BET: moved}, {MAPPED if "4704" in joined else DRAW_NO_BET: joined}, {TEAM_TOTALS: split}]
        answers = [answer("bet9ja", str(event), at, offer) for event, offer in enumerate(markets, start=800_000_001)]
        cycle = Cycle(at, {"bet9ja": (at, True)}, answers)
        run_id = running(database, at)
        is_total = pl.col("betpawa_market_id") == TEAM_TOTALS[0]
        sourced = observations(cycle).with_columns(
            source_market_id=pl.when(is_total).then(pl.lit("S_HAOU")).otherwise(pl.lit("S_DNB")),
            source_specifier=pl.when(is_total).then(pl.lit("1.5")),
        )
        prepared = prepare(sourced.lazy(), coverage(cycle, run_id), cycle_at=at)
        write_cycle(database, archive_of(database), prepared, run_id=run_id, settings=SETTINGS, now=at, guarded=True)


def retire(database: Database, archive: Archive, *, days: int) -> None:
    retained = retain(database, archive, settings=Settings(retention_days=4 - days), now=END, trigger="manual")
    assert ([each.day.day for each in retained.retired], retained.kept) == (list(range(1, days + 1)), [])


def moved(database: Database) -> Remapped:
    return remap(database, Mapper.load(), now=END)


@pytest.mark.parametrize("days", [1, 2, 3])
def test_questions_find_archived_rows_of_markets_that_were_moved_split_and_joined(
    database: Database, shared_migrated_database: str, days: int
) -> None:
    archive = archive_of(database)
    write(database)
    retire(database, archive, days=days)
    done = moved(database)
    assert (done.moved, done.rewritten) == (1, 2)

    expected = never_retired(shared_migrated_database)
    rows = told(database, archive, Wanted(), FIRST, END).rows
    assert words(rows.to_dicts()) == words(expected)
    since = FIRST + timedelta(hours=20)
    assert words(told(database, archive, Wanted(), since, END).rows.to_dicts()) == words(
        [row for row in expected if row["captured_at"] >= since]
    )
    assert_states(database, archive, expected)

    ensure_states(database, archive, END.date())
    assert_states(database, archive, expected)
    opening = opening_state(database, archive, END.date())
    assert opening.height == len({row["market_id"] for row in expected})


def test_a_remap_while_a_state_is_made_leaves_it_stale(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = archive_of(database)
    write(database)
    write_state = opening.write_state

    def remapped(archive: Archive, day: date, state: pl.DataFrame) -> ArchivedFile:
        if day == END.date():
            moved(database)
        return write_state(archive, day, state)

    monkeypatch.setattr(opening, "write_state", remapped)
    ensure_states(database, archive, END.date())
    monkeypatch.undo()
    assert END.date() in {made.day for made in ensure_states(database, archive, END.date())}
    state = opening_state(database, archive, END.date())
    query(database, "DELETE FROM archive_files WHERE kind = 'state' RETURNING 1")
    assert state.equals(opening_state(database, archive, END.date()))


def never_retired(url: str) -> list[dict[str, Any]]:
    """What the same days are without any retention."""
    twin = Database(url)
    if not query(twin, "SELECT 1 FROM markets LIMIT 1"):
        write(twin)
        moved(twin)
    rows = shown_rows(twin)
    twin.dispose()
    return rows


def assert_states(database: Database, archive: Archive, rows: list[dict[str, Any]]) -> None:
    for hours in range(1, 96, 9):
        moment = FIRST + timedelta(hours=hours)
        last = {row["market_id"]: row for row in rows if row["captured_at"] <= moment}
        assert words(current_at(database, archive, Wanted(), moment).rows.to_dicts()) == words(list(last.values())), (
            hours
        )


def words(rows: list[dict[str, Any]]) -> list[Any]:
    """What rows say of a market, without its id, which is made anew by a split; outcomes in any order."""
    said = [
        (
            row["external_event_id"],
            row["betpawa_market_id"],
            row["line"],
            row["captured_at"],
            row["run_id"],
            row["is_unavailable"],
            sorted(tuple(outcome.values()) for outcome in row["outcomes"]),
        )
        for row in rows
    ]
    return sorted(said, key=str)
