"""Packed states as readers are shown them: the same as unpacking each by itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from odds_pipeline.odds.observation import OBSERVATION_SCHEMA
from odds_pipeline.odds.packed import LARGEST_PRICE_THOUSANDTHS, OutcomeStatus, pack, unpack
from odds_pipeline.odds.shown import shown

PRICES = st.one_of(
    st.sampled_from([0, 10, 1_010, 163_830, 163_840, 2_505, LARGEST_PRICE_THOUSANDTHS]),
    st.integers(min_value=0, max_value=LARGEST_PRICE_THOUSANDTHS),
)


@st.composite
def markets(draw: st.DrawFn) -> tuple[bytes, list[str] | None, list[str] | None]:
    """A state and the outcome set that it is read by, which may have grown since, or be missing."""
    outcomes = draw(st.lists(st.tuples(st.sampled_from(OutcomeStatus), PRICES), max_size=5))
    state = pack(outcomes, is_unavailable=draw(st.booleans()))
    keys = [f"key {number}" for number in range(len(outcomes) + draw(st.integers(0, 2)))]
    if not outcomes and draw(st.booleans()):
        return state, None, None
    return state, keys, [f"name of {key}" for key in keys]


def told_one_by_one(state: bytes, keys: list[str] | None, names: list[str] | None) -> tuple[list[dict[str, Any]], bool]:
    said = unpack(state)
    outcomes = [
        {
            "key": key,
            "name": name,
            "odds": Decimal(outcome.price) / 1000 if outcome.price else None,
            "is_active": outcome.status is OutcomeStatus.ACTIVE,
        }
        for key, name, outcome in zip(keys or [], names or [], said.outcomes, strict=False)
        if outcome.status is not OutcomeStatus.ABSENT
    ]
    return outcomes, said.is_unavailable


@given(rows=st.lists(markets(), max_size=12), left_out=st.integers(0, 3))
def test_all_states_together_say_what_each_says_by_itself(
    rows: list[tuple[bytes, list[str] | None, list[str] | None]], left_out: int
) -> None:
    schema = {"state": pl.Binary, "keys": pl.List(pl.String), "names": pl.List(pl.String)}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("number")
    # A part of a frame is read like a whole one.
    found = shown(frame[left_out:])
    assert found["number"].to_list() == list(range(left_out, len(rows)))
    assert found["outcomes"].dtype == OBSERVATION_SCHEMA["outcomes"]
    told = [(row["outcomes"], row["is_unavailable"]) for row in found.iter_rows(named=True)]
    assert told == [told_one_by_one(*row) for row in rows[left_out:]]
