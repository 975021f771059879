"""Listings that moved to another event after days of theirs were archived, asked about when all is cleaned up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from odds_pipeline.analysis.moments import Scope, at
from odds_pipeline.analysis.odds_history import MarketChoice, odds_history
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline.database.write import write_cycle
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.cleanup import clean_up
from odds_pipeline.odds.answers import prepare
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, answer, coverage, observations, running
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.questions import retire

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
A_DAY = timedelta(days=1)
KICKOFF = NOON + 4 * A_DAY
LATER = NOON + 20 * A_DAY
SHORT = Settings(retention_days=4, match_retention_days=2)


def write(database: Database, day: int, prices: dict[str, str], *, is_one_match: bool) -> None:
    """A whole cycle of the day; SportyBet says which match it is from when it ``is_one_match`` with betPawa's."""
    when = NOON + day * A_DAY
    answers = [
        answer(slug, slug, when, {("3743", None): {"1": price, "2": "2.0"}}, kickoff=KICKOFF)
        for slug, price in prices.items()
    ]
    cycle = Cycle(when, {"betpawa": (when, True), "sportybet": (when, True)}, answers)
    run_id = running(database, when)
    is_known = pl.lit(is_one_match) | (pl.col("external_event_id") == "betpawa")
    sportradar_id = pl.when(is_known & pl.col("external_event_id").is_not_null()).then(pl.lit("90000001"))
    told = [frame.with_columns(sportradar_id=sportradar_id) for frame in (observations(cycle), coverage(cycle, run_id))]
    prepared = prepare(told[0].lazy(), told[1], cycle_at=when)
    write_cycle(database, archive_of(database), prepared, run_id=run_id, settings=SETTINGS, now=when)


def test_a_state_that_another_event_goes_on_from_is_not_confirmed(database: Database) -> None:
    """The listing's price was another when the cycles confirmed it, and its rows tell so under the match's event."""
    source = OddsSource(database, archive_of(database), lambda first, last: [])
    write(database, 0, {"betpawa": "1.5", "sportybet": "1.6"}, is_one_match=False)
    write(database, 1, {"betpawa": "1.5", "sportybet": "1.6"}, is_one_match=False)
    ((former,),) = query(database, "SELECT event_id FROM event_bookmakers WHERE external_event_id = 'sportybet'")
    retire(database, (NOON + 2 * A_DAY).date())
    write(database, 2, {"betpawa": "1.5", "sportybet": "1.7"}, is_one_match=True)
    write(database, 3, {"betpawa": "1.5", "sportybet": "1.7"}, is_one_match=True)
    ((match,),) = query(database, "SELECT DISTINCT event_id FROM event_bookmakers")
    assert match != former
    retire(database, LATER.date())
    assert clean_up(database, Bounds.of(SHORT, LATER))["events"] == 1

    def points(event_id: int, until: datetime) -> list[tuple[str, str, Decimal, datetime]]:
        found = odds_history(source, MarketChoice(event_id, "3743"), until=until, now=LATER).points
        return [
            (row["bookmaker_slug"], row["point"], row["outcomes"][0]["odds"], row["at"]) for row in found.to_dicts()
        ]

    one, other = Decimal("1.6"), Decimal("1.7")
    by_now = KICKOFF - A_DAY / 2
    assert points(former, by_now) == [("sportybet", "change", one, NOON)]
    assert points(former, NOON + 3 * A_DAY / 2) == [
        ("sportybet", "change", one, NOON),
        ("sportybet", "confirmed", one, NOON + A_DAY),
    ], "it was confirmed until it moved"
    assert points(match, by_now) == [
        ("betpawa", "change", Decimal("1.5"), NOON),
        ("betpawa", "confirmed", Decimal("1.5"), NOON + 3 * A_DAY),
        ("sportybet", "change", other, NOON + 2 * A_DAY),
        ("sportybet", "confirmed", other, NOON + 3 * A_DAY),
    ]
    (state,) = at(source, Scope(event_ids=[former]), by_now).rows.to_dicts()
    assert (state["last_confirmed_at"], state["is_stale"]) == (NOON, True)
