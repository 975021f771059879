"""What one stored market of an earlier system says, in our terms: outcome keys, exact prices, and how far to trust it.

An earlier system knew outcomes by betPawa's names alone. The catalogue gives the key that our live path stores for a
name; a name that it lacks becomes ``legacy:<name>``, never a guess. Which markets carry the earlier system's known
faults, and by what each shows, is here too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from odds_pipeline.bookmakers import ledger
from odds_pipeline.bookmakers.prices import read_price
from odds_pipeline.markets.catalogue import Catalogue
from odds_pipeline.markets.mapper import CANONICAL
from odds_pipeline.odds.observation import Outcome

#: Between the texts of several rows that are one market of one snapshot; JSON text cannot contain it.
SEPARATOR = "\x1e"

#: An outcome of which only the earlier system's name is known.
OWN_KEY = "legacy:"

# Why a market is not to be trusted
POSITIONAL_OUTCOMES = "outcomes were matched by position"
WRONG_MARKET = "totals of one team were filed under betPawa's ranges"
NO_SUCH_MAPPING = "the catalogue knows no such market of this bookmaker"
LINE_LOST = "the line was not stored"
LINE_UNEXPECTED = "a line where the market has none"
LINE_DISPUTED = "home and away handicap contradict each other"
OUTCOMES_LOST = "only part of the market's outcomes was kept"
WHOLENESS_UNKNOWN = "whether all of the market's outcomes were kept cannot be known"
PRICE_OF_ONE = "a price of 1.0 stood for not offered"

# Why a market is refused, beside the live path's own reasons
LINE_UNREADABLE = "line_unreadable"
EVENT_UNKNOWN = "event_unknown"

_POSITIONAL_SOURCES = ("546", "542", "545", "548", "549", "550", "552", "553", "81", "98")
_RANGES = frozenset({"1096768", "1096769", "1096770", "1096771", "1096793", "1096794", "1096797", "1096802"})
#: A row for display holds at most three outcomes; what has more stood in several rows, which overwrote each other.
_ONE_ROW = 3


class Offer(NamedTuple):
    """One market as stored. ``refusal``: why it says nothing; no outcomes and no refusal: nothing is offered."""

    outcomes: tuple[Outcome, ...]
    refusal: str | None = None
    distrust: str | None = None


class OfferReader:
    """Reads stored markets with one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._keys: dict[str, dict[str, str]] = {}
        sources = catalogue.sources
        self._positional = frozenset(
            source.market.market_id for own in _POSITIONAL_SOURCES for source in sources.get(("sportybet", own), ())
        )
        self._mapped = frozenset(
            (bookmaker, source.market.market_id) for (bookmaker, _), found in sources.items() for source in found
        )

    def market_distrust(
        self, bookmaker: str, market_id: str, *, has_line: bool, needs_line: bool, is_disputed: bool
    ) -> str | None:
        """Why whatever an earlier system says of this market is not to be trusted, None if there is no reason."""
        if bookmaker == "sportybet" and market_id in self._positional:
            return POSITIONAL_OUTCOMES
        if bookmaker != CANONICAL:
            if market_id in _RANGES:
                return WRONG_MARKET
            if (bookmaker, market_id) not in self._mapped:
                return NO_SUCH_MAPPING
            if has_line and not needs_line:
                return LINE_UNEXPECTED
        if is_disputed:
            return LINE_DISPUTED
        return LINE_LOST if needs_line and not has_line else None

    def read(self, bookmaker: str, market_id: str, texts: str) -> Offer:
        """The ``outcomes`` of one market, or of the several rows that it was split into, joined by ``SEPARATOR``."""
        pieces = texts.split(SEPARATOR)
        found: dict[str, Outcome] = {}
        unpriced = False
        for piece in pieces:
            try:
                entries = msgspec.json.decode(piece)
            except msgspec.DecodeError:
                return Offer((), ledger.OUTCOME_UNREADABLE)
            if not isinstance(entries, list):
                return Offer((), ledger.OUTCOMES_MISSING)
            for entry in entries:
                outcome = self._outcome(bookmaker, market_id, entry)
                if isinstance(outcome, str):
                    return Offer((), outcome)
                if outcome is None:
                    unpriced = True
                    continue
                known = found.setdefault(outcome.key, outcome)
                if (known.odds, known.is_active) != (outcome.odds, outcome.is_active):
                    return Offer((), ledger.CONFLICTING_DUPLICATE)
        if not found and not unpriced:
            return Offer((), ledger.OUTCOMES_MISSING)
        distrust = self._loss(bookmaker, market_id, len(pieces), len(found)) or (PRICE_OF_ONE if unpriced else None)
        return Offer(tuple(found[key] for key in sorted(found)), None, distrust)

    def _outcome(self, bookmaker: str, market_id: str, entry: Any) -> Outcome | str | None:
        """The outcome, the reason why it cannot be read, or None for one that is not offered (Bet9ja's 1)."""
        if not isinstance(entry, dict):
            return ledger.OUTCOME_UNREADABLE
        name, is_active = entry.get("name"), entry.get("is_active", True)
        if not isinstance(name, str) or not name:
            return ledger.OUTCOME_WITHOUT_ID
        if not isinstance(is_active, bool):
            return ledger.ACTIVITY_UNREADABLE
        key, name = self._identity(market_id, name)
        odds = entry.get("odds")
        if bookmaker == "bet9ja" and isinstance(odds, (int, float)) and odds == 1:
            return None
        if not is_active:
            return Outcome(key, name, None, False)
        price = read_price(odds)
        return price if isinstance(price, str) else Outcome(key, name, price, True)

    def _identity(self, market_id: str, name: str) -> tuple[str, str]:
        """Key and name as the live path stores them."""
        keys = self._keys.get(market_id)
        if keys is None:
            market = self._catalogue.markets.get(market_id)
            known = market.outcomes if market else {}
            keys = self._keys[market_id] = {name: key for key, name in known.items()}
        for spelling in _spellings(name):
            if spelling in keys:
                return keys[spelling], spelling
        return OWN_KEY + name, name

    def _loss(self, bookmaker: str, market_id: str, pieces: int, outcomes: int) -> str | None:
        """Why a single row of betPawa's may not be the whole market: one laid out in several rows kept the last only.

        Markets that the catalogue lists without outcomes (players) or not at all cannot be seen to be whole.
        """
        if bookmaker != CANONICAL or pieces > 1:
            return None
        market = self._catalogue.markets.get(market_id)
        whole = len(market.outcomes) if market else 0
        if not whole:
            return WHOLENESS_UNKNOWN
        return OUTCOMES_LOST if whole > _ONE_ROW and outcomes < whole else None


def _spellings(name: str) -> Iterable[str]:
    """betPawa's word, then what the earlier system wrote where betPawa says otherwise."""
    yield name
    yield name.replace(" & ", " - ")
    yield name.removesuffix(" Team Only")
