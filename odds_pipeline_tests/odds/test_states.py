"""States of many markets at once, against the same said of one market in plain Python."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from odds_pipeline.odds.packed import OutcomeStatus, pack, unpack
from odds_pipeline.odds.states import OFFERED, STORED, new_states

Outcome = tuple[str, str, int | None, bool]
"""Key, name, price in thousandths, is active."""

PRICES = st.one_of(
    st.integers(101, 20_000).map(lambda hundredths: hundredths * 10),
    st.sampled_from([1_001, 163_830, 163_840, 2_345, 1_000_000_000]),
)
KEYS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)


@st.composite
def offers(draw: st.DrawFn) -> list[Outcome]:
    found: list[Outcome] = []
    for key in draw(KEYS):
        is_active = draw(st.booleans())
        price = draw(PRICES) if is_active else draw(st.none() | PRICES | st.just(0))
        found.append((key, draw(st.sampled_from([key.upper(), "renamed"])), price, is_active))
    return found


class Stored:
    """One market's outcome set and state, as the rules of the packed layout have them."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.names: list[str] = []
        self.state = b""

    def see(self, offered: list[Outcome]) -> bool:
        """Take a new offer over; whether the outcome set is another one now."""
        before = (list(self.keys), list(self.names), not self.state)
        last = [outcome.price for outcome in unpack(self.state).outcomes] if self.state else []
        last += [0] * (len(self.keys) - len(last))
        outcomes = [(OutcomeStatus.ABSENT.value, price) for price in last]
        for key, name, price, is_active in offered:
            if key not in self.keys:
                self.keys.append(key)
                self.names.append(name)
                outcomes.append((OutcomeStatus.ABSENT.value, 0))
            place = self.keys.index(key)
            self.names[place] = name
            carried = outcomes[place][1]
            outcomes[place] = (
                (OutcomeStatus.ACTIVE.value, price or 0) if is_active else (OutcomeStatus.INACTIVE.value, carried)
            )
        while outcomes[-1] == (OutcomeStatus.ABSENT.value, 0):
            outcomes.pop()
        self.state = pack(outcomes)
        return before != (self.keys, self.names, False)


@given(st.lists(st.lists(offers(), min_size=1, max_size=4), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_states_of_many_markets_are_those_of_each(markets: list[list[list[Outcome]]]) -> None:
    """B-17: an outcome that is suspended or gone keeps its last real price, however often it comes and goes."""
    stored = [Stored() for _ in markets]
    for step in range(max(map(len, markets))):
        rows = [(row, market[step]) for row, market in enumerate(markets) if step < len(market)]
        known = [(row, stored[row].state, stored[row].keys, stored[row].names) for row, _ in rows if stored[row].state]
        found = new_states(frame_of(rows), pl.DataFrame(known, schema=dict(STORED), orient="row"))
        changed_sets = [row for row, offered in rows if stored[row].see(offered)]
        assert found.packed.rows() == [(row, stored[row].state) for row, _ in rows]
        assert found.sets.rows() == [(row, stored[row].keys, stored[row].names) for row in changed_sets]


def test_an_unavailable_market_that_returns_keeps_the_prices_of_its_absent_outcomes() -> None:
    stored = pl.DataFrame(
        [(7, pack([(0, 2_000), (0, 3_000)], is_unavailable=True), ["a", "b"], ["A", "B"])],
        schema=dict(STORED),
        orient="row",
    )
    found = new_states(frame_of([(7, [("a", "A", 2_100, True)])]), stored)
    assert found.packed.rows() == [(7, pack([(0, 2_100), (2, 3_000)]))]
    assert found.sets.is_empty()


def test_without_markets_there_are_no_states() -> None:
    found = new_states(frame_of([]), pl.DataFrame(schema=dict(STORED)))
    assert found.packed.is_empty()
    assert found.sets.is_empty()


def frame_of(rows: list[tuple[int, list[Outcome]]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "row": row,
                "outcomes": [
                    {
                        "key": key,
                        "name": name,
                        "odds": None if price is None else Decimal(price).scaleb(-3),
                        "is_active": is_active,
                    }
                    for key, name, price, is_active in offered
                ],
            }
            for row, offered in rows
        ],
        schema=dict(OFFERED),
    )
