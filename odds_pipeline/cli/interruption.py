"""How a command that runs until it is stopped takes SIGTERM: like Ctrl-C, so that it ends in good order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` in the main thread on SIGTERM, while the body lasts."""

    def interrupt(signal_number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
