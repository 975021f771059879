"""How a command that runs until it is stopped takes SIGTERM and Ctrl-C: once, and then it ends in good order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` in the main thread on the first SIGTERM or SIGINT, while the body lasts.

    Further ones are ignored: a group of processes that is ended sends each of us several, and one that came while
    we stop others would leave these running. What was ignored before stays so.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    taken = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def interrupt(signal_number: int, frame: object) -> None:
        for number in taken:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])
