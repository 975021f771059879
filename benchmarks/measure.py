"""Measuring and printing: seconds, the processor's share of them, peak memory, medians."""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Seconds(NamedTuple):
    """How long something took, and how much of it this process was computing."""

    wall: float
    cpu: float


def timed(function: Callable[[], T]) -> tuple[T, Seconds]:
    """The function's result and its seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The power of the size with which the values grow: the slope of a straight line through their logarithms."""
    return statistics.linear_regression(*([math.log(each) for each in many] for many in (sizes, values))).slope


def reset_peak_memory() -> None:
    """Begin to measure this process's peak memory anew, where the system can (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float:
    """The most memory this process held since the last reset, in MB (Linux)."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) * 1024 / 1e6


def say(text: str = "") -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)
