"""Bookmakers side by side and who moved first, asked of a database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from odds_pipeline.analysis.comparison import compare, moves
from odds_pipeline.analysis.errors import BadQuestion, NotFound
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import CYCLES, NOW, OVER_UNDER, RESULT, HandMade, hand_made, moment
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds
from odds_pipeline_tests.days.questions import FIRST_KEPT, retire

P, S, N = "betpawa", "sportybet", "bet9ja"


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


def derby(world: HandMade, when: datetime | None = None) -> dict[tuple[str, Decimal | None, str], dict[str, Any]]:
    """The outcomes of the derby by market, line and name."""
    told = compare(world.source, world.events["derby"], moment=when, now=NOW)
    return {(row["betpawa_market_id"], row["line"], row["name"]): row for row in told.rows.to_dicts()}


def test_now_every_outcome_has_its_best_price(world: HandMade) -> None:
    now = derby(world)
    assert {key: (row["best_odds"], row["best_bookmakers"], row["betpawa_odds"]) for key, row in now.items()} == {
        ("3743", None, "1"): (Decimal("1.92"), [S], Decimal("1.9")),
        ("3743", None, "X"): (Decimal("3.5"), [P], Decimal("3.5")),
        ("3743", None, "2"): (Decimal("4.1"), [P], Decimal("4.1")),
        ("5000", Decimal("2.5"), "Over"): (Decimal("1.85"), [P], Decimal("1.85")),
        ("5000", Decimal("2.5"), "Under"): (Decimal("1.97"), [S], Decimal("1.95")),  # bet9ja's 2.00 is gone
        ("5000", Decimal("3.5"), "Over"): (Decimal("2.6"), [P], Decimal("2.6")),
        ("5000", Decimal("3.5"), "Under"): (Decimal("1.45"), [P], Decimal("1.45")),
        ("3795", None, "Yes"): (Decimal("1.75"), [P], Decimal("1.75")),
        ("3795", None, "No"): (Decimal("2.05"), [S], None),  # betPawa's 2.10 is suspended
        ("4693", None, "1X"): (Decimal("1.25"), [P], Decimal("1.25")),
        ("4693", None, "X2"): (Decimal("1.75"), [P], Decimal("1.75")),
        ("4693", None, "12"): (Decimal("1.3"), [P], Decimal("1.3")),
        ("sportybet:551", None, "Saka"): (Decimal("5.5"), [S], None),
    }


def test_every_price_says_how_far_it_is_from_betpawas_and_how_fresh(world: HandMade) -> None:
    """bet9ja has failed since cycle 4."""
    assert derby(world)["3743", None, "1"]["prices"] == [
        price(P, "1.9", "0", 0, confirmed_at=moment(6, P)),
        price(S, "1.92", "0.02", 2 / 1.9, confirmed_at=moment(6, S)),
        price(N, "1.88", "-0.02", -2 / 1.9, confirmed_at=moment(3, N), is_stale=is_stale_at_now(world)),
    ]


def price(
    bookmaker: str, odds: str, difference: str, percent: float, *, confirmed_at: datetime, is_stale: bool = False
) -> dict[str, Any]:
    return {
        "bookmaker_slug": bookmaker,
        "odds": Decimal(odds),
        "is_active": True,
        "difference": Decimal(difference),
        "difference_percent": pytest.approx(percent),
        "last_confirmed_at": confirmed_at,
        "is_stale": is_stale,
    }


def is_stale_at_now(world: HandMade) -> bool:
    """Whether bet9ja's last sighting lies too far back, by the settings of the pipeline."""
    ((stale_after,),) = query(world.source.database, "SELECT stale_after FROM pipeline_settings")
    return NOW - moment(3, N) > stale_after


def test_a_past_moment_is_compared_as_it_was(world: HandMade) -> None:
    """After betPawa's and before SportyBet's answer of the first cycle there is nothing to compare with."""
    first = derby(world, moment(1, P))
    assert [each["bookmaker_slug"] for each in first["3743", None, "1"]["prices"]] == [P]
    then = derby(world, CYCLES[1])
    home = then["3743", None, "1"]
    assert [(each["bookmaker_slug"], each["odds"]) for each in home["prices"]] == [
        (P, Decimal(2)),
        (S, Decimal("2.05")),
        (N, Decimal("1.98")),
    ]
    assert [each["last_confirmed_at"] for each in home["prices"]] == [moment(1, P), moment(1, S), moment(1, N)]
    assert then["5000", Decimal("2.5"), "Under"]["best_bookmakers"] == [N]


def test_who_moved_first_and_who_followed(world: HandMade) -> None:
    """betPawa is 4 minutes and 56 seconds behind bet9ja, SportyBet 9 minutes and 58."""
    told = moves(world.source, world.events["derby"], CYCLES[0], NOW, now=NOW)
    columns = ("betpawa_market_id", "line", "name", "direction", "first_bookmaker", "first_at", "odds_before",
               "odds_after")  # fmt: skip
    start, back = moment(2, N), moment(5, P)
    assert told.rows.select(columns).rows() == [
        ("3743", None, "1", "down", N, start, Decimal("1.98"), Decimal("1.88")),
        ("3743", None, "X", "up", N, start, Decimal("3.35"), Decimal("3.45")),
        ("3743", None, "2", "up", N, start, Decimal("3.75"), Decimal("4.05")),
        ("3795", None, "Yes", "up", P, moment(4, P), Decimal("1.7"), Decimal("1.75")),
        ("5000", Decimal("3.5"), "Over", "up", P, back, Decimal("2.5"), Decimal("2.6")),
        ("5000", Decimal("3.5"), "Under", "down", P, back, Decimal("1.5"), Decimal("1.45")),
    ]
    assert told.rows["followers"].to_list() == [
        *[
            [
                {"bookmaker_slug": P, "at": moment(3, P), "lag_seconds": 296.0, "is_same_cycle": False},
                {"bookmaker_slug": S, "at": moment(4, S), "lag_seconds": 598.0, "is_same_cycle": False},
            ]
        ]
        * 3,
        *[[]] * 3,
    ]


def test_moves_are_of_the_time_and_the_markets_that_are_asked_for(world: HandMade) -> None:
    event = world.events["derby"]
    ours = moves(world.source, event, moment(3, P), moment(4, S), betpawa_market_ids=[RESULT[0]], now=NOW).rows
    assert set(ours["first_bookmaker"]) == {P}, "the first move counts, its end does not"
    assert ours["followers"].list.len().to_list() == [0, 0, 0]
    apart = moves(world.source, event, CYCLES[0], NOW, within=timedelta(seconds=300), now=NOW).rows
    assert apart.filter(betpawa_market_id="3743")["first_bookmaker"].to_list() == [N] * 3 + [S] * 3
    assert moves(world.source, event, CYCLES[0], NOW, betpawa_market_ids=[OVER_UNDER[0]], now=NOW).rows.height == 2
    assert moves(world.source, event, CYCLES[0], NOW, betpawa_market_ids=[], now=NOW).rows.is_empty()
    assert moves(world.source, event, CYCLES[0], NOW, now=CYCLES[1]).rows.is_empty(), "nothing later than now"
    assert moves(world.source, event, NOW, NOW, now=NOW).rows.is_empty()
    ages = moves(world.source, event, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), now=NOW).rows
    assert ages.height == 6


def test_what_makes_no_sense_or_was_never_seen_is_said(world: HandMade) -> None:
    ask, event = world.source, world.events["derby"]
    for unknown in (0, 999, 2**40):
        with pytest.raises(NotFound, match=f"no event {unknown}"):
            compare(ask, unknown, now=NOW)
        with pytest.raises(NotFound, match=f"no event {unknown}"):
            moves(ask, unknown, CYCLES[0], NOW, now=NOW)
    with pytest.raises(NotFound, match="no market 'nonsense'"):
        moves(ask, event, CYCLES[0], NOW, betpawa_market_ids=["nonsense"], now=NOW)
    with pytest.raises(BadQuestion, match="before it begins"):
        moves(ask, event, NOW, CYCLES[0], now=NOW)
    with pytest.raises(BadQuestion, match="followers come after the first"):
        moves(ask, event, CYCLES[0], NOW, within=timedelta(seconds=-1), now=NOW)
    with pytest.raises(ValueError, match="no time zone"):
        compare(ask, event, moment=datetime(2026, 11, 20), now=NOW)  # noqa: DTZ001
    with pytest.raises(ValueError, match="no time zone"):
        moves(ask, event, CYCLES[0], datetime(2026, 11, 20), now=NOW)  # noqa: DTZ001


def test_days_that_have_left_postgresql_answer_the_same(database: Database) -> None:
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    DaysOfOdds(database, events=1).write(days=5, cycles=2)
    ((event,),) = query(database, "SELECT id FROM events WHERE id = (SELECT min(id) FROM events)")
    source = OddsSource(database, archive_of(database), lambda first, last: [date(2026, 10, 31)])
    seam = [begin + timedelta(days=days) for days in (1.3, 2.9, 3.1, 4.6)]
    end = begin + timedelta(days=5)
    before = [compare(source, event, moment=each, now=end).rows for each in seam]
    told = [moves(source, event, each, end, now=end).rows for each in seam]
    assert all(each.height > 5 for each in (*before, *told[:3]))
    retire(database, FIRST_KEPT)
    prices = ("event_id", "betpawa_market_id", "line", "key", "best_odds", "best_bookmakers", "betpawa_odds")
    for each, was in zip(seam, before, strict=True):
        assert compare(source, event, moment=each, now=end).rows.select(prices).equals(was.select(prices))
    assert all(moves(source, event, e, end, now=end).rows.equals(w) for e, w in zip(seam, told, strict=True))
    assert moves(source, event, seam[0], end, now=end).unimported == [date(2026, 10, 31)]
