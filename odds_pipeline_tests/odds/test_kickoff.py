"""Buckets before kick-off, worked out by hand, kick-offs that were moved among them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from odds_pipeline.odds.kickoff import BUCKET_ROWS, BUCKETS, TO_KICKOFF, bucket_rows, opening_closing, to_kickoff
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


def prices(rows: Sequence[Row], kickoffs: Kickoffs = UNMOVED, now: datetime = AFTER) -> dict[str, Any]:
    """Bucket to the home price at its end, None while the market was unavailable."""
    return {
        row["bucket"]: None if row["is_unavailable"] else float(row["outcomes"][0]["odds"])
        for row in buckets(rows, kickoffs, now)
    }


def changes(rows: Sequence[Row], kickoffs: Kickoffs = UNMOVED, now: datetime = AFTER) -> dict[str, int]:
    """Bucket to the number of changes in it."""
    return {row["bucket"]: row["changes"] for row in buckets(rows, kickoffs, now)}


@pytest.mark.parametrize(
    ("time_left", "bucket"),
    [
        (timedelta(days=8), "7d+"),
        (timedelta(days=7), "7d+"),
        (timedelta(days=7) - INSTANT, "3-7d"),
        (timedelta(days=3), "3-7d"),
        (timedelta(days=3) - INSTANT, "24-72h"),
        (timedelta(hours=24), "24-72h"),
        (timedelta(hours=24) - INSTANT, "6-24h"),
        (timedelta(hours=6), "6-24h"),
        (timedelta(hours=6) - INSTANT, "1-6h"),
        (timedelta(hours=1), "1-6h"),
        (timedelta(hours=1) - INSTANT, "<1h"),
        (INSTANT, "<1h"),
        (timedelta(), "after"),
        (-timedelta(minutes=1), "after"),
    ],
)
def test_a_change_belongs_to_the_bucket_whose_least_time_is_left(time_left: timedelta, bucket: str) -> None:
    counted = changes([home(SEEN, "1.50"), home(KICKOFF - time_left, "1.60")])
    assert counted == dict.fromkeys(BUCKETS, 0) | {bucket: 1}


def test_a_state_counts_in_every_bucket_that_it_holds_through() -> None:
    rows = [home(SEEN, "1.50"), home(before(hours=30), "1.60"), home(before(hours=5), "1.70")]
    assert prices(rows) == {
        "7d+": 1.5,
        "3-7d": 1.5,
        "24-72h": 1.6,
        "6-24h": 1.6,
        "1-6h": 1.7,
        "<1h": 1.7,
        "after": 1.7,
    }


def test_the_value_of_a_bucket_is_the_one_at_its_very_end() -> None:
    rows = [home(SEEN, "1.50"), home(before(hours=6), "1.60"), home(before(hours=6) + INSTANT, "1.70")]
    assert (prices(rows)["6-24h"], prices(rows)["1-6h"]) == (1.6, 1.7)


def test_a_bucket_that_has_not_begun_has_no_row_and_the_running_one_ends_now() -> None:
    rows = [home(before(hours=20), "1.50"), home(before(hours=4), "1.60"), home(before(hours=3), "1.70")]
    now = before(hours=3, minutes=30)
    assert prices(rows, now=now) == {"6-24h": 1.5, "1-6h": 1.6}
    assert [row["bucket_end"] for row in buckets(rows, now=now)] == [before(hours=6), now]
    assert prices(rows, now=before(hours=6)) == {"6-24h": 1.5}
    assert prices(rows, now=before(hours=6) + INSTANT) == {"6-24h": 1.5, "1-6h": 1.5}
    assert prices(rows, now=before(hours=3))["1-6h"] == 1.7, "what is seen this very moment is known"


def test_a_market_has_no_row_in_buckets_that_ended_before_it_was_seen() -> None:
    assert list(prices([home(before(hours=2), "1.50")])) == ["1-6h", "<1h", "after"]
    assert prices([]) == {}


def test_the_first_sighting_is_no_change_and_going_and_returning_are_two() -> None:
    rows = [
        home(before(hours=5), "1.50"),
        home(before(hours=4), "1.50", gone=True),
        home(before(hours=3), "1.50"),
        home(KICKOFF, "1.50", gone=True),
    ]
    assert changes(rows) == {"1-6h": 2, "<1h": 0, "after": 1}
    assert prices(rows) == {"1-6h": 1.5, "<1h": 1.5, "after": None}


def test_a_row_says_what_the_market_was_then() -> None:
    """1/1.60 + 1/2.40 = 1.041666...; 1.60 is a fifth below 2.00 and 2.40 a third above 1.80."""
    rows = [state(before(hours=5), {"1": "2.00", "2": "1.80"}), state(before(hours=2), {"1": "1.60", "2": "2.40"})]
    (row,) = buckets(rows, now=before(hours=2))
    assert list(row) == list(BUCKET_ROWS)
    assert row["margin"] == pytest.approx(100 / 24)
    assert row["odds_move"] == pytest.approx((20 + 100 / 3) / 2)
    words = ("event_id", "tournament_id", "tournament", "country", "bookmaker_slug", "betpawa_market_id", "market_id")
    assert [row[name] for name in words] == [1, 11, "Premier League", "England", "betpawa", "3743", 1]
    assert (row["kickoff"], row["line"], row["margin_missing"], row["is_trusted"]) == (KICKOFF, None, None, True)


def test_only_what_can_be_bet_on_has_moved() -> None:
    rows = [
        state(before(hours=5), {"1": "2.00", "2": "1.80"}),
        state(before(hours=4), {"1": "2.50", "2": ("1.80",), "3": "4.00"}),
        state(before(minutes=30), {"1": "3.00", "2": ("1.80",), "3": "4.00"}, gone=True),
    ]
    moved = {row["bucket"]: (row["odds_move"], row["margin_missing"]) for row in buckets(rows)}
    # Of the third outcome 4.00 is the opening.
    assert moved["1-6h"] == (pytest.approx((25 + 0) / 2), "inactive_outcome")
    assert moved["<1h"] == (None, "unavailable")


def test_a_match_postponed_before_its_kickoff_goes_through_its_buckets_again() -> None:
    """Two hours before the match it is put off by a day: 1-6h, then 26 hours to go again."""
    told = before(hours=2)
    kickoffs = [*UNMOVED, (told, POSTPONED)]
    rows = [
        home(before(hours=30), "1.50"),
        home(before(hours=5), "1.60"),  # 1-6h
        home(before(hours=1), "1.70"),  # 25 hours before the new kick-off: 24-72h
        home(KICKOFF + timedelta(hours=8), "1.80"),  # 16 before it: 6-24h
        home(KICKOFF + timedelta(hours=22), "1.90"),  # 2 before it: 1-6h
    ]
    now = POSTPONED + timedelta(hours=1)
    assert prices(rows, kickoffs, now) == {"24-72h": 1.7, "6-24h": 1.8, "1-6h": 1.9, "<1h": 1.9, "after": 1.9}
    assert changes(rows, kickoffs, now) == {"24-72h": 1, "6-24h": 1, "1-6h": 2, "<1h": 0, "after": 0}
    assert {row["kickoff"] for row in buckets(rows, kickoffs, now)} == {POSTPONED}
    # While it is 24-72h before the new kick-off, 1-6h is over, and ended when the news came.
    seen = {row["bucket"]: row for row in buckets(rows, kickoffs, now=before(minutes=30))}
    assert list(seen) == ["24-72h", "6-24h", "1-6h"]
    assert (seen["1-6h"]["bucket_end"], seen["1-6h"]["kickoff"]) == (told, KICKOFF)
    assert (seen["24-72h"]["bucket_end"], seen["24-72h"]["kickoff"]) == (before(minutes=30), POSTPONED)
    assert seen["1-6h"]["outcomes"][0]["odds"] == rows[1]["outcomes"][0]["odds"]


def test_a_match_postponed_after_its_first_kickoff_was_after_it_for_a_while() -> None:
    """At its kick-off nobody knew better; two hours later it was put off by a day."""
    told = KICKOFF + timedelta(hours=2)
    kickoffs = [*UNMOVED, (told, POSTPONED)]
    rows = [
        home(before(hours=5), "1.50"),
        home(KICKOFF, "1.50", gone=True),
        home(told, "1.60"),  # 22 hours to go
        home(POSTPONED, "1.60", gone=True),
    ]
    assert prices(rows, kickoffs, told - INSTANT) == {"1-6h": 1.5, "<1h": 1.5, "after": None}
    now = POSTPONED + timedelta(hours=1)
    assert prices(rows, kickoffs, now) == {"6-24h": 1.6, "1-6h": 1.6, "<1h": 1.6, "after": None}
    assert changes(rows, kickoffs, now) == {"6-24h": 1, "1-6h": 0, "<1h": 0, "after": 2}


def test_a_match_brought_forward_jumps_over_buckets() -> None:
    """Thirty hours before, it is brought forward by a day: six hours to go, and soon one."""
    told = before(hours=30)
    earlier = KICKOFF - timedelta(days=1)
    kickoffs = [*UNMOVED, (told, earlier)]
    rows = [home(before(hours=40), "1.50"), home(told + timedelta(minutes=1), "1.60")]
    assert prices(rows, kickoffs, told) == {"24-72h": 1.5, "6-24h": 1.5}
    assert prices(rows, kickoffs, earlier) == {"24-72h": 1.5, "6-24h": 1.5, "1-6h": 1.6, "<1h": 1.6, "after": 1.6}
    assert changes(rows, kickoffs, earlier) == {"24-72h": 0, "6-24h": 0, "1-6h": 1, "<1h": 0, "after": 0}


def test_a_match_brought_forward_into_the_past_has_begun() -> None:
    told = before(hours=2)
    rows = [home(before(hours=5), "1.50"), home(before(hours=1), "1.60")]
    moved = [*UNMOVED, (told, before(hours=3))]
    assert prices(rows, moved, now=before(minutes=30)) == {"1-6h": 1.5, "after": 1.6}


def test_a_time_without_a_known_kickoff_is_in_no_bucket() -> None:
    kickoffs = [(SEEN, KICKOFF), (before(hours=5), None), (before(hours=3), KICKOFF)]
    rows = [home(before(hours=7), "1.50"), home(before(hours=4), "1.60"), home(before(minutes=50), "1.70")]
    assert changes(rows, kickoffs) == {"6-24h": 0, "1-6h": 0, "<1h": 1, "after": 0}
    assert prices(rows, kickoffs, now=before(hours=4)) == {"6-24h": 1.5, "1-6h": 1.5}
    assert prices(rows, [(SEEN, None)]) == {}


def test_before_the_first_known_kickoff_that_one_counts_and_a_later_one_not() -> None:
    """Imported odds are older than what is known of their kick-off."""
    rows = [home(before(days=2), "1.50"), home(before(hours=3), "1.60")]
    late = [(AFTER, KICKOFF)]
    assert prices(rows, late) == {"24-72h": 1.5, "6-24h": 1.5, "1-6h": 1.6, "<1h": 1.6, "after": 1.6}
    assert prices(rows, [*late, (AFTER + INSTANT, POSTPONED)]) == prices(rows, late), "nobody knows that yet"
    (row,) = opening_closing(frame(rows[:1]), EVENTS, known([*late, (AFTER + INSTANT, None)]), now=AFTER)[:1].to_dicts()
    assert (row["kickoff"], row["is_kickoff_moved"]) == (KICKOFF, False)


def test_groups_are_summed_up_bucket_by_bucket() -> None:
    two_hours, half_an_hour = before(hours=2), before(minutes=30)
    rows = [
        state(two_hours, {"1": "2.00", "2": "2.00"}),  # no margin at all
        state(half_an_hour, {"1": "1.60", "2": "2.50"}),  # 2.5; moved by 20 and 25
        state(two_hours, {"1": "1.60", "2": "2.50"}, event=3, market_id=2),
        state(half_an_hour, {"1": "1.60", "2": ("2.50",)}, event=3, market_id=2),
        state(two_hours, {"1": "4.00", "2": "4.00"}, event=2, market_id=3, bookmaker="bet9ja"),
        state(two_hours, {"1": "1.25", "2": "1.25"}, event=2, market_id=4, bookmaker="bet9ja", trusted=False,
              market=("5000", None)),
    ]  # fmt: skip
    kickoffs = pl.concat([known(), known(event=2), known(event=3)])
    each = bucket_rows(frame(rows), EVENTS, kickoffs, now=before(minutes=10))
    summed = to_kickoff(each, ("bookmaker_slug", "betpawa_market_id"))
    assert summed.schema == pl.Schema(dict(TO_KICKOFF))
    sums = ("betpawa_market_id", "bookmaker_slug", "bucket", "events", "markets", "changes", "mean_margin",
            "mean_odds_move")  # fmt: skip
    assert summed.select(sums).rows() == [
        ("3743", "bet9ja", "1-6h", 1, 1, 0, pytest.approx(-50), 0),
        ("3743", "bet9ja", "<1h", 1, 1, 0, pytest.approx(-50), 0),
        ("3743", "betpawa", "1-6h", 2, 2, 0, pytest.approx(1.25), 0),
        ("3743", "betpawa", "<1h", 2, 2, 2, pytest.approx(2.5), pytest.approx((22.5 + 0) / 2)),
        ("5000", "bet9ja", "1-6h", 1, 1, 0, None, None),
        ("5000", "bet9ja", "<1h", 1, 1, 0, None, None),
    ]
    by_tournament = to_kickoff(each, ["tournament"])
    assert by_tournament.select("tournament_id", "country", "bookmaker_slug", "bucket", "events", "markets").rows() == [
        (11, "England", None, "1-6h", 2, 2),
        (11, "England", None, "<1h", 2, 2),
        (22, "Egypt", None, "1-6h", 1, 2),
        (22, "Egypt", None, "<1h", 1, 2),
    ]
    assert to_kickoff(each, []).select("bucket", "events", "markets").rows() == [("1-6h", 3, 4), ("<1h", 3, 4)]
    assert to_kickoff(each.clear(), []).is_empty()
