"""Where a bookmaker's market belongs in the taxonomy: its canonical identity, line, and what each outcome is called.

Keyed on ids: a market by (bookmaker, its id, its specifier), an outcome by its id. Nothing is mapped by name or by
position. What the catalogue does not know keeps its bookmaker's own identity, so nothing is ever dropped here.

Identities:

- mapped: betPawa's market type id, or ``common:...`` for what only the competitors have; outcomes by the catalogue's
  keys, one that the catalogue does not list as ``<bookmaker>:<its id>``;
- own: ``<bookmaker>:<id>[key=value|...]``, keys sorted, without the line and without match ids; outcomes by the
  bookmaker's own ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from odds_pipeline.markets.catalogue import Catalogue, SourceMarket
from odds_pipeline.markets.specifier import (
    Specifier,
    SpecifierError,
    checked_line,
    own_pairs,
    read_specifier,
    without_match,
)

#: The bookmaker whose ids are the taxonomy's: its markets and outcomes are canonical as they come.
CANONICAL = "betpawa"

#: Enough for what every match has. Players' markets, ten times as many in a cycle, are never asked for again, and
#: would only be carried along.
_REMEMBERED_PLACES = 16_384


class UnidentifiedMarket(ValueError):
    """A market whose identity or line cannot be read, so that its answer proves nothing absent."""


@dataclass(frozen=True, slots=True)
class Target:
    """One canonical (market, line). ``name`` and ``groups`` None: the bookmaker's own are to be used.

    ``handicap_home`` and ``handicap_away`` are set for Asian and European handicaps.
    """

    market_id: str
    line: Decimal | None
    name: str | None
    groups: list[str] | None
    handicap_type: str | None
    handicap_home: Decimal | None
    handicap_away: Decimal | None

    @property
    def is_mapped(self) -> bool:
        """Whether the catalogue gave this identity: only then are keys the catalogue's."""
        return self.name is not None


@dataclass(frozen=True, slots=True)
class Place:
    """What a source market becomes: one target, or several when its outcomes are split.

    ``outcomes`` holds the outcomes that the catalogue lists: source outcome id -> (target, outcome key, name). Any
    other outcome goes to ``target`` under ``own_key``. ``known_keys`` is the same by (market id, outcome key).
    """

    bookmaker: str
    target: Target
    outcomes: Mapping[str, tuple[Target, str, str]]
    known_keys: Mapping[tuple[str, str], tuple[Target, str, str]]

    def own_key(self, source_outcome_id: str) -> str:
        """The key of an outcome that the catalogue does not list, from the id that the bookmaker gives it."""
        return self.stored_key(without_match(source_outcome_id))

    def stored_key(self, own_id: str) -> str:
        """As ``own_key``, from an id whose match was taken out before."""
        return f"{self.bookmaker}:{own_id}" if self.target.is_mapped else own_id


class Mapper:
    """The catalogue, made quick to ask. One instance serves all bookmakers; it is safe to share between threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.version = catalogue.version
        self._groups = {market_id: list(market.groups) for market_id, market in catalogue.markets.items()}
        self.place = lru_cache(_REMEMBERED_PLACES)(self._place)
        """``place(bookmaker, source_market_id, specifier) -> Place``. Raises ``UnidentifiedMarket``.

        For competitors: ``CANONICAL``'s own ids are the taxonomy and need no place.
        """

    @classmethod
    def load(cls) -> Mapper:
        """The mapper of the project's own catalogue."""
        return cls(Catalogue.load())

    def name(self, market_id: str) -> str | None:
        """The catalogue's name of a canonical market, None if it has none."""
        market = self.catalogue.markets.get(market_id)
        return market.name if market else None

    def handicap_type(self, market_id: str) -> str | None:
        """What the line of a canonical market is, None if it has none or the catalogue does not know the market."""
        market = self.catalogue.markets.get(market_id)
        return market.handicap_type if market else None

    def groups(self, market_id: str) -> list[str]:
        """The catalogue's groups of a canonical market (betPawa's tabs); empty if it has none."""
        return self._groups.get(market_id, [])

    def _place(self, bookmaker: str, source_market_id: str, specifier: str | None) -> Place:
        sources = self.catalogue.sources.get((bookmaker, source_market_id), ())
        try:
            read = read_specifier(specifier)
        except SpecifierError as error:
            if sources:
                raise UnidentifiedMarket(f"{bookmaker} {source_market_id}: {error}") from error
            # A grammar that is not known yet, in a market that is not known either: the text is the identity.
            return Place(
                bookmaker, _own_target(bookmaker, source_market_id, Specifier(None, None, {}), specifier), {}, {}
            )
        places = [(source, target) for source in sources if (target := self._target_of(source, read))]
        if not places and any(_lacks_its_line(source, read) for source in sources):
            raise UnidentifiedMarket(f"{bookmaker} {source_market_id} comes without its line (specifier {specifier!r})")
        outcomes: dict[str, tuple[Target, str, str]] = {}
        for source, target in places:
            names = source.market.outcomes
            outcomes.update({own: (target, key, names[key]) for own, key in source.outcomes.items()})
        default = places[0][1] if len(places) == 1 else _own_target(bookmaker, source_market_id, read)
        known_keys = {(found[0].market_id, found[1]): found for found in outcomes.values()}
        return Place(bookmaker, default, outcomes, known_keys)

    def _target_of(self, source: SourceMarket, read: Specifier) -> Target | None:
        """The target that a catalogue row gives a specifier, None if the row does not apply to it."""
        rest = {key: value for key, value in read.pairs.items() if key != "variant"}
        if rest != source.required:
            return None
        kind, line = source.market.handicap_type, read.line
        if line is None:
            line = source.constant_line
        elif read.kind not in (kind, None) or source.constant_line not in (line, None):
            return None
        if (line is None) != (kind is None):
            return None
        return canonical_target(
            source.market.market_id,
            line,
            kind,
            name=source.market.name,
            groups=None if source.market.is_common else self._groups[source.market.market_id],
        )


def canonical_target(
    market_id: str,
    line: Decimal | None,
    handicap_type: str | None,
    *,
    name: str | None = None,
    groups: list[str] | None = None,
) -> Target:
    """A target with its handicap words worked out. Raises ``SpecifierError`` for a line that is too large."""
    home = away = None
    if line is not None:
        line = checked_line(line)
        if handicap_type in ("asian", "european"):
            home, away = line, checked_line(-line)
    return Target(market_id, line, name, groups, handicap_type, home, away)


def _own_target(bookmaker: str, source_market_id: str, read: Specifier, unread: str | None = None) -> Target:
    rest = f"[{without_match(unread)}]" if unread else own_pairs(read.pairs)
    return canonical_target(f"{bookmaker}:{source_market_id}{rest}", read.line, read.kind)


def _lacks_its_line(source: SourceMarket, read: Specifier) -> bool:
    """Whether a source that always has a line comes without: then the specifiers of its answer cannot be trusted.

    Common markets rest on fewer real answers; one without its line just keeps its own id.
    """
    market = source.market
    has_line = market.handicap_type is not None and source.constant_line is None
    return read.line is None and has_line and not market.is_common
