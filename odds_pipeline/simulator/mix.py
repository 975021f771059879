"""What each bookmaker offers on a match: its markets in its own ids, from the project's market catalogue.

A *unit* is the smallest thing that moves: one (market, line) of one bookmaker. Mapped units come from the catalogue;
what a competitor has on its own comes from ``data/own_markets.csv``. Units are ordered by how common they are, so a
small match is a short prefix of the list and a big one nearly all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from odds_pipeline.markets.catalogue import Catalogue, Market, SourceMarket
from odds_pipeline.simulator.draws import draw_unit
from odds_pipeline.simulator.pricing import Chances, drawn_chances, fair_chances, market_pricing, read_data

HEADLINE = "3743"
"""Full-time 1X2: on every match at every bookmaker, and never taken off."""

SQUAD = 18
"""Players of a team that bookmakers offer."""

_PAIRS = 6
_BOOKED_PLAYER = "800117"
_PLAYER_VARIANT = "variant=pre:playerprops:{match}:{player}"
_TIERS = {"popular": 0.0, "goals": 1.0, "halves": 1.5, "combos": 2.0, "specials": 2.5, "corners": 4.5, "bookings": 5.0}
_PLAYER_TIER = 6.0
_OTHER_TIER = 3.0


@dataclass(frozen=True, slots=True)
class Selection:
    """One outcome: the bookmaker's id, its words, and its fair chances."""

    outcome_id: str
    label: str
    chances: Chances


@dataclass(frozen=True, slots=True)
class Unit:
    """One (market, line) that a bookmaker may offer.

    ``specifier`` is what the bookmaker writes for the line and whatever else tells the market apart (SportyBet's
    specifier, Bet9ja's ``@`` param); it may hold ``{match}``, ``{player}`` and ``{pair}``. ``players``: the outcomes
    are the match's players (``squad``), or the whole unit is that of ``player`` (``one``).
    """

    market_id: str
    name: str
    groups: tuple[str, ...]
    handicap_type: str | None
    line: Decimal | None
    specifier: str | None
    selections: tuple[Selection, ...]
    order: float
    players: str = ""
    player: int = 0

    @property
    def is_headline(self) -> bool:
        return self.order < 0


@cache
def catalogue() -> Catalogue:
    """The project's own catalogue, read once."""
    return Catalogue.load()


@cache
def units_of(bookmaker: str) -> tuple[Unit, ...]:
    """Every unit that ``bookmaker`` may offer, the commonest first."""
    found = _betpawa_units() if bookmaker == "betpawa" else [*_mapped_units(bookmaker), *_own_units(bookmaker)]
    return tuple(sorted(found, key=lambda unit: (unit.order, unit.market_id, unit.specifier or "")))


def _order(market: Market, line_index: int) -> float:
    if market.market_id == HEADLINE:
        return -1.0
    if "players" in market.groups:
        tier = _PLAYER_TIER
    else:
        tier = min((_TIERS[group] for group in market.groups if group in _TIERS), default=_OTHER_TIER)
        if "corners" in market.groups or "bookings" in market.groups:
            tier = max(_TIERS[group] for group in market.groups if group in _TIERS)
    return tier + 0.6 * line_index + draw_unit(f"order/{market.market_id}")


def _selections(market: Market, ids: Mapping[str, str], line: Decimal | None) -> tuple[Selection, ...]:
    """The outcomes of ``ids`` (bookmaker's id -> outcome key), each key once."""
    names = tuple(market.outcomes.values())
    first_ids: dict[str, str] = {}
    for outcome_id, key in ids.items():
        first_ids.setdefault(key, outcome_id)
    return tuple(
        Selection(
            outcome_id,
            market.outcomes[key],
            fair_chances(market.market_id, market.outcomes[key], line, names),
        )
        for key, outcome_id in first_ids.items()
    )


def _lines(market_id: str) -> Sequence[Decimal | None]:
    return market_pricing()[market_id].lines or (None,)


def _betpawa_units() -> Iterable[Unit]:
    for market in catalogue().markets.values():
        if market.is_common:
            continue
        is_player = market_pricing()[market.market_id].rule == "player"
        ids = {_type_id(market.market_id, index, key): key for index, key in enumerate(market.outcomes)}
        for index, line in enumerate(_lines(market.market_id)):
            yield Unit(
                market_id=market.market_id,
                name=market.name,
                groups=market.groups,
                handicap_type=market.handicap_type,
                line=line,
                specifier=None if line is None else str(line),
                selections=() if is_player else _selections(market, ids, line),
                order=_order(market, index),
                players="squad" if is_player else "",
            )


def _type_id(market_id: str, index: int, key: str) -> str:
    """betPawa's type id; the catalogue does not know those of a few outcomes, which get one of their own here."""
    return key if key.isdigit() else f"9{market_id}{index:02d}"


@cache
def _bookmaker_lines() -> Mapping[tuple[str, str], tuple[Decimal, ...]]:
    return {
        (row["bookmaker"], row["source_market_id"]): tuple(map(Decimal, row["lines"].split()))
        for row in read_data("lines.csv")
    }


def _mapped_units(bookmaker: str) -> Iterable[Unit]:
    for (slug, source_id), sources in catalogue().sources.items():
        if slug != bookmaker:
            continue
        if bookmaker == "sportybet":
            # The same market under several required specifiers is several units; without one it is the same again.
            for source in sources:
                if source.required or len(sources) == 1:
                    yield from _source_units(source_id, (source,))
        else:
            yield from _source_units(source_id, sources)


def _source_units(source_id: str, sources: tuple[SourceMarket, ...]) -> Iterable[Unit]:
    """The lines of one source market; ``sources`` are the parts that it combines (home and away totals)."""
    first = sources[0]
    market = first.market
    is_player = market_pricing()[market.market_id].rule == "player"
    lines = _bookmaker_lines().get((first.bookmaker, source_id)) or _lines(market.market_id)
    for index, line in enumerate(lines):
        selections = tuple(s for source in sources for s in _selections(source.market, source.outcomes, line))
        if first.bookmaker == "sportybet":
            specifier = _sportybet_specifier(first, line, selections)
            name = market.name
        else:
            specifier = None if line is None or first.constant_line is not None else str(line)
            name = " / ".join(source.market.name for source in sources)
        unit = Unit(
            market_id=source_id,
            name=name,
            groups=market.groups,
            handicap_type=market.handicap_type,
            line=line,
            specifier=specifier,
            selections=selections,
            order=_order(market, index),
            players="squad" if is_player else "",
        )
        if (first.bookmaker, source_id) == ("sportybet", _BOOKED_PLAYER):
            yes = Selection("1", "Yes", drawn_chances(source_id, "Yes", None, ["Yes", "No"]))
            yield from _per_player(replace(unit, specifier=_PLAYER_VARIANT, players="one", selections=(yes,)))
        else:
            yield unit


_NUMBER_KEYS = {"163": "cornernr", "174": "cornernr", "137": "bookingnr", "150": "bookingnr"}


def _sportybet_specifier(source: SourceMarket, line: Decimal | None, selections: Sequence[Selection]) -> str | None:
    pairs: list[str] = []
    match source.market.handicap_type:
        case "over_under" if line is not None:
            pairs.append(f"total={line}")
        case "asian" if line is not None:
            pairs.append(f"hcp={line}")
        case "european" if line is not None:
            pairs.append(f"hcp={max(line, Decimal(0))}:{max(-line, Decimal(0))}")
        case "number" if line is not None:
            pairs.append(f"{_NUMBER_KEYS.get(source.source_market_id, 'goalnr')}={line}")
        case _:
            pass
    if selections and selections[0].outcome_id.startswith("sr:"):
        pairs.append(f"variant={selections[0].outcome_id.rpartition(':')[0]}")
    pairs += [f"{key}={value}" for key, value in source.required.items()]
    return "|".join(pairs) or None


def _own_units(bookmaker: str) -> Iterable[Unit]:
    sets: dict[str, list[tuple[str, str]]] = {}
    for row in read_data("outcome_sets.csv"):
        if row["bookmaker"] == bookmaker:
            sets.setdefault(row["outcomes"], []).append((row["outcome_id"], row["label"]))
    for row in read_data("own_markets.csv"):
        if row["bookmaker"] != bookmaker:
            continue
        outcomes = sets.get(row["outcomes"], [])
        names = [label for _, label in outcomes]
        for index, specifier in enumerate(row["specifiers"].split(";")):
            line = _own_line(specifier)
            key = f"{row['source_market_id']}/{specifier}"
            unit = Unit(
                market_id=row["source_market_id"],
                name=row["name"],
                groups=(row["group"],),
                handicap_type=None,
                line=line,
                specifier=specifier or None,
                selections=tuple(
                    Selection(outcome_id, label, drawn_chances(key, label, line, names))
                    for outcome_id, label in outcomes
                ),
                # A market on every match of the audit ranks with the goals tabs, a rare one behind the bookings.
                order=1.5 + 5 * (1 - int(row["share"]) / 100) + 0.1 * index + draw_unit(f"order/{key}"),
                players={"players": "squad", "player_prop": "one"}.get(row["outcomes"], ""),
            )
            if unit.players == "one":
                yield from _per_player(unit)
            elif "{pair}" in specifier:
                yield from _per_pair(unit)
            else:
                yield unit


def _per_player(unit: Unit) -> Iterable[Unit]:
    """``unit`` once for each player of both squads; the regulars are offered first."""
    for player in range(2 * SQUAD):
        yield replace(unit, player=player, order=unit.order + 0.05 * player)


def _per_pair(unit: Unit) -> Iterable[Unit]:
    """``unit`` once for each of a few pairs of opponents."""
    for pair in range(_PAIRS):
        yield replace(unit, player=2 * pair, order=unit.order + 0.1 * pair)


def _own_line(specifier: str) -> Decimal | None:
    if not specifier:
        return None
    pairs = dict(pair.split("=", 1) for pair in specifier.split("|") if "=" in pair)
    text = pairs.get("total", "") if pairs else specifier
    return Decimal(text) if text else None
