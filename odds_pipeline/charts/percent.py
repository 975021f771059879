"""Vertical axes of percentages: wide enough that what hardly changed looks it, with labels that are exactly so."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import count

import altair as alt

_NARROWEST = 1.0
"""Percentage points that an axis spans at least."""
_MOST_STEPS = 6
_ROOM = 0.07
"""Of the span, over the highest point and under the lowest: room for half a dot."""


def percent_axis(field: str, words: str, values: Iterable[float | None], *, from_zero: bool = False) -> alt.Y:
    """An axis of ``field`` that shows all of ``values``; ``from_zero``: it begins at zero."""
    known = [value for value in values if value is not None]
    lowest, highest = min(known, default=0.0), max(known, default=0.0)
    if from_zero:
        lowest, highest = min(lowest, 0.0), max(highest, lowest + _NARROWEST)
    lacking = max(_NARROWEST - (highest - lowest), 0) / 2
    lowest, highest = lowest - lacking, highest + lacking
    room = (highest - lowest) * _ROOM
    step, decimals = _step(highest - lowest + 2 * room)
    first = 0 if from_zero and lowest == 0 else math.floor((lowest - room) / step)
    last = math.ceil((highest + room) / step)
    ticks = [round(tick * step, decimals) for tick in range(first, last + 1)]
    return alt.Y(
        f"{field}:Q",
        title=words,
        scale=alt.Scale(domain=[min(ticks[0], lowest - room), ticks[-1]], nice=False, zero=False),
        axis=alt.Axis(values=ticks, format=f".{decimals}f"),
    )


def _step(span: float) -> tuple[float, int]:
    """The distance of ticks, and the decimals that tell it exactly."""
    for power in count(-1):
        for digit in (1, 2, 5):
            if (step := digit * 10.0**power) * _MOST_STEPS >= span:
                return step, max(-power, 0)
    raise AssertionError
