"""The made-up offer that questions are asked of: markets of the catalogue on every event, and prices that move.

A market's state is a function of where its price stands (``position``, a walk between -10 and 10 steps of 4 % in the
odds of its first outcome) and of whether it is suspended or gone. A bookmaker's margin stays what it is. All of it is
worked out for many rows at once, straight to the text of packed states (``odds_pipeline/odds/packed.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import polars as pl

from odds_pipeline.markets.catalogue import Catalogue, Market
from odds_pipeline.odds.packed import NARROW_STATUS_SHIFT, OutcomeStatus

from .offers import SCALES

EVENTS = SCALES["L"].events
MARKETS_OF_EVENT = SCALES["L"].markets
BOOKMAKERS = tuple(MARKETS_OF_EVENT)
"""In the order of their ids."""

HEADLINE = ("3743", "5000", "3795", "4693")
FURTHEST = 10
"""Steps that a price may stand away from where it began."""

_LINES = tuple(Decimal(f"{goals}.5") for goals in range(5))
_MOST_OUTCOMES = 20
_STEP = 1.04
_LONGEST_PRICE = 15_000
"""Hundredths."""
_MARGINS = {"betpawa": 1.05, "sportybet": 1.06, "bet9ja": 1.065}


@dataclass(frozen=True, slots=True)
class Template:
    """A market that is offered on every event."""

    market: Market
    line: Decimal | None

    @property
    def size(self) -> int:
        """How many outcomes it has."""
        return len(self.market.outcomes)


@cache
def templates() -> tuple[Template, ...]:
    """Every market of an event, the headline ones first; a bookmaker offers as many of the first as it has markets.

    Markets of many outcomes come early, with their neighbours that have lines: 3.6 outcomes on average.
    """
    known = Catalogue.load().markets
    headline = [known[market_id] for market_id in HEADLINE]
    rest = [
        market
        for market in known.values()
        if market not in headline and not market.is_common and 2 <= len(market.outcomes) <= _MOST_OUTCOMES
    ]
    single = [market for market in rest if market.handicap_type is None]
    single.sort(key=lambda market: -len(market.outcomes))
    lined = [market for market in rest if market.handicap_type is not None]
    ordered = headline + [market for pair, wide in zip(_pairs(single), lined, strict=False) for market in (*pair, wide)]
    found = [
        Template(market, line)
        for market in ordered
        for line in (_LINES if market.handicap_type is not None else (None,))
    ]
    return tuple(found[: max(MARKETS_OF_EVENT.values())])


def market_id(event: int, bookmaker: str, template: int) -> int:
    """The id that the market has in ``markets()``."""
    before = list(MARKETS_OF_EVENT.values())[: BOOKMAKERS.index(bookmaker)]
    return event * sum(MARKETS_OF_EVENT.values()) + sum(before) + template + 1


def markets() -> pl.DataFrame:
    """Every market (``market_id`` from 1 on): its ``event`` and ``bookmaker`` (from 0 on), ``template``, ``size``, and
    ``activity``, how often its price moves against others'.
    """
    offered = pl.DataFrame(
        [
            {
                "bookmaker": bookmaker,
                "template": number,
                "size": template.size,
                "activity": 4 if template.market.market_id in HEADLINE else 1 + number % 3,
            }
            for bookmaker, slug in enumerate(BOOKMAKERS)
            for number, template in enumerate(templates()[: MARKETS_OF_EVENT[slug]])
        ]
    )
    events = pl.DataFrame({"event": range(EVENTS)})
    return events.join(offered, how="cross", maintain_order="left_right").with_row_index("market_id", offset=1)


def beginnings(offer: pl.DataFrame) -> Mapping[int, pl.DataFrame]:
    """Where the prices of ``markets()`` begin, by size: market_id, ``margin``, and each outcome's probability (``p0``
    and on). All bookmakers think the same of a match.
    """
    found: dict[int, pl.DataFrame] = {}
    margins = pl.Series([_MARGINS[slug] for slug in BOOKMAKERS])
    for (size,), part in offer.partition_by("size", as_dict=True).items():
        numbers = range(int(size))
        weight = {n: (pl.struct("event", "template").hash(n) % 1_000).cast(pl.Float64) + 250 for n in numbers}
        total = pl.sum_horizontal(f"w{n}" for n in numbers)
        weighted = part.select(
            pl.col("market_id").cast(pl.Int32),
            margin=pl.lit(margins).gather("bookmaker"),
            **{f"w{n}": each for n, each in weight.items()},
        )
        found[int(size)] = weighted.select("market_id", "margin", **{f"p{n}": pl.col(f"w{n}") / total for n in numbers})
    return found


def states(rows: pl.DataFrame, began: Mapping[int, pl.DataFrame]) -> pl.DataFrame:
    """The rows (market_id, ``walk``, ``is_suspended``, ``is_gone`` and more) with ``state``, as COPY reads bytea.

    ``walk`` counts steps up and down without end; the price turns back at ``FURTHEST``.
    """
    return pl.concat(
        _states(rows.join(beginning, on="market_id"), size).select(*rows.columns, "state")
        for size, beginning in began.items()
    )


def _states(rows: pl.DataFrame, size: int) -> pl.DataFrame:
    position = FURTHEST - ((pl.col("walk") - FURTHEST).abs() % (4 * FURTHEST) - 2 * FURTHEST).abs()
    first = pl.col("p0") * pl.lit(_STEP).pow(position)
    moved = first / (first + 1 - pl.col("p0"))
    probabilities = [moved, *(pl.col(f"p{n}") * (1 - moved) / (1 - pl.col("p0")) for n in range(1, size))]
    inactive = OutcomeStatus.INACTIVE.value << NARROW_STATUS_SHIFT
    words = [
        (100 / (each * pl.col("margin"))).floor().clip(101, _LONGEST_PRICE).cast(pl.Int64)
        + pl.when(pl.col("is_suspended") & (pl.col("market_id") % size == n)).then(inactive).otherwise(0)
        for n, each in enumerate(probabilities)
    ]
    header = pl.when("is_gone").then(pl.lit("\\x02")).otherwise(pl.lit("\\x00"))
    return rows.with_columns(state=pl.concat_str(header, *(pl.lit(_hex_words()).gather(word) for word in words)))


@cache
def _hex_words() -> pl.Series:
    return pl.Series([f"{word:04x}" for word in range(1 << 16)])


def _pairs(found: list[Market]) -> list[tuple[Market, ...]]:
    return [tuple(found[first : first + 2]) for first in range(0, len(found), 2)]
