"""Folding many steps at once, against the same done for one market after another in plain Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odds_pipeline.odds import fold as folding
from odds_pipeline.odds.fold import SETS, STEPS, UnknownOutcome, fold, steps_of
from odds_pipeline.odds.packed import OutcomeStatus, pack, unpack
from odds_pipeline.odds.replay import HISTORY_ROWS

START = datetime(2026, 11, 20, tzinfo=UTC)
Offer = dict[str, tuple[int | None, bool]]
"""Outcome key to price in thousandths and whether it is active; empty when the market had vanished."""
Row = tuple[int, datetime, int, bytes]

PRICES = st.one_of(
    st.integers(101, 400).map(lambda hundredths: hundredths * 10),
    st.sampled_from([1_001, 163_830, 163_840, 2_345, 1_000_000_000]),
)
OUTCOMES = st.tuples(st.none() | PRICES, st.just(value=False)) | st.tuples(PRICES, st.just(value=True))
OFFERS = st.dictionaries(st.sampled_from("abcdef"), OUTCOMES, min_size=1, max_size=4)
TIMELINES = st.lists(st.one_of(OFFERS, OFFERS, OFFERS, st.just(Offer())), min_size=1, max_size=7)


class Plain:
    """One market, as the rules have it: a set that grows, prices that are carried, rows for what differs."""

    def __init__(self, market_id: int) -> None:
        self.market_id = market_id
        self.keys: list[str] = []
        self.prices: dict[str, int] = {}
        self.state: bytes | None = None
        self.rows: list[Row] = []

    def see(self, number: int, offer: Offer) -> None:
        before = self.state
        if offer:
            self.keys += [key for key in offer if key not in self.keys]
            self.prices |= {key: price for key, (price, is_active) in offer.items() if is_active and price}
            outcomes = [self._outcome(key, offer) for key in self.keys]
            while outcomes[-1] == (OutcomeStatus.ABSENT, 0):
                outcomes.pop()
            self.state = pack(outcomes)
        elif before is not None:
            self.state = pack(unpack(before).outcomes, is_unavailable=True)
        if self.state is not None and self.state != before:
            self.rows.append((self.market_id, moment(number), number, self.state))

    def _outcome(self, key: str, offer: Offer) -> tuple[OutcomeStatus, int]:
        status = OutcomeStatus.ABSENT
        if key in offer:
            status = OutcomeStatus.ACTIVE if offer[key][1] else OutcomeStatus.INACTIVE
        return status, self.prices.get(key, 0)


@given(st.lists(TIMELINES, min_size=1, max_size=4), st.integers(0, 7), st.sampled_from([1, 20, 1_000]))
@settings(max_examples=150, deadline=None)
def test_steps_fold_to_the_rows_that_one_after_the_other_gives(
    timelines: list[list[Offer]], split: int, at_once: int
) -> None:
    """B-17: prices of suspended and absent outcomes are carried, from the opening state too."""
    markets = [Plain(market_id) for market_id in range(len(timelines))]
    opening: list[tuple[int, bytes]] = []
    for market, timeline in zip(markets, timelines, strict=True):
        for number, offer in enumerate(timeline[:split]):
            market.see(number, offer)
        if market.state is not None:
            opening.append((market.market_id, market.state))
        market.rows.clear()
        for number, offer in enumerate(timeline[split:], start=split):
            market.see(number, offer)
    expected = [row for market in markets for row in market.rows]
    sets = pl.DataFrame([(m.market_id, m.keys) for m in markets], schema=dict(SETS), orient="row")
    state = pl.DataFrame(opening, schema={"market_id": pl.Int32, "state": pl.Binary}, orient="row")
    steps = steps_frame(
        [
            (market_id, number, offer)
            for market_id, timeline in enumerate(timelines)
            for number, offer in enumerate(timeline[split:], start=split)
        ]
    )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "_SLICE", at_once)
        folded = fold(state, steps.sample(fraction=1.0, shuffle=True, seed=split), sets)
        assert folded.schema == pl.Schema(HISTORY_ROWS)
        assert folded.rows() == expected
        assert fold(state, steps_of(folded, sets), sets).rows() == expected


def test_a_market_that_vanishes_before_it_was_ever_seen_has_no_rows() -> None:
    sets = pl.DataFrame([(1, ["a"])], schema=dict(SETS), orient="row")
    assert fold(NOTHING, steps_frame([(1, 0, {}), (1, 1, {})]), sets).is_empty()


def test_of_several_steps_of_one_moment_the_last_counts_alone() -> None:
    """A market has one row of a moment; what did not count leaves no price behind."""
    sets = pl.DataFrame([(1, ["a"]), (2, ["a"])], schema=dict(SETS), orient="row")
    offer: Offer = {"a": (2_000, True)}
    other: Offer = {"a": (None, False)}
    steps = steps_frame(
        [(1, 0, offer), (2, 0, offer), (1, 0, {}), (1, 0, other), (1, 1, {}), (2, 1, other), (2, 1, {})]
    )
    assert fold(NOTHING, steps, sets).select("market_id", "captured_at", "state").rows() == [
        (1, moment(0), pack([(OutcomeStatus.INACTIVE, 0)])),
        (1, moment(1), pack([(OutcomeStatus.INACTIVE, 0)], is_unavailable=True)),
        (2, moment(0), pack([(OutcomeStatus.ACTIVE, 2_000)])),
        (2, moment(1), pack([(OutcomeStatus.ACTIVE, 2_000)], is_unavailable=True)),
    ]


def test_steps_of_an_outcome_or_a_market_without_a_set_are_refused() -> None:
    steps = steps_frame([(1, 0, {"b": (2_000, True)})])
    with pytest.raises(UnknownOutcome, match="'b' is not in the outcome set of market 1"):
        fold(NOTHING, steps, pl.DataFrame([(1, ["a"])], schema=dict(SETS), orient="row"))
    with pytest.raises(UnknownOutcome, match="no outcome set is known of market 1"):
        fold(NOTHING, steps, pl.DataFrame(schema=dict(SETS)))


def test_without_steps_there_are_no_rows() -> None:
    sets = pl.DataFrame(schema=dict(SETS))
    assert fold(NOTHING, steps_frame([]), sets).schema == pl.Schema(HISTORY_ROWS)
    assert steps_of(pl.DataFrame(schema=dict(HISTORY_ROWS)), sets).schema == pl.Schema(STEPS)


NOTHING = pl.DataFrame(schema={"market_id": pl.Int32, "state": pl.Binary})


def moment(number: int) -> datetime:
    return START + timedelta(minutes=5 * number)


def steps_frame(steps: list[tuple[int, int, Offer]]) -> pl.DataFrame:
    rows = [
        (
            market_id,
            moment(number),
            number,
            [
                {"key": key, "name": key, "odds": None if price is None else Decimal(price) / 1000, "is_active": active}
                for key, (price, active) in offer.items()
            ],
        )
        for market_id, number, offer in steps
    ]
    return pl.DataFrame(rows, schema=dict(STEPS), orient="row")
