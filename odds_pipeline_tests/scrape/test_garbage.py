"""How often Python looks for garbage during a pass."""

from __future__ import annotations

import gc
from contextlib import suppress

from odds_pipeline.scrape.garbage import seldom_looked_for


def looks_while_reading() -> int:
    """How often garbage is looked for while a large answer comes and stays."""
    looks: list[str] = []

    def note(phase: str, _: object) -> None:
        looks.append(phase)

    gc.callbacks.append(note)
    try:
        answer = [{"prices": [number]} for number in range(20_000)]
        return looks.count("start") if answer else 0
    finally:
        gc.callbacks.remove(note)


def test_a_pass_reads_a_large_answer_without_a_look_for_garbage() -> None:
    with seldom_looked_for():
        assert looks_while_reading() == 0
    assert looks_while_reading() > 10


def test_garbage_is_looked_for_as_before_after_a_pass_that_failed() -> None:
    before = gc.get_threshold()
    with suppress(OSError), seldom_looked_for():
        raise OSError("disk full")
    assert gc.get_threshold() == before
