"""How long each bookmaker takes to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from random import Random
from typing import Literal

LatencyPreset = Literal["none", "realistic"]


@dataclass(frozen=True, slots=True)
class Latency:
    """A log-normal answer time: its mean in seconds, and the spread of its logarithm."""

    mean: float
    spread: float

    def draw(self, random: Random) -> float:
        """Seconds that one answer takes."""
        return self.mean * exp(random.gauss(0, self.spread) - self.spread**2 / 2)


#: Means of 380, 589 and 641 ms with 95th percentiles of 517, 979 and 841 ms (reference, section 4).
REALISTIC: Mapping[str, Latency] = {
    "betpawa": Latency(0.380, 0.2),
    "sportybet": Latency(0.589, 0.344),
    "bet9ja": Latency(0.641, 0.174),
}


def answer_times(wanted: LatencyPreset | Mapping[str, Latency]) -> Mapping[str, Latency]:
    """Answer times by bookmaker: those of a preset, or the given ones; a bookmaker without any answers at once."""
    if isinstance(wanted, str):
        return REALISTIC if wanted == "realistic" else {}
    return wanted
