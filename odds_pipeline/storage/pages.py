"""Which pages of a table are looked at: some from every part of it, in small lots, each of which is spread as well.

A table that was filled over time differs from beginning to end, so pages are drawn one from each of many equal
stretches. As every lot is spread over the table, one may stop after any lot.
"""

from __future__ import annotations

import itertools
from random import Random

LOT = 64
"""Pages read by one statement, the longest that anybody could have to wait for."""


def lots_of_pages(pages: int, most: int) -> list[list[int]]:
    """Numbers of at most ``most`` of a table's pages, in lots; all of them if there are no more.

    The first and the last page are among the first lot: that is where the oldest and the newest rows mostly are. The
    same size draws the same pages.
    """
    count = min(pages, most)
    if count <= 0:
        return []
    draw = Random(pages)
    bounds = [number * pages // count for number in range(count + 1)]
    chosen = [draw.randrange(start, end) for start, end in itertools.pairwise(bounds)]
    chosen[0], chosen[-1] = 0, pages - 1
    lots = -(-count // LOT)
    last = chosen.pop() if lots > 1 else None
    spread = [chosen[number::lots] for number in range(lots)]
    if last is not None:
        spread[0].append(last)
    return spread
