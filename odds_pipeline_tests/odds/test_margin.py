"""The margin of a market, computed by hand."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.odds.margin import MARGIN_COLUMNS, with_margin
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA

OUTCOMES = OBSERVATION_SCHEMA["outcomes"]


def rows(*markets: list[tuple[str | None, bool]] | None, is_unavailable: bool = False) -> pl.DataFrame:
    """Markets whose outcomes are given as odds and whether they are active."""
    outcomes = [
        None
        if market is None
        else [
            {"key": str(place), "name": "", "odds": odds and Decimal(odds), "is_active": is_active}
            for place, (odds, is_active) in enumerate(market)
        ]
        for market in markets
    ]
    return pl.DataFrame(
        {"row": range(len(markets)), "outcomes": outcomes, "is_unavailable": [is_unavailable] * len(markets)},
        schema={"row": pl.Int64, "outcomes": OUTCOMES, "is_unavailable": pl.Boolean},
    )


def active(*odds: str) -> list[tuple[str | None, bool]]:
    return [(each, True) for each in odds]


@pytest.mark.parametrize(
    ("odds", "margin"),
    [
        (("1.90", "1.90"), 100 * (2 / 1.9 - 1)),  # 5.263157...
        (("2.00", "2.00"), 0.0),
        (("2.10", "2.10"), 100 * (2 / 2.1 - 1)),  # -4.761904...: a gift is a margin, too
        (("2.00", "3.40", "3.80"), 100 * (1 / 2 + 5 / 17 + 5 / 19 - 1)),  # 5.727554...
        (("1.01", "1000000"), 100 * (1 / 1.01 + 0.000001 - 1)),  # -0.989998...
        (("1.001", "1.001"), 100 * (2 / 1.001 - 1)),
        (("1.25", "1.75", "1.30"), 100 * (4 / 5 + 4 / 7 + 10 / 13 - 1)),  # overlapping outcomes: 114.065934...
    ],
)
def test_a_margin_is_what_the_shares_of_the_outcomes_exceed_the_whole_by(odds: tuple[str, ...], margin: float) -> None:
    told = with_margin(rows(active(*odds)))
    assert told["margin"].item() == pytest.approx(margin, abs=1e-9)
    assert told["margin_missing"].item() is None


def test_two_sides_at_1_90_have_a_margin_of_5_263_percent() -> None:
    assert with_margin(rows(active("1.90", "1.90")))["margin"].item() == pytest.approx(5.263157894736836)


@pytest.mark.parametrize(
    ("market", "reason"),
    [
        (None, "one_sided"),
        ([], "one_sided"),
        (active("5.50"), "one_sided"),
        ([("1.75", True), ("2.10", False)], "inactive_outcome"),
        ([("1.75", True), (None, False)], "inactive_outcome"),
        ([("1.75", True), (None, True)], "no_price"),
        (active("1.75", "1.00"), "price_not_above_one"),
        (active("1.75", "0.5"), "price_not_above_one"),
        # Where more than one holds, the first.
        ([("1.00", False)], "one_sided"),
        ([(None, True), ("1.00", False)], "inactive_outcome"),
        ([(None, True), ("1.00", True)], "no_price"),
    ],
)
def test_where_there_is_no_margin_the_first_reason_is_given(
    market: list[tuple[str | None, bool]] | None, reason: str
) -> None:
    told = with_margin(rows(market))
    assert told.select(*MARGIN_COLUMNS).row(0) == (None, reason)
    gone = with_margin(rows(market, is_unavailable=True))
    assert gone.select(*MARGIN_COLUMNS).row(0) == (None, "unavailable")


def test_rows_keep_their_order_and_columns() -> None:
    given = rows(active("1.90", "1.90"), [], None, active("2.00", "2.00"), active("3"))
    told = with_margin(given)
    assert told.select(given.columns).equals(given)
    assert dict(told.select(*MARGIN_COLUMNS).schema) == dict(MARGIN_COLUMNS)
    assert told["margin_missing"].to_list() == [None, "one_sided", "one_sided", None, "one_sided"]
    assert with_margin(given.clear()).columns == told.columns


def test_the_margins_of_300_000_markets_take_less_than_a_second() -> None:
    sizes = [2, 3, 3, 6, 1, 4]
    some: list[Any] = [active(*(f"{2.1 + number:.2f}" for number in range(size))) for size in sizes]
    many = pl.concat([rows(*some)] * (300_000 // len(sizes)), rechunk=True)
    began = time.perf_counter()
    told = with_margin(many)
    assert time.perf_counter() - began < 1
    assert told["margin_missing"].null_count() == 250_000
