"""What becomes of a unit as time passes: when it last moved, its state since, and the prices that follow.

Time is cut into periods. Within every ``MOVES_EVERY`` periods each unit of a listing moves exactly once, at a moment of
its own, so that one unit in ``MOVES_EVERY`` moves in any period; its state and prices are drawn anew at each move and
depend on nothing but the seed, the listing, the unit and the period of that move.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from odds_pipeline.simulator.draws import draw_bytes

MOVES_EVERY = 20
"""Periods between two moves of a unit, on average: 5 % of the units move in a period."""

MARGINS = {"betpawa": 1.055, "sportybet": 1.07, "bet9ja": 1.085}
_LOWEST_PRICE, _HIGHEST_PRICE = 1.01, 250.0
_WOBBLE = 0.03


class State(Enum):
    """How a unit stands since its last move."""

    OPEN = "open"
    PARTIAL = "partial"
    """One outcome is suspended."""
    SUSPENDED = "suspended"
    """The whole market is."""
    GONE = "gone"
    """The market is not in the answer."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A unit's last move: ``drawn`` are the bytes that the outcomes' prices and the ways of suspension follow."""

    period: int
    state: State
    drawn: bytes


def last_moves(seed: int, listing: str, units: int, period: int) -> list[int]:
    """For each of ``units`` units of a listing, the period of its last move up to and including ``period``."""
    block, offset = divmod(period, MOVES_EVERY)
    this, before = block * MOVES_EVERY, (block - 1) * MOVES_EVERY
    now = draw_bytes(f"{seed}/moves/{listing}/{block}", units)
    then = draw_bytes(f"{seed}/moves/{listing}/{block - 1}", units)
    return [
        this + a % MOVES_EVERY if a % MOVES_EVERY <= offset else before + b % MOVES_EVERY
        for a, b in zip(now, then, strict=True)
    ]


def movement(seed: int, listing: str, unit: str, period: int, outcomes: int, *, stays_open: bool) -> Movement:
    """The move that ``unit`` made in ``period``. ``stays_open``: it is never suspended nor gone."""
    drawn = draw_bytes(f"{seed}/move/{listing}/{unit}/{period}", outcomes + 2)
    fate = drawn[-1]
    if stays_open or fate < 236:
        state = State.OPEN
    elif fate < 246:
        state = State.PARTIAL
    else:
        state = State.SUSPENDED if fate < 251 else State.GONE
    return Movement(period, state, drawn)


def price(bookmaker: str, chance: float, drawn: int) -> float:
    """The decimal price of an outcome: its fair chance with the bookmaker's margin, moved a little by ``drawn``."""
    exact = (1 + _WOBBLE * (drawn - 127.5) / 127.5) / (chance * MARGINS[bookmaker])
    return round(min(_HIGHEST_PRICE, max(_LOWEST_PRICE, exact)), 2)
