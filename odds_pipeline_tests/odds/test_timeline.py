"""Timelines as values: a part of one, one before another, no repetitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from odds_pipeline.odds.packed import OutcomeStatus, pack
from odds_pipeline.odds.timeline import Moment, joined, packed, part_of, read, seam_of, without_repeats

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
A, S, X = OutcomeStatus.ACTIVE, OutcomeStatus.INACTIVE, OutcomeStatus.ABSENT


def moment(minutes: int, *, gone: bool = False, **outcomes: tuple[OutcomeStatus, int]) -> Moment:
    return Moment(NOON + timedelta(minutes=minutes), 1, gone, outcomes)


def test_a_row_is_read_and_packed_in_any_order_of_keys() -> None:
    state = pack([(A.value, 2000), (S.value, 3000)], is_unavailable=True)
    row = read(NOON, 1, state, ["a", "b"])
    assert row == moment(0, gone=True, a=(A, 2000), b=(S, 3000))
    assert packed(row, ["c", "b", "a"]) == pack([(X.value, 0), (S.value, 3000), (A.value, 2000)], is_unavailable=True)


def test_absent_outcomes_at_the_end_that_never_had_a_price_are_left_out() -> None:
    """As the writer does: equal rows are equal bytes."""
    assert packed(moment(0, a=(A, 2000)), ["a", "b"]) == pack([(A.value, 2000)])
    assert packed(moment(0, a=(A, 2000), b=(X, 3000)), ["a", "b"]) == pack([(A.value, 2000), (X.value, 3000)])


def test_a_part_is_a_market_of_its_own_that_begins_and_ends_with_its_outcomes() -> None:
    timeline = [
        moment(0, a=(A, 2000)),
        moment(5, a=(A, 2000), b=(A, 3000)),
        moment(10, a=(A, 2100), b=(A, 3000)),
        moment(15, a=(A, 2100), b=(X, 3000)),
    ]
    assert part_of(timeline, {"b": "home"}) == [moment(5, home=(A, 3000)), moment(15, gone=True, home=(A, 3000))]


def test_the_newer_timeline_rules_from_where_it_begins() -> None:
    older = [moment(0, a=(A, 2000)), moment(5, a=(A, 2100)), moment(10, gone=True, a=(A, 2100))]
    newer = [moment(10, a=(A, 2100)), moment(15, a=(A, 2200))]
    assert joined(older, newer) == [moment(0, a=(A, 2000)), moment(5, a=(A, 2100)), moment(15, a=(A, 2200))]


def test_prices_of_outcomes_that_are_not_active_are_carried_across_the_seam() -> None:
    """Until they are active again; what is put before a timeline ends where that begins."""
    older = [moment(0, a=(A, 2000), b=(A, 3000), c=(A, 4000)), moment(20, a=(A, 9000))]
    newer = [
        moment(10, a=(S, 0), b=(S, 1000)),
        moment(15, a=(A, 2200), b=(A, 1000)),
        moment(30, gone=True, a=(S, 2200), b=(X, 1000)),
    ]
    assert seam_of(newer) == newer[0].captured_at
    assert seam_of([]) is None
    assert joined(older, newer) == [
        older[0],
        moment(10, a=(S, 2000), b=(S, 1000), c=(X, 4000)),
        moment(15, a=(A, 2200), b=(A, 1000), c=(X, 4000)),
        moment(30, gone=True, a=(S, 2200), b=(X, 1000), c=(X, 4000)),
    ]


def test_a_row_that_differs_only_in_a_suspended_price_repeats_the_one_before() -> None:
    """I2, B-17."""
    timeline = [moment(0, a=(S, 2000)), moment(5, a=(S, 9000), b=(X, 1)), moment(10, a=(A, 9000))]
    assert without_repeats(timeline) == [timeline[0], timeline[2]]
