"""Packed states: every price survives exactly, or is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odds_pipeline.odds.packed import (
    LARGEST_PRICE_THOUSANDTHS,
    OutcomeStatus,
    pack,
    unpack,
)

outcomes = st.lists(
    st.tuples(st.sampled_from([0, 1, 2]), st.one_of(st.integers(0, 170_000), st.integers(0, LARGEST_PRICE_THOUSANDTHS)))
)


@given(outcomes=outcomes, is_unavailable=st.booleans())
def test_what_was_packed_is_read_back(outcomes: list[tuple[int, int]], is_unavailable: bool) -> None:
    """I9: every price in thousandths survives exactly."""
    state = unpack(pack(outcomes, is_unavailable=is_unavailable))
    assert state.is_unavailable is is_unavailable
    assert [(outcome.status.value, outcome.price) for outcome in state.outcomes] == outcomes


@pytest.mark.parametrize(
    ("price", "size"), [(163_830, 2), (163_840, 4), (2_500, 2), (2_505, 4), (LARGEST_PRICE_THOUSANDTHS, 4)]
)
def test_two_bytes_hold_hundredths_up_to_163_83_and_four_hold_the_rest(price: int, size: int) -> None:
    assert len(pack([(OutcomeStatus.ACTIVE.value, price)])) == 1 + size


@pytest.mark.parametrize("price", [LARGEST_PRICE_THOUSANDTHS + 1, -1])
def test_a_price_that_no_width_holds_is_refused(price: int) -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        pack([(0, price)])


@pytest.mark.parametrize("state", [b"", b"\xff", b"\x04\x00\x00"])
def test_bytes_that_are_no_state_are_refused(state: bytes) -> None:
    with pytest.raises(ValueError, match="not a packed state"):
        unpack(state)
