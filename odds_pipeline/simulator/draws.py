"""Chance that is a function of its key: the same key always draws the same bytes, in every process.

All randomness of the simulated world comes from here, so that a world needs no state and a restart continues it.
SHAKE-128 is used because its output is fixed by a standard (FIPS 202) and may be as long as needed in one call.
"""

from __future__ import annotations

from hashlib import shake_128


def draw_bytes(key: str, count: int) -> bytes:
    """``count`` independent uniform bytes belonging to ``key``."""
    return shake_128(key.encode()).digest(count)


def draw_unit(key: str) -> float:
    """One uniform number in [0, 1) belonging to ``key``."""
    return int.from_bytes(shake_128(key.encode()).digest(6), "big") / 2**48


def draw_below(key: str, limit: int) -> int:
    """One uniform integer in [0, ``limit``) belonging to ``key``."""
    return int(draw_unit(key) * limit)
