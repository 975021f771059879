"""The fair chance of every outcome under every profile: the catalogue's outcomes priced by one model.

Which rule prices which market, and at which lines, stands in ``data/pricing.csv``. Bookmakers differ only in what
they add to these chances (``movement.py``), so their prices of one outcome agree.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from math import exp
from operator import mul

from odds_pipeline.simulator.draws import draw_unit
from odds_pipeline.simulator.rules import RULES
from odds_pipeline.simulator.scores import PROFILES, halves_space, score_space

Chances = tuple[float, ...]
"""The chance of one outcome under each of ``PROFILES``."""

_QUARTER = Decimal("0.25")
_LEAST, _MOST = 0.001, 0.995


@dataclass(frozen=True, slots=True)
class MarketPricing:
    """How one canonical market is priced. ``lines`` are in the order of how often they are offered."""

    rule: str
    subject: str
    period: str
    side: str
    lines: tuple[Decimal, ...]


def read_data(name: str) -> list[dict[str, str]]:
    """The rows of one of the simulator's own data files."""
    text = (files("odds_pipeline.simulator") / "data" / name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def market_pricing() -> dict[str, MarketPricing]:
    """``data/pricing.csv`` by canonical market id."""
    return {
        row["betpawa_market_id"]: MarketPricing(
            row["rule"],
            row["subject"],
            row["period"],
            row["side"],
            tuple(Decimal(line) for line in row["lines"].split()),
        )
        for row in read_data("pricing.csv")
    }


@cache
def fair_chances(market_id: str, name: str, line: Decimal | None, names: tuple[str, ...]) -> Chances:
    """The chances of outcome ``name`` of a canonical market, returned stakes allowed for."""
    pricing = market_pricing()[market_id]
    if pricing.rule == "drawn":
        return drawn_chances(market_id, name, line, names)
    if line is not None and line % Decimal("0.5"):
        # Half the stake stands on each neighbouring line.
        pairs = zip(
            _won_and_returned(pricing, name, line - _QUARTER, names),
            _won_and_returned(pricing, name, line + _QUARTER, names),
            strict=True,
        )
        return tuple(_fair(a[0] + b[0], a[1] + b[1], 2.0) for a, b in pairs)
    return tuple(_fair(won, back, 1.0) for won, back in _won_and_returned(pricing, name, line, names))


def drawn_chances(key: str, name: str, line: Decimal | None, names: Sequence[str]) -> Chances:
    """Chances of an outcome that the score model does not describe: drawn once, the same at every bookmaker.

    Outcomes named over and under share a total that falls as ``line`` rises.
    """
    centre = draw_unit(f"{key}/centre") * 3 + 2
    over = 1 / (1 + exp(float(line or 0) - centre))

    def weight(other: str, profile: int) -> float:
        part = 0.4 + draw_unit(f"{key}/{other.replace('Under', 'Over')}/{profile}")
        return part * (over if "Over" in other else 1 - over if "Under" in other else 1.0)

    return tuple(
        _fair(weight(name, profile) / sum(weight(n, profile) for n in names), 0.0, 1.0)
        for profile in range(len(PROFILES))
    )


def _won_and_returned(
    pricing: MarketPricing, name: str, line: Decimal | None, names: tuple[str, ...]
) -> list[tuple[float, float]]:
    settle = RULES[pricing.rule](name, float(line or 0), pricing.side, names)
    space = halves_space() if pricing.period == "halves" else score_space(pricing.subject, pricing.period)
    settled = [settle(score) for score in space.scores]
    won = [share or 0.0 for share in settled]
    returned = [float(share is None) for share in settled]
    has_returns = any(returned)
    return [
        (sum(map(mul, won, weights)), sum(map(mul, returned, weights)) if has_returns else 0.0)
        for weights in space.weights
    ]


def _fair(won: float, returned: float, stake: float) -> float:
    return min(_MOST, max(_LEAST, won / (stake - returned)))
