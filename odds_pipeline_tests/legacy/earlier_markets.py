"""The markets of a made-up earlier system: what was stored of each, and what our live path stores of the same.

The faults are those that are known of the earlier system; ``is_trusted`` is this generator's own knowledge of which
markets they spoil, written down here by hand and not asked of the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from odds_pipeline.markets.catalogue import Catalogue

CATALOGUE = Catalogue.load()

#: betPawa lays these out in several rows, of so many outcomes.
SPLIT = {"4706": 3, "3819": 2, "4926": 2, "28000869": 2, "3591790": 2}
SIMPLE = ("3743", "3668", "3685", "4693", "3795", "4703")
TOTALS = ("5000", "4958", "4976")
#: SportyBet's outcomes of these were matched by position.
POSITIONAL = ("28000014", "28000021", "28000047", "3819", "4063")
#: Competitors' totals of one team's corners and bookings stood under these.
RANGES = ("1096768", "1096793")


@dataclass(frozen=True)
class MarketSpec:
    """One (market, line) of one bookmaker. ``names`` and ``keys``: what was stored, and our keys, in one order;
    ``row_of``: outcomes in each stored row."""

    market_id: str
    line: Decimal | None
    names: tuple[str, ...]
    keys: tuple[str, ...]
    row_of: int
    stored_line: str = "\\N"
    handicaps: tuple[str, str, str] = ("\\N", "\\N", "\\N")
    is_trusted: bool = True

    @property
    def is_split(self) -> bool:
        """Whether it stands in several rows of a snapshot."""
        return self.row_of < len(self.names)

    @property
    def is_readable(self) -> bool:
        """Whether its line can be known at all from what was stored."""
        return self.line is None or self.stored_line != "\\N" or self.handicaps[1] != "\\N"

    @property
    def name(self) -> str:
        """The market's name as stored."""
        return CATALOGUE.markets[self.market_id].name


def markets_of(bookmaker: str, size: int) -> list[MarketSpec]:
    """The markets that a bookmaker offers on an event, more lines with more ``size``."""
    lines = [Decimal(n) + Decimal("0.5") for n in range(size)]
    specs = [_plain(market_id) for market_id in SIMPLE if _is_offered(bookmaker, market_id)]
    specs += [
        _plain(market_id, line, stored_line=_float(line))
        for market_id in TOTALS
        if _is_offered(bookmaker, market_id)
        for line in lines
    ]
    quarter = Decimal("-0.25")
    if bookmaker == "betpawa":
        specs.append(_plain("3774", quarter, stored_line="-0.25", handicaps=("asian", "-0.25", "0.25")))
        specs += [_plain(market_id, row_of=row_of) for market_id, row_of in SPLIT.items()]
        specs.append(_plain("1096755", Decimal("2.5"), stored_line="2.5", row_of=3))
        # Two European lines of one market, both stored without it.
        specs += [
            _plain("4724", line, handicaps=("european", "\\N", "\\N"), is_trusted=False)
            for line in (Decimal(-1), Decimal(1))
        ]
    else:
        # The line of a competitor's handicap stood beside it only.
        specs.append(_plain("3774", quarter, handicaps=("asian", "-0.25", "0.25")))
        specs += [
            MarketSpec(market_id, Decimal("4.5"), ("Over", "Under"), ("over", "under"), 2, "4.5", is_trusted=False)
            for market_id in RANGES
        ]
    if bookmaker == "sportybet":
        specs += [_plain(market_id, is_trusted=False) for market_id in POSITIONAL]
        # The earlier mapping's own words for the outcomes.
        totals = _plain("1096755", Decimal("2.5"), stored_line="2.5")
        spelled = tuple(name.replace(" - ", " & ") for name in totals.names)
        specs.append(MarketSpec("1096755", totals.line, spelled, totals.keys, len(spelled), "2.5"))
    return specs


def _plain(
    market_id: str,
    line: Decimal | None = None,
    *,
    stored_line: str = "\\N",
    handicaps: tuple[str, str, str] = ("\\N", "\\N", "\\N"),
    row_of: int | None = None,
    is_trusted: bool = True,
) -> MarketSpec:
    """A market of the catalogue, its outcomes by betPawa's names."""
    outcomes = CATALOGUE.markets[market_id].outcomes
    names, keys = tuple(outcomes.values()), tuple(outcomes)
    return MarketSpec(market_id, line, names, keys, row_of or len(names), stored_line, handicaps, is_trusted)


def _is_offered(bookmaker: str, market_id: str) -> bool:
    if bookmaker == "betpawa":
        return True
    return any(
        source.market.market_id == market_id
        for (slug, _), sources in CATALOGUE.sources.items()
        if slug == bookmaker
        for source in sources
    )


def _float(line: Decimal) -> str:
    return repr(float(line))
