"""Odds and margin history of the hand-made world, written out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.analysis.errors import BadQuestion, NotFound
from odds_pipeline.analysis.margins import MARGIN_POINTS, margin_history
from odds_pipeline.analysis.odds_history import ODDS_POINTS, MarketChoice, odds_history
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import (
    BOTH_TO_SCORE,
    CYCLES,
    FIRST_SCORER,
    NOW,
    OVER_UNDER_3,
    RESULT,
    HandMade,
    hand_made,
    moment,
    outcomes,
)

P, S, N = "betpawa", "sportybet", "bet9ja"


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


def points(frame: pl.DataFrame, *also: str) -> list[tuple[Any, ...]]:
    """Bookmaker, point and time of each, and what is asked for besides."""
    return frame.select("bookmaker_slug", "point", "at", *also).rows()


def test_a_history_is_every_change_and_up_to_when_the_last_state_was_seen(world: HandMade) -> None:
    choice = MarketChoice(world.events["derby"], RESULT[0])
    told = odds_history(world.source, choice, now=NOW)
    assert points(told.points, "captured_at", "last_confirmed_at") == [
        (P, "change", moment(1, P), moment(1, P), None),
        (P, "change", moment(3, P), moment(3, P), None),
        (P, "confirmed", moment(6, P), moment(3, P), moment(6, P)),
        (S, "change", moment(1, S), moment(1, S), None),
        (S, "change", moment(4, S), moment(4, S), None),
        (S, "confirmed", moment(6, S), moment(4, S), moment(6, S)),
        (N, "change", moment(1, N), moment(1, N), None),
        (N, "change", moment(2, N), moment(2, N), None),
        (N, "confirmed", moment(3, N), moment(2, N), moment(3, N)),
    ]
    assert told.points["outcomes"].to_list()[:3] == [
        outcomes(RESULT, "2.00", "3.40", "3.80"),
        outcomes(RESULT, "1.90", "3.50", "4.10"),
        outcomes(RESULT, "1.90", "3.50", "4.10"),
    ]
    assert dict(told.points.schema) == dict(ODDS_POINTS)
    assert told.unimported == []


def test_an_unavailable_stretch_lies_between_two_changes(world: HandMade) -> None:
    choice = MarketChoice(world.events["derby"], *OVER_UNDER_3)
    told = odds_history(world.source, choice, now=NOW).points
    assert points(told, "is_unavailable") == [
        (P, "change", moment(1, P), False),
        (P, "change", moment(3, P), True),
        (P, "change", moment(5, P), False),
        (P, "confirmed", moment(6, P), False),
    ]
    assert told["outcomes"][1].to_list() == outcomes(OVER_UNDER_3, "2.50", "1.50")


def test_a_window_opens_with_what_held_then_and_closes_with_what_was_known_then(world: HandMade) -> None:
    choice = MarketChoice(world.events["derby"], RESULT[0], bookmakers=[P, N])
    since, until = CYCLES[1] + timedelta(minutes=1), CYCLES[4]
    told = odds_history(world.source, choice, since, until, now=NOW).points
    assert points(told, "captured_at", "last_confirmed_at") == [
        (P, "opening", since, moment(1, P), None),
        (P, "change", moment(3, P), moment(3, P), None),
        (P, "confirmed", moment(4, P), moment(3, P), moment(4, P)),
        (N, "opening", since, moment(2, N), None),
        (N, "confirmed", moment(3, N), moment(2, N), moment(3, N)),
    ]


def test_a_window_holds_its_beginning_and_not_its_end(world: HandMade) -> None:
    choice = MarketChoice(world.events["derby"], *OVER_UNDER_3)
    told = odds_history(world.source, choice, moment(3, P), moment(5, P), now=NOW).points
    assert points(told, "is_unavailable") == [(P, "change", moment(3, P), True)]
    opened = odds_history(world.source, choice, moment(4, P), moment(5, P), now=NOW).points
    assert points(opened, "is_unavailable") == [(P, "opening", moment(4, P), True)]
    before = odds_history(world.source, choice, until=moment(1, P), now=NOW).points
    assert before.is_empty()


def test_a_change_at_this_very_moment_is_part_of_the_history(world: HandMade) -> None:
    choice = MarketChoice(world.events["derby"], RESULT[0], bookmakers=[P])
    assert points(odds_history(world.source, choice, now=moment(3, P)).points)[-1] == (P, "change", moment(3, P))


def test_a_market_without_a_line_is_not_the_market_with_any(world: HandMade) -> None:
    event_id = world.events["derby"]
    lines = odds_history(world.source, MarketChoice(event_id, "5000"), now=NOW).points["line"]
    assert set(lines) == {Decimal("2.5"), Decimal("3.5")}
    assert odds_history(world.source, MarketChoice(event_id, "5000", None), now=NOW).points.is_empty()


def test_lines_stand_one_after_another_each_with_its_bookmakers_in_their_order(world: HandMade) -> None:
    """bet9ja has the smaller name and the greater id."""
    choice = MarketChoice(world.events["derby"], "5000")
    for points in (
        odds_history(world.source, choice, now=NOW).points,
        margin_history(world.source, choice, now=NOW).points,
    ):
        assert list(dict.fromkeys(points.select("line", "bookmaker_slug").rows())) == [
            (Decimal("2.5"), P),
            (Decimal("2.5"), S),
            (Decimal("2.5"), N),
            (Decimal("3.5"), P),
        ]
        assert points.equals(points.sort("line", "market_id", "at"))


def test_a_margin_stands_beside_each_point_or_the_reason_why_not(world: HandMade) -> None:
    told = margin_history(world.source, MarketChoice(world.events["derby"], BOTH_TO_SCORE[0]), now=NOW)
    assert dict(told.points.schema) == dict(MARGIN_POINTS)
    assert points(told.points, "margin", "margin_missing") == [
        (P, "change", moment(1, P), pytest.approx(100 * (1 / 1.70 + 1 / 2.10 - 1)), None),
        (P, "change", moment(4, P), None, "inactive_outcome"),
        (P, "confirmed", moment(6, P), None, "inactive_outcome"),
        (S, "change", moment(1, S), pytest.approx(100 * (1 / 1.72 + 1 / 2.05 - 1)), None),
        (S, "confirmed", moment(6, S), pytest.approx(100 * (1 / 1.72 + 1 / 2.05 - 1)), None),
    ]
    gone = margin_history(world.source, MarketChoice(world.events["derby"], *OVER_UNDER_3), now=NOW).points
    assert gone["margin_missing"].to_list() == [None, "unavailable", None, None]
    one = margin_history(world.source, MarketChoice(world.events["derby"], FIRST_SCORER[0]), now=NOW).points
    assert set(one["margin_missing"]) == {"one_sided"}


def test_what_was_never_seen_is_told_from_what_has_no_history(world: HandMade) -> None:
    with pytest.raises(NotFound, match="no event 999"):
        odds_history(world.source, MarketChoice(999, RESULT[0]), now=NOW)
    with pytest.raises(NotFound, match="no event 4294967296"):
        odds_history(world.source, MarketChoice(2**32, RESULT[0]), now=NOW)
    with pytest.raises(NotFound, match="no market '0815'"):
        odds_history(world.source, MarketChoice(world.events["derby"], "0815"), now=NOW)
    with pytest.raises(BadQuestion, match=r"nobet.*known are .*sportybet"):
        odds_history(world.source, MarketChoice(world.events["derby"], RESULT[0], bookmakers=["nobet"]), now=NOW)
    assert odds_history(world.source, MarketChoice(world.events["away"], "5000"), now=NOW).points.is_empty()


def test_times_are_aware_and_in_order(world: HandMade) -> None:
    choice = MarketChoice(world.events["derby"], RESULT[0])
    naive = datetime(2026, 11, 20, 12)  # noqa: DTZ001
    for since, until, now in ((naive, None, NOW), (None, naive, NOW), (None, None, naive)):
        with pytest.raises(ValueError, match="no time zone"):
            odds_history(world.source, choice, since, until, now=now)
    with pytest.raises(BadQuestion, match=r"ends .* before it begins"):
        odds_history(world.source, choice, CYCLES[3], CYCLES[2], now=NOW)
    west = timezone(timedelta(hours=-9))
    since, until = CYCLES[1], CYCLES[4]
    shifted = odds_history(world.source, choice, since.astimezone(west), until.astimezone(west), now=NOW)
    assert shifted.points.equals(odds_history(world.source, choice, since, until, now=NOW).points)


def test_days_that_were_not_imported_are_told_with_every_history(world: HandMade) -> None:
    """R18"""
    asked: list[tuple[date, date]] = []

    def unimported(first: date, last: date) -> list[date]:
        asked.append((first, last))
        return [day for day in (date(2026, 11, 18), date(2026, 11, 20)) if first <= day <= last]

    source = OddsSource(world.source.database, world.source.archive, unimported)
    choice = MarketChoice(world.events["derby"], RESULT[0])
    assert odds_history(source, choice, now=NOW).unimported == [date(2026, 11, 18), date(2026, 11, 20)]
    since = datetime(2026, 11, 19, tzinfo=UTC)
    # What held on the 19th may have been changed on the 18th.
    assert margin_history(source, choice, since, now=NOW).unimported == [date(2026, 11, 18), date(2026, 11, 20)]
    assert margin_history(source, choice, CYCLES[1], now=NOW).unimported == [date(2026, 11, 20)]
    assert asked
