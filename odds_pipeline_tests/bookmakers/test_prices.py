"""Prices are read strictly: exact, or refused with a reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odds_pipeline.bookmakers.prices import read_price


@pytest.mark.parametrize(
    ("raw", "price"),
    [
        ("2.50", "2.5"),
        ("4", "4"),
        (2.35, "2.35"),
        (3, "3"),
        ("1.001", "1.001"),
        ("1000000", "1000000"),
        (1e6, "1000000"),
        ("2.5000", "2.5"),
    ],
)
def test_a_price_is_read_exactly(raw: Any, price: str) -> None:
    """B-07: `2.5`, `"2.50"` and 2.5 are one price."""
    assert read_price(raw) == Decimal(price)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "price_missing"),
        ("", "price_not_a_number"),
        ("NaN", "price_not_a_number"),
        ("Infinity", "price_not_a_number"),
        ("2,5", "price_not_a_number"),
        (" 2.5", "price_not_a_number"),
        ("1_0", "price_not_a_number"),
        ("٣", "price_not_a_number"),
        (True, "price_not_a_number"),
        ([2.5], "price_not_a_number"),
        ({"v": 2.5}, "price_not_a_number"),
        ("1", "price_too_low"),
        (1.0, "price_too_low"),
        ("1.000", "price_too_low"),
        (0, "price_too_low"),
        ("0.00", "price_too_low"),
        (-2.5, "price_too_low"),
        ("1e9", "price_too_high"),
        (1e9, "price_too_high"),
        ("1000000.001", "price_too_high"),
        (2.3456, "price_too_precise"),
        ("1.0001", "price_too_precise"),
    ],
)
def test_anything_else_is_refused_with_its_reason(raw: Any, reason: str) -> None:
    assert read_price(raw) == reason


@given(st.decimals(min_value="1.001", max_value=1_000_000, places=3))
def test_every_price_of_three_decimals_survives(price: Decimal) -> None:
    assert read_price(str(price)) == price


@given(st.one_of(st.text(max_size=12), st.floats(), st.integers(), st.none(), st.booleans()))
def test_no_input_raises_and_every_price_read_is_in_bounds(raw: Any) -> None:
    price = read_price(raw)
    if isinstance(price, Decimal):
        assert 1 < price <= 1_000_000
        assert price == round(price, 3)
