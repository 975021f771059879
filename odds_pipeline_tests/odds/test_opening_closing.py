"""Opening against closing, worked out by hand, kick-offs that were moved among them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from odds_pipeline.odds.kickoff import OPENING_CLOSING, opening_closing
from odds_pipeline_tests.odds.kickoffs_by_hand import (
    AFTER,
    EVENTS,
    INSTANT,
    KICKOFF,
    POSTPONED,
    SEEN,
    UNMOVED,
    Kickoffs,
    before,
    buckets,
    home,
    known,
)
from odds_pipeline_tests.odds.states_by_hand import Row, frame, state


def compared(rows: Sequence[Row], kickoffs: Kickoffs = UNMOVED, now: datetime = AFTER) -> dict[str, dict[str, Any]]:
    """Opening and closing of each outcome."""
    found = opening_closing(frame(rows), EVENTS, known(kickoffs), now=now)
    assert found.schema == pl.Schema(dict(OPENING_CLOSING))
    return {row["key"]: row for row in found.to_dicts()}


def odds(row: dict[str, Any]) -> tuple[float | None, ...]:
    """Opening and closing price."""
    return tuple(None if row[name] is None else float(row[name]) for name in ("opening_odds", "closing_odds"))


def test_opening_is_the_first_price_and_closing_the_last_before_kickoff() -> None:
    rows = [
        state(before(days=2), {"1": "2.00", "2": "1.80"}),
        state(before(hours=2), {"1": "1.50", "2": "2.70"}),
        state(KICKOFF, {"1": "1.20", "2": "4.00"}),  # in play
    ]
    found = compared(rows)
    assert (odds(found["1"]), odds(found["2"])) == ((2.0, 1.5), (1.8, 2.7))
    assert (found["1"]["move_percent"], found["2"]["move_percent"]) == (pytest.approx(-25), pytest.approx(50))
    assert (found["1"]["opening_at"], found["1"]["closing_at"]) == (before(days=2), before(hours=2))
    assert found["1"]["opening_margin"] == pytest.approx(100 * (1 / 2 + 1 / 1.8 - 1))
    assert found["1"]["closing_margin"] == pytest.approx(100 * (1 / 1.5 + 1 / 2.7 - 1))
    assert (found["1"]["kickoff"], found["1"]["is_kickoff_moved"], found["1"]["name"]) == (KICKOFF, False, "name 1")


def test_what_is_not_trusted_opens_nothing() -> None:
    """The earlier system's fault is no move: the first price that is trusted is the opening."""
    rows = [
        state(before(days=3), {"1": "9.00", "2": "1.10"}, trusted=False),
        state(before(days=2), {"1": "2.00", "3": "1.80"}),
        state(before(hours=2), {"1": "1.50", "3": "2.70"}),
    ]
    found = compared(rows)
    assert {key: (*odds(row), row["is_trusted"]) for key, row in found.items()} == {
        "1": (2.0, 1.5, False),
        "2": (None, None, False),
        "3": (1.8, 2.7, True),
    }
    assert (found["1"]["opening_at"], found["2"]["opening_at"]) == (before(days=2), None)
    assert found["1"]["move_percent"] == pytest.approx(-25)
    assert found["1"]["opening_margin"] == pytest.approx(100 * (1 / 2 + 1 / 1.8 - 1))
    assert [row["odds_move"] for row in buckets(rows) if row["bucket"] == "<1h"] == [pytest.approx((25 + 50) / 2)]
    untrusted = [row | {"is_trusted": False} for row in rows]
    assert odds(compared(untrusted)["1"]) == (None, 1.5)
    assert {row["odds_move"] for row in buckets(untrusted)} == {None}
    closed = compared([*rows[1:], rows[0] | {"captured_at": before(hours=1)}])["1"]
    assert (odds(closed), closed["is_trusted"]) == ((2.0, 9.0), False), "the closing is what it is, and marked"


def test_a_market_closes_with_its_last_available_state() -> None:
    """A state that is taken away at the kick-off, or long before it, is the closing one; its time is when it began."""
    rows = [home(before(days=2), "1.50"), home(before(hours=9), "1.60"), home(before(hours=3), "1.60", gone=True)]
    assert odds(compared(rows)["1"]) == (1.5, 1.6)
    assert compared(rows)["1"]["closing_at"] == before(hours=9)
    returned = [*rows, home(before(hours=1), "1.70"), home(KICKOFF, "1.70", gone=True)]
    assert odds(compared(returned)["1"]) == (1.5, 1.7)
    too_late = [*rows, home(KICKOFF, "1.70")]
    assert odds(compared(too_late)["1"]) == (1.5, 1.6)


def test_a_suspended_outcome_closes_at_its_last_price_and_one_that_is_gone_has_none() -> None:
    rows = [
        state(before(days=2), {"1": ("2.00",), "2": "1.80", "3": "9.00", "4": None}),
        state(before(hours=9), {"1": "2.10", "2": ("1.80",), "4": None, "5": "7.00"}),
    ]
    found = compared(rows)
    assert {key: odds(row) for key, row in found.items()} == {
        "1": (2.1, 2.1),
        "2": (1.8, 1.8),
        "3": (9.0, None),
        "5": (7.0, 7.0),
    }, "an outcome that never had a price while it was active has neither"
    active = {key: row["closing_is_active"] for key, row in found.items()}
    assert active == {"1": True, "2": False, "3": None, "5": True}
    assert found["1"]["opening_at"] == before(hours=9), "when it could be bet on first"
    assert found["3"]["move_percent"] is None
    missing = (found["1"]["opening_margin_missing"], found["1"]["closing_margin_missing"])
    assert missing == ("inactive_outcome", "inactive_outcome")


def test_nothing_has_closed_before_the_match_has_begun() -> None:
    rows = [home(before(hours=5), "1.50"), home(before(hours=3), "1.60")]
    closing = [name for name in OPENING_CLOSING if name.startswith("closing")]
    early = compared(rows, now=KICKOFF - INSTANT)["1"]
    assert [early[name] for name in closing] == [None] * len(closing)
    assert (odds(early), early["move_percent"]) == ((1.5, None), None)
    assert odds(compared(rows, now=KICKOFF)["1"]) == (1.5, 1.6)


def test_a_market_seen_first_after_kickoff_has_neither_opening_nor_closing() -> None:
    assert compared([home(KICKOFF, "1.50")]) == {}
    assert compared([home(before(hours=1), "1.50", gone=True)]) == {}


def test_a_postponed_match_closes_before_its_last_kickoff() -> None:
    rows = [
        home(before(hours=5), "1.50"),
        home(KICKOFF, "1.50", gone=True),
        home(KICKOFF + timedelta(hours=2), "1.60"),
        home(POSTPONED - INSTANT, "1.70"),
        home(POSTPONED, "1.70", gone=True),
    ]
    now = POSTPONED + timedelta(hours=1)
    kickoffs = [*UNMOVED, (KICKOFF + timedelta(hours=2), POSTPONED)]
    found = compared(rows, kickoffs, now)["1"]
    assert (odds(found), found["kickoff"], found["is_kickoff_moved"]) == ((1.5, 1.7), POSTPONED, True)
    # Until the news there was nothing to be had; before the new kick-off nothing has closed again.
    assert odds(compared(rows, kickoffs, now=KICKOFF + timedelta(hours=1))["1"]) == (1.5, 1.5)
    assert odds(compared(rows, kickoffs, now=POSTPONED - INSTANT)["1"]) == (1.5, None)


def test_prices_in_play_do_not_open_or_close_a_match_that_is_postponed_then() -> None:
    """Between its first kick-off and the news the match counts as begun."""
    told = KICKOFF + timedelta(hours=2)
    rows = [home(before(hours=5), "1.50"), home(KICKOFF, "9.00"), home(told, "9.00", gone=True)]
    found = compared(rows, [*UNMOVED, (told, POSTPONED)], POSTPONED)["1"]
    assert odds(found) == (1.5, 1.5)


def test_a_match_brought_forward_closes_before_its_new_kickoff() -> None:
    earlier = before(hours=24)
    rows = [home(before(hours=40), "1.50"), home(before(hours=25), "1.60"), home(earlier, "1.70")]
    found = compared(rows, [*UNMOVED, (before(hours=30), earlier)])["1"]
    assert (odds(found), found["is_kickoff_moved"]) == ((1.5, 1.6), True)
    # Told too late: at that time the match was still to come, as far as was known.
    late = compared(rows, [*UNMOVED, (before(hours=23), earlier)])["1"]
    assert odds(late) == (1.5, 1.7)


def test_a_match_whose_kickoff_is_unknown_has_not_begun() -> None:
    rows = [home(before(hours=5), "1.50"), home(before(hours=2), "1.60")]
    assert odds(compared(rows, [(SEEN, None)])["1"]) == (1.5, None)
    told = compared(rows, [(SEEN, None), (before(hours=3), KICKOFF)])["1"]
    assert (odds(told), told["is_kickoff_moved"]) == ((1.5, 1.6), False), "that it becomes known is no move"
