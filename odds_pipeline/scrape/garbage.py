"""Memory of a pass: how often Python looks for garbage meanwhile, and giving back what is free when it is over.

An answer becomes tens of thousands of dictionaries and rows, none of which refers back to another: all of them go when
the last reference does. The collector, which only finds what refers to itself in circles, would run after every 700 of
them and take a third of the time that parsing takes.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

#: Containers made and not freed between two looks: more than the largest answer has.
_BETWEEN_LOOKS = 100_000


@contextmanager
def seldom_looked_for() -> Iterator[None]:
    """Look for garbage seldom inside the block, as before after it."""
    before = gc.get_threshold()
    gc.set_threshold(_BETWEEN_LOOKS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def give_back() -> None:
    """Return to the system what the allocators of Python and Arrow keep free: the write needs as much of its own."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc's alone
        trim(0)
