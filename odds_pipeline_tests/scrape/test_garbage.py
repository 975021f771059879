"""How often Python looks for garbage during a pass, and what a pass leaves free of its memory."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

import psutil
import pytest

from odds_pipeline.scrape.garbage import give_back, seldom_looked_for


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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators give back by themselves")
def test_memory_of_bodies_that_are_gone_goes_back_to_the_system() -> None:
    held = [b"x" * 60_000 for _ in range(2_000)]
    # What is freed below the last one stays with the process until it is told to give it back.
    held[:-1] = []
    before = psutil.Process().memory_info().rss
    give_back()
    assert before - psutil.Process().memory_info().rss > 80_000_000
