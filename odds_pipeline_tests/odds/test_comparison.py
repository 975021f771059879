"""Best prices and who moved first, worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.odds.comparison import COMPARISON, MOVES, compared, rounds
from odds_pipeline_tests.odds.states_by_hand import Price, Row, frame, state

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
OVER_2: tuple[str, Decimal | None] = ("5000", Decimal("2.5"))
OVER_3: tuple[str, Decimal | None] = ("5000", Decimal("3.5"))
MARKET_IDS = {"betpawa": 1, "sportybet": 2, "bet9ja": 3}


def offer(
    bookmaker: str,
    outcomes: Mapping[str, Price],
    minutes: float = 0,
    *,
    cycle: int | None = None,
    market_id: int | None = None,
    **more: Any,
) -> Row:
    """A bookmaker's market from so many minutes after noon on; each minute is a cycle."""
    return state(
        NOON + timedelta(minutes=minutes),
        outcomes,
        bookmaker=bookmaker,
        run=int(minutes) if cycle is None else cycle,
        market_id=market_id or MARKET_IDS[bookmaker],
        **more,
    )


def best(*rows: Row) -> list[dict[str, Any]]:
    """The outcomes compared; how fresh prices are is told of each and changes nothing."""
    states = frame(rows).with_columns(last_confirmed_at="captured_at", is_stale=pl.col("bookmaker_slug") == "bet9ja")
    found = compared(states, list(MARKET_IDS))
    assert found.schema == pl.Schema(dict(COMPARISON))
    return found.to_dicts()


def price(row: dict[str, Any], bookmaker: str) -> dict[str, Any]:
    (found,) = [price for price in row["prices"] if price["bookmaker_slug"] == bookmaker]
    return found


def test_of_two_markets_for_one_line_the_one_on_offer_counts_then_the_newer() -> None:
    """As two listings of one match have them: no outcome is there twice."""
    rows = (
        offer("betpawa", {"1": "2.00", "2": "1.80"}),
        offer("betpawa", {"1": "9.00", "2": "1.10"}, 5, market_id=7, gone=True),
        offer("sportybet", {"1": "2.50"}, 5, market_id=8),
        offer("sportybet", {"1": "8.00", "2": "1.20"}, 4),
        offer("bet9ja", {"1": "1.90"}, market_id=10),
        offer("bet9ja", {"1": "1.95"}, market_id=9),
    )
    for order in (rows, rows[::-1]):
        home, away = best(*order)
        assert {each["bookmaker_slug"]: str(each["odds"].normalize()) for each in home["prices"]} == {
            "betpawa": "2",
            "sportybet": "2.5",
            "bet9ja": "1.9",
        }
        assert [len(each["prices"]) for each in (home, away)] == [3, 1]
        assert (home["best_bookmakers"], home["betpawa_odds"]) == (["sportybet"], Decimal(2))


def test_an_outcome_has_its_best_price_and_every_difference_to_betpawa() -> None:
    home, away = best(
        offer("betpawa", {"1": "2.00", "2": "1.80"}),
        offer("sportybet", {"1": "2.10", "2": "1.71"}),
        offer("bet9ja", {"1": "1.90", "2": "1.80"}),
    )
    assert (home["best_odds"], home["best_bookmakers"], home["betpawa_odds"]) == (
        Decimal("2.1"),
        ["sportybet"],
        Decimal(2),
    )
    assert (away["best_odds"], away["best_bookmakers"]) == (Decimal("1.8"), ["betpawa", "bet9ja"]), "ties are named"
    assert [each["bookmaker_slug"] for each in home["prices"]] == ["betpawa", "sportybet", "bet9ja"]
    assert [(each["difference"], each["difference_percent"]) for each in home["prices"]] == [
        (Decimal(0), 0),
        (Decimal("0.1"), pytest.approx(5)),
        (Decimal("-0.1"), pytest.approx(-5)),
    ]
    assert price(away, "sportybet")["difference_percent"] == pytest.approx(-5)
    assert [(each["last_confirmed_at"], each["is_stale"]) for each in home["prices"]] == [
        (NOON, False),
        (NOON, False),
        (NOON, True),
    ]
    words = ("event_id", "betpawa_market_id", "betpawa_market_name", "line", "key", "name")
    assert [home[name] for name in words] == [1, "3743", "name of 3743", None, "1", "name 1"]


def test_what_cannot_be_bet_on_is_shown_and_never_best() -> None:
    home, away = best(
        offer("betpawa", {"1": "2.00", "2": "1.80"}),
        offer("sportybet", {"1": ("9.00",), "2": None}),
        offer("bet9ja", {"1": "8.00", "2": "8.00"}, gone=True),
    )
    assert (home["best_odds"], home["best_bookmakers"]) == (Decimal(2), ["betpawa"])
    suspended = price(home, "sportybet")
    assert (suspended["odds"], suspended["is_active"], suspended["difference"]) == (Decimal(9), False, None)
    taken_away = price(home, "bet9ja")
    assert (taken_away["odds"], taken_away["is_active"], taken_away["difference_percent"]) == (Decimal(8), False, None)
    assert price(away, "sportybet")["odds"] is None


def test_without_betpawas_price_there_is_no_difference() -> None:
    for betpawa in (
        [],
        [offer("betpawa", {"1": ("2.00",)})],
        [offer("betpawa", {"1": "2.00"}, gone=True)],
        [offer("betpawa", {"2": "2.00"})],
    ):
        home = next(row for row in best(*betpawa, offer("sportybet", {"1": "2.10"})) if row["key"] == "1")
        assert (home["betpawa_odds"], home["best_bookmakers"]) == (None, ["sportybet"])
        assert {(each["difference"], each["difference_percent"]) for each in home["prices"]} == {(None, None)}


def test_an_outcome_that_nobody_takes_bets_on_has_no_best_price() -> None:
    (home,) = best(offer("betpawa", {"1": ("2.00",)}), offer("sportybet", {"1": "2.10"}, gone=True))
    assert (home["best_odds"], home["best_bookmakers"], home["betpawa_odds"]) == (None, [], None)
    assert best() == []


def test_outcomes_meet_by_their_key_and_lines_stay_apart() -> None:
    rows = best(
        offer("sportybet", {"under": "1.90", "over": "2.00"}, market=OVER_2),
        offer("betpawa", {"over": "1.95", "under": "1.85"}, market=OVER_2, market_id=11),
        offer("betpawa", {"over": "3.10"}, market=OVER_3, market_id=12),
        offer("betpawa", {"over": "1.50"}, market=("5000", None), market_id=13),
        offer("bet9ja", {"bet9ja:exact": "7.00"}, market=OVER_2, market_id=14),
    )
    assert [(row["line"], row["key"], row["best_odds"]) for row in rows] == [
        (None, "over", Decimal("1.5")),
        (Decimal("2.5"), "over", Decimal(2)),
        (Decimal("2.5"), "under", Decimal("1.9")),
        (Decimal("2.5"), "bet9ja:exact", Decimal(7)),
        (Decimal("3.5"), "over", Decimal("3.1")),
    ], "in betPawa's order, what it lacks behind"


def test_names_are_betpawas_where_it_has_them() -> None:
    rows = [offer("bet9ja", {"1": "2.00", "x": "3.00"}), offer("betpawa", {"1": "2.00"})]
    rows[0]["betpawa_market_name"] = rows[0]["outcomes"][0]["name"] = rows[0]["outcomes"][1]["name"] = "theirs"
    assert [(row["betpawa_market_name"], row["key"], row["name"]) for row in best(*rows)] == [
        ("name of 3743", "1", "name 1"),
        ("theirs", "x", "theirs"),
    ]


def first(
    *rows: Row, before: Sequence[Row] = (), within: timedelta = AN_HOUR
) -> list[tuple[str, str, str, float, str, str, list[tuple[str, float]]]]:
    """Each round in short: outcome, direction, who began, minutes after noon, from, to, who followed, seconds later."""
    found = rounds(frame(before), frame(rows), within)
    assert found.schema == pl.Schema(dict(MOVES))
    return [
        (
            row["key"],
            row["direction"],
            row["first_bookmaker"],
            (row["first_at"] - NOON) / timedelta(minutes=1),
            f"{row['odds_before']:.2f}",
            f"{row['odds_after']:.2f}",
            [(each["bookmaker_slug"], each["lag_seconds"]) for each in row["followers"]],
        )
        for row in found.to_dicts()
    ]


OPENING = [offer(slug, {"1": "2.00", "2": "1.80"}, -60) for slug in MARKET_IDS]


def test_how_much_later_a_follower_was_is_told_to_the_millisecond() -> None:
    later = timedelta(seconds=258, microseconds=815193) / timedelta(minutes=1)
    found = first(
        offer("betpawa", {"1": "2.10", "2": "1.80"}),
        offer("sportybet", {"1": "2.20", "2": "1.80"}, later),
        before=OPENING,
    )
    assert found[0][-1] == [("sportybet", 258.815)]


def test_who_moves_first_begins_a_round_and_others_follow() -> None:
    assert first(
        offer("sportybet", {"1": "1.90", "2": "1.80"}, 10),
        offer("bet9ja", {"1": "1.85", "2": "1.90"}, 15),
        offer("betpawa", {"1": "1.95", "2": "1.80"}, 69.5),
        before=OPENING,
    ) == [
        ("1", "down", "sportybet", 10, "2.00", "1.90", [("bet9ja", 300), ("betpawa", 59.5 * 60)]),
        ("2", "up", "bet9ja", 15, "1.80", "1.90", []),
    ]


def test_a_move_an_hour_later_follows_and_a_later_one_begins_a_round() -> None:
    moved = offer("sportybet", {"1": "1.90", "2": "1.80"}, 0)
    on_time = offer("betpawa", {"1": "1.90", "2": "1.80"}, 60)
    late = offer("betpawa", {"1": "1.90", "2": "1.80"}, 60) | {"captured_at": NOON + AN_HOUR + INSTANT}
    assert first(moved, on_time, before=OPENING) == [
        ("1", "down", "sportybet", 0, "2.00", "1.90", [("betpawa", 3600)]),
    ]
    assert [each[2] for each in first(moved, late, before=OPENING)] == ["sportybet", "betpawa"]
    assert len(first(moved, on_time, before=OPENING, within=timedelta(minutes=59))) == 2
    assert len(first(moved, on_time, before=OPENING, within=timedelta())) == 2


def test_the_time_is_counted_from_the_first_move_and_not_from_the_last() -> None:
    """At 50 minutes bet9ja follows; at 70 betPawa begins a round of its own, which sportybet follows at 100."""
    assert first(
        offer("sportybet", {"1": "1.90"}, 0),
        offer("bet9ja", {"1": "1.90"}, 50),
        offer("betpawa", {"1": "1.90"}, 70),
        offer("sportybet", {"1": "1.80"}, 100),
        before=OPENING,
    ) == [
        ("1", "down", "sportybet", 0, "2.00", "1.90", [("bet9ja", 3000)]),
        ("1", "down", "betpawa", 70, "2.00", "1.90", [("sportybet", 1800)]),
    ]


def test_a_bookmaker_that_moves_again_in_a_round_adds_nothing_to_it() -> None:
    assert first(
        offer("sportybet", {"1": "1.90"}, 0),
        offer("sportybet", {"1": "1.80"}, 5),
        offer("betpawa", {"1": "1.90"}, 10),
        offer("betpawa", {"1": "1.80"}, 20),
        before=OPENING,
    ) == [("1", "down", "sportybet", 0, "2.00", "1.90", [("betpawa", 600)])]


def test_up_and_down_are_rounds_of_their_own() -> None:
    assert first(
        offer("sportybet", {"1": "1.90"}, 0),
        offer("sportybet", {"1": "2.00"}, 5),
        offer("betpawa", {"1": "2.10"}, 10),
        offer("bet9ja", {"1": "1.90"}, 20),
        before=OPENING,
    ) == [
        ("1", "down", "sportybet", 0, "2.00", "1.90", [("bet9ja", 1200)]),
        ("1", "up", "sportybet", 5, "1.90", "2.00", [("betpawa", 300)]),
    ]


def test_of_two_that_move_at_one_instant_the_first_by_name_begins() -> None:
    assert first(
        offer("sportybet", {"1": "1.90"}, 5), offer("betpawa", {"1": "1.90"}, 5), before=OPENING
    ) == [("1", "down", "betpawa", 5, "2.00", "1.90", [("sportybet", 0)])]  # fmt: skip


def test_what_one_cycle_found_is_marked_for_nobody_knows_who_was_first() -> None:
    found = rounds(
        frame(OPENING),
        frame(
            [
                offer("sportybet", {"1": "1.90"}, 5, cycle=7),
                offer("betpawa", {"1": "1.90"}, 5.1, cycle=7),
                offer("bet9ja", {"1": "1.90"}, 10, cycle=8),
            ]
        ),
        AN_HOUR,
    )
    assert [(each["bookmaker_slug"], each["is_same_cycle"]) for each in found["followers"][0]] == [
        ("betpawa", True),
        ("bet9ja", False),
    ]


def test_a_suspension_is_no_move_and_the_return_at_another_price_is() -> None:
    suspended = offer("betpawa", {"1": ("2.00",), "2": "1.80"}, 0)
    assert first(suspended, offer("betpawa", {"1": "2.00", "2": "1.80"}, 5), before=OPENING) == []
    assert first(suspended, offer("betpawa", {"1": "2.20", "2": "1.80"}, 5), before=OPENING) == [
        ("1", "up", "betpawa", 5, "2.00", "2.20", [])
    ]


def test_going_away_is_no_move_and_the_return_at_another_price_is() -> None:
    gone = offer("betpawa", {"1": "2.00", "2": "1.80"}, 0, gone=True)
    assert first(gone, offer("betpawa", {"1": "2.00", "2": "1.80"}, 5), before=OPENING) == []
    assert first(gone, offer("betpawa", {"1": "1.90", "2": "1.80"}, 5), before=OPENING) == [
        ("1", "down", "betpawa", 5, "2.00", "1.90", [])
    ]
    left_out = offer("betpawa", {"2": "1.80"}, 0)
    assert first(left_out, offer("betpawa", {"1": "2.20", "2": "1.80"}, 5), before=[]) == [], "a first price is no move"
    offered = offer("betpawa", {"1": "2.00"}, -1)
    assert first(offered, left_out, offer("betpawa", {"1": "2.20", "2": "1.80"}, 5)) == [
        ("1", "up", "betpawa", 5, "2.00", "2.20", [])
    ]


def test_the_price_before_is_read_off_the_state_that_held_then() -> None:
    """Suspended or gone as it was: the state shows the last price that could be bet on."""
    back = offer("betpawa", {"1": "2.20"}, 5)
    for before in (offer("betpawa", {"1": ("2.00",)}, -9), offer("betpawa", {"1": "2.00"}, -9, gone=True)):
        assert first(back, before=[before]) == [("1", "up", "betpawa", 5, "2.00", "2.20", [])]
    assert first(back, before=[offer("betpawa", {"1": None}, -9)]) == []
    assert first(back, before=[]) == []
    assert first() == []


def test_lines_are_apart_and_rounds_come_in_the_order_of_time() -> None:
    rows = [
        offer("betpawa", {"over": "2.00"}, -9, market=OVER_3, market_id=11),
        offer("betpawa", {"over": "2.00"}, -9, market=OVER_2, market_id=12),
        offer("sportybet", {"over": "2.00"}, -9, market=OVER_3, market_id=13),
        offer("betpawa", {"over": "1.90"}, 5, market=OVER_3, market_id=11),
        offer("betpawa", {"over": "1.90"}, 4, market=OVER_2, market_id=12),
        offer("sportybet", {"over": "1.90"}, 6, market=OVER_3, market_id=13),
    ]
    found = rounds(frame([]), frame(rows), AN_HOUR)
    assert found.select("line", "name", "betpawa_market_name", pl.col("followers").list.len()).rows() == [
        (Decimal("2.5"), "name over", "name of 5000", 0),
        (Decimal("3.5"), "name over", "name of 5000", 1),
    ]
