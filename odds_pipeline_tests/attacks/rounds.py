"""Rounds of an attack: drawn from a seed, told apart in a failure, and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def told(seed: int, number: int, what: str) -> Iterator[None]:
    """Whatever fails in the block says which round it was, so that it can be repeated."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"seed {seed}, round {number}: {what}")
        raise


def wait_until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Wait for a condition, looking every few milliseconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)
