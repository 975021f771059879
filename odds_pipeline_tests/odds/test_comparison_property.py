"""Best prices and rounds of moves once more in plain Python, on histories of any kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odds_pipeline.odds.comparison import compared, rounds
from odds_pipeline_tests.odds.states_by_hand import Row, frame, state

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOOKMAKERS = ("betpawa", "sportybet", "bet9ja")
LINES = (None, Decimal("2.5"))
PRICES = ("1.50", "2.00", "2.40", ("1.50",), ("2.00",), None)


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """What three bookmakers offered of two lines; states of one market differ in time alone."""
    rows: list[Row] = []
    for place, (bookmaker, line) in enumerate((bookmaker, line) for bookmaker in BOOKMAKERS for line in LINES):
        for minute in draw(st.lists(st.integers(0, 30), unique=True, max_size=5)):
            keys = draw(st.lists(st.sampled_from("12X"), unique=True))
            rows.append(
                state(
                    NOON + timedelta(minutes=10 * minute),
                    {key: draw(st.sampled_from(PRICES)) for key in keys},
                    gone=draw(st.sampled_from([False, False, True])),
                    market=("5000", line),
                    bookmaker=bookmaker,
                    market_id=place,
                    run=minute // 2,
                )
            )
    return rows


def last_states(rows: list[Row]) -> list[Row]:
    return list({row["market_id"]: row for row in sorted(rows, key=lambda row: row["captured_at"])}.values())


@given(histories())
@settings(max_examples=75, deadline=None)
def test_the_best_price_is_the_highest_that_can_be_bet_on(rows: list[Row]) -> None:
    offers: dict[tuple[Decimal | None, str], dict[str, tuple[Decimal | None, bool]]] = {}
    for row in last_states(rows):
        for outcome in row["outcomes"]:
            can_be_bet_on = outcome["is_active"] and not row["is_unavailable"]
            offers.setdefault((row["line"], outcome["key"]), {})[row["bookmaker_slug"]] = (
                outcome["odds"],
                can_be_bet_on,
            )
    expected: dict[tuple[Decimal | None, str], Any] = {}
    for outcome_key, offered in offers.items():
        open_to_bets = {slug: odds for slug, (odds, can_be_bet_on) in offered.items() if can_be_bet_on and odds}
        best = max(open_to_bets.values(), default=None)
        ours = open_to_bets.get("betpawa")
        expected[outcome_key] = (
            best,
            sorted((slug for slug, odds in open_to_bets.items() if odds == best), key=BOOKMAKERS.index),
            ours,
            [
                (slug, *offered[slug], None if ours is None or slug not in open_to_bets else open_to_bets[slug] - ours)
                for slug in sorted(offered, key=BOOKMAKERS.index)
            ],
        )
    states = frame(last_states(rows)).with_columns(last_confirmed_at="captured_at", is_stale=pl.lit(False))
    found = compared(states, BOOKMAKERS).to_dicts()
    assert {
        (row["line"], row["key"]): (
            row["best_odds"],
            row["best_bookmakers"],
            row["betpawa_odds"],
            [(each["bookmaker_slug"], each["odds"], each["is_active"], each["difference"]) for each in row["prices"]],
        )
        for row in found
    } == expected
    for row in found:
        for each in row["prices"]:
            if each["difference"] is not None:
                percent = float(each["difference"] / row["betpawa_odds"] * 100)
                assert each["difference_percent"] == pytest.approx(percent)


def plain_rounds(rows: list[Row], since: datetime, within: timedelta) -> list[tuple[Any, ...]]:
    """Every market's moves from ``since`` on, gathered into rounds; states before tell only what prices were."""
    moves: list[tuple[Any, ...]] = []
    for market_id in {row["market_id"] for row in rows}:
        last_price: dict[str, Decimal] = {}
        own = sorted((row for row in rows if row["market_id"] == market_id), key=lambda row: row["captured_at"])
        before = [row for row in own if row["captured_at"] < since][-1:]
        for row in before:
            last_price |= {each["key"]: each["odds"] for each in row["outcomes"] if each["odds"] is not None}
        for row in own:
            if row["captured_at"] < since or row["is_unavailable"]:
                continue
            for outcome in row["outcomes"]:
                key, odds = outcome["key"], outcome["odds"]
                if not outcome["is_active"] or odds is None:
                    continue
                was = last_price.get(key, odds)
                last_price[key] = odds
                if odds != was:
                    direction = "up" if odds > was else "down"
                    moves.append((row["line"], key, direction, row["captured_at"], row["bookmaker_slug"], was, odds,
                                  row["run_id"]))  # fmt: skip
    found: list[tuple[Any, ...]] = []
    open_rounds: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for line, key, direction, at, slug, was, odds, run in sorted(moves, key=lambda move: (move[3], move[4])):
        began = open_rounds.get((line, key, direction))
        if began is None or at - began[3] > within:
            began = (line, key, direction, at, slug, was, odds, run, {})
            open_rounds[line, key, direction] = began
            found.append(began)
        elif slug != began[4]:
            began[8].setdefault(slug, (at, (at - began[3]).total_seconds(), run == began[7]))
    return [(*each[:7], list(each[8].items())) for each in found]


@given(histories(), st.integers(0, 30), st.sampled_from([0, 10, 30, 60, 300]))
@settings(max_examples=75, deadline=None)
def test_rounds_are_what_their_definition_says(rows: list[Row], begin: int, minutes: int) -> None:
    since, within = NOON + timedelta(minutes=10 * begin), timedelta(minutes=minutes)
    before = last_states([row for row in rows if row["captured_at"] < since])
    during = [row for row in rows if row["captured_at"] >= since]
    found = [
        (
            *(row[name] for name in ("line", "key", "direction", "first_at", "first_bookmaker")),
            *(row["odds_before"], row["odds_after"]),
            [(f["bookmaker_slug"], (f["at"], f["lag_seconds"], f["is_same_cycle"])) for f in row["followers"]],
        )
        for row in rounds(frame(before), frame(during), within).to_dicts()
    ]
    assert sorted(found, key=str) == sorted(plain_rounds(rows, since, within), key=str)
    assert [each[3] for each in found] == sorted(each[3] for each in found)
