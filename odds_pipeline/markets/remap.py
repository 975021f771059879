"""Where a stored market belongs now that the catalogue has learnt more: the pure part of ``remap``.

Every stored market keeps its bookmaker's own market id and specifier, so that the place which the catalogue gives it
today can be worked out again; its stored outcome keys are traced back to the bookmaker's own outcome ids, or through
``superseded.csv`` when the catalogue itself replaced them. Moving the rows is the database's part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from odds_pipeline.markets.mapper import CANONICAL, Mapper, Place, Target, UnidentifiedMarket


@dataclass(frozen=True, slots=True)
class Move:
    """Where a part (or all) of a stored market's outcomes belongs.

    ``outcomes`` maps each stored outcome key to its key and name there. A ``target`` without a name or groups is the
    bookmaker's own market: the stored name and groups stay.
    """

    target: Target
    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


def moves(
    mapper: Mapper,
    *,
    bookmaker: str,
    source_market_id: str,
    source_specifier: str | None,
    market_id: str,
    line: Decimal | None,
    outcomes: Mapping[str, str],
) -> list[Move] | None:
    """Where a stored market's outcomes (key -> name) belong, or None when nothing about it changes.

    A market that is split gives several moves; one of them may be the market itself, for the outcomes that stay.
    A market merged from several specifiers is stored without one, and is then judged by its market id alone.
    Raises nothing: a market whose source cannot be placed any more stays as it is.
    """
    if bookmaker == CANONICAL:
        return None
    try:
        place = mapper.place(bookmaker, source_market_id, source_specifier)
    except UnidentifiedMarket:
        return None
    found: dict[tuple[str, Decimal | None], Move] = {}
    changed = False
    for key, name in outcomes.items():
        target, new_key, new_name = _where(mapper, place, market_id, line, key, name)
        changed = changed or (target.market_id, target.line, new_key) != (market_id, line, key)
        move = found.setdefault((target.market_id, target.line), Move(target))
        move.outcomes[key] = (new_key, new_name)
    return list(found.values()) if changed else None


def _where(
    mapper: Mapper, place: Place, market_id: str, line: Decimal | None, key: str, name: str
) -> tuple[Target, str, str]:
    """Target, key and name of one stored outcome."""
    source_outcome_id = _source_outcome_id(place.bookmaker, market_id, key)
    if source_outcome_id is not None:
        known = place.outcomes.get(source_outcome_id)
        return known or (place.target, place.stored_key(source_outcome_id), name)
    old = (market_id, key)
    seen = {old}
    while (new := mapper.catalogue.superseded.get(old)) is not None and new not in seen:
        old = new
        seen.add(new)
    return place.known_keys.get(old) or (Target(market_id, line, None, None, None, None, None), key, name)


def _source_outcome_id(bookmaker: str, market_id: str, key: str) -> str | None:
    """The bookmaker's own id behind a stored key, None if the key is the catalogue's."""
    own = f"{bookmaker}:"
    if key.startswith(own):
        return key.removeprefix(own)
    return key if market_id.startswith(own) else None
