"""Timelines of markets as values: taking a part of one, putting one before another, leaving out repetitions.

What ``remap`` needs when the catalogue learns where a stored market belongs: its history moves with it, and stays one
continuous timeline (I2 holds across the seam).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from odds_pipeline.odds.packed import OutcomeStatus, pack, unpack


class Moment(NamedTuple):
    """One row of a market's history. ``outcomes``: key to (status, last active price in thousandths)."""

    captured_at: datetime
    run_id: int
    is_unavailable: bool
    outcomes: Mapping[str, tuple[OutcomeStatus, int]]

    def offer(self) -> tuple[bool, frozenset[tuple[str, bool, int]]]:
        """What counts when two rows are compared: availability, and the set of (key, is active, price while active)."""
        present = {key: outcome for key, outcome in self.outcomes.items() if outcome[0] != OutcomeStatus.ABSENT}
        return self.is_unavailable, frozenset(
            (key, status == OutcomeStatus.ACTIVE, price if status == OutcomeStatus.ACTIVE else 0)
            for key, (status, price) in present.items()
        )


def read(captured_at: datetime, run_id: int, state: bytes, keys: Sequence[str]) -> Moment:
    """A history row with its outcome set's ``keys``."""
    unpacked = unpack(state)
    outcomes = {key: (outcome.status, outcome.price) for key, outcome in zip(keys, unpacked.outcomes, strict=False)}
    return Moment(captured_at, run_id, unpacked.is_unavailable, outcomes)


def packed(moment: Moment, keys: Sequence[str]) -> bytes:
    """The row's state in the order of ``keys``, which must contain every outcome of it."""
    absent = (OutcomeStatus.ABSENT, 0)
    outcomes = [moment.outcomes.get(key, absent) for key in keys]
    while outcomes and outcomes[-1] == absent:
        outcomes.pop()
    return pack(outcomes, is_unavailable=moment.is_unavailable)


def part_of(timeline: Sequence[Moment], names: Mapping[str, str]) -> list[Moment]:
    """The timeline of the outcomes in ``names`` alone (old key to new key), as a market of its own.

    Where none of them is offered, that market is unavailable; before the first of them was, it does not exist.
    """
    part: list[Moment] = []
    for moment in timeline:
        outcomes = {names[key]: outcome for key, outcome in moment.outcomes.items() if key in names}
        is_offered = any(status != OutcomeStatus.ABSENT for status, _ in outcomes.values())
        if is_offered:
            part.append(moment._replace(outcomes=outcomes))
        elif part:
            part.append(part[-1]._replace(captured_at=moment.captured_at, run_id=moment.run_id, is_unavailable=True))
    return without_repeats(part)


def seam_of(newer: Sequence[Moment]) -> datetime | None:
    """Where another timeline ends that is put before ``newer``; None when it goes on: there is nothing to follow."""
    return newer[0].captured_at if newer else None


def joined(older: Sequence[Moment], newer: Sequence[Moment]) -> list[Moment]:
    """``older`` up to where ``newer`` begins (``seam_of``), then ``newer``: one timeline.

    An outcome keeps the last price that it had while active across the seam, too.
    """
    seam = seam_of(newer)
    before = [moment for moment in older if seam is None or moment.captured_at < seam]
    prices = {key: price for key, (_, price) in before[-1].outcomes.items()} if before else {}
    return without_repeats([*before, *(_with_prices(moment, prices) for moment in newer)])


def _with_prices(moment: Moment, prices: Mapping[str, int]) -> Moment:
    """The row with these prices for the outcomes that had none yet, absent ones included."""
    absent = {key: (OutcomeStatus.ABSENT, price) for key, price in prices.items()}
    own = {key: (status, price or prices.get(key, 0)) for key, (status, price) in moment.outcomes.items()}
    return moment._replace(outcomes=absent | own)


def without_repeats(timeline: Sequence[Moment]) -> list[Moment]:
    """The timeline without rows that offer what the row before them did (I2)."""
    kept: list[Moment] = []
    for moment in timeline:
        if not kept or moment.offer() != kept[-1].offer():
            kept.append(moment)
    return kept
