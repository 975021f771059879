"""The packed state of a market: how current and history store outcomes in a few bytes.

A market keeps its outcomes' keys and names once, in an outcome set that only ever grows at its end. A state is then a
header byte and one big-endian unsigned integer for each outcome of the set, in the set's order; a state may be shorter
than its set, the outcomes beyond it are absent.

- Header: bit 0 set = wide (4 bytes an outcome), clear = narrow (2 bytes). Bit 1 set = the market is unavailable.
- Outcome: the top two bits are the status (0 active, 1 inactive, 2 absent), the other 14 or 30 the last price that the
  outcome had while active, in hundredths (narrow) or thousandths (wide); 0 = it never had one.

Narrow holds prices with two decimals up to 163.83, wide any price with three decimals up to 1,073,741.823. A price
that fits neither is refused: nothing is ever rounded (I9). The SQL function ``odds_outcomes`` reads the same layout.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

LARGEST_PRICE_THOUSANDTHS = 1_000_000_000
"""A million: the largest price that is stored."""

WIDE = 0b01
UNAVAILABLE = 0b10
NARROW_LIMIT = 1 << 14
"""Hundredths from which on a price is wide."""
NARROW_STATUS_SHIFT, WIDE_STATUS_SHIFT = 14, 30


class OutcomeStatus(IntEnum):
    """What an outcome of the set is in one state."""

    ACTIVE = 0
    INACTIVE = 1
    ABSENT = 2


class PackedOutcome(NamedTuple):
    """One outcome of a state. ``price`` is in thousandths: the last one while active, 0 if there never was one."""

    status: OutcomeStatus
    price: int


class State(NamedTuple):
    """What a market's packed bytes say."""

    is_unavailable: bool
    outcomes: tuple[PackedOutcome, ...]


def pack(outcomes: Sequence[tuple[int, int]], *, is_unavailable: bool = False) -> bytes:
    """Pack ``(status, price in thousandths)`` pairs. Raises ``ValueError`` for a price that no width can hold."""
    widest = max((price for _, price in outcomes), default=0)
    if widest > LARGEST_PRICE_THOUSANDTHS or any(price < 0 for _, price in outcomes):
        raise ValueError(f"price of {widest} thousandths cannot be stored; it must lie between 0 and 1,000,000")
    header = UNAVAILABLE if is_unavailable else 0
    if widest < NARROW_LIMIT * 10 and not any(price % 10 for _, price in outcomes):
        return struct.pack(
            f">B{len(outcomes)}H", header, *[status << NARROW_STATUS_SHIFT | price // 10 for status, price in outcomes]
        )
    return struct.pack(
        f">B{len(outcomes)}I", header | WIDE, *[status << WIDE_STATUS_SHIFT | price for status, price in outcomes]
    )


def unpack(state: bytes) -> State:
    """Read packed bytes back. Raises ``ValueError`` for bytes that are no state."""
    if not state or state[0] & ~(WIDE | UNAVAILABLE):
        raise ValueError(f"not a packed state: {state.hex() or 'no bytes'}")
    if state[0] & WIDE:
        words = struct.unpack(f">{(len(state) - 1) // 4}I", state[1:])
        outcomes = [PackedOutcome(OutcomeStatus(w >> WIDE_STATUS_SHIFT), w & 0x3FFFFFFF) for w in words]
    else:
        words = struct.unpack(f">{(len(state) - 1) // 2}H", state[1:])
        outcomes = [PackedOutcome(OutcomeStatus(w >> NARROW_STATUS_SHIFT), (w & 0x3FFF) * 10) for w in words]
    return State(bool(state[0] & UNAVAILABLE), tuple(outcomes))
