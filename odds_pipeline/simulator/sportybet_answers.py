"""SportyBet's answer about one event (reference: SportyBet): one object per market and specifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from odds_pipeline.simulator.answers import (
    goals_so_far,
    player_id,
    player_selections,
    require_match,
    to_json,
    unit_key,
)
from odds_pipeline.simulator.compression import SharedTail
from odds_pipeline.simulator.draws import draw_below
from odds_pipeline.simulator.mix import Selection, Unit, units_of
from odds_pipeline.simulator.movement import Movement, State, price
from odds_pipeline.simulator.schedule import EPOCH, Listed, Match

_GROUPS = {
    "popular": "Main",
    "goals": "Goals",
    "halves": "Half",
    "combos": "Combo",
    "bookings": "Bookings",
    "corners": "Corners",
    "players": "Players",
}
_SQUAD_ID = "sr:player:{player}"
_SQUAD_NAME = "{name} ({team})"
_ENVELOPE = '{"bizCode":10000,"message":"0#0","data":'
_UNMOVED_PRICES = ("0.00", "1.00", None)
"""What an inactive outcome shows: most 0.00 or 1.00, some a plausible price."""


class SportybetAnswers:
    """Writes SportyBet's event answers. ``period_ms`` is the length of a period in milliseconds."""

    def __init__(self, period_ms: int) -> None:
        self._units = units_of("sportybet")
        self._period_ms = period_ms
        self._outcomes = [[_outcome_template(unit, s) for s in unit.selections] for unit in self._units]
        self._markets = [_market_template(unit) for unit in self._units]

    def fragment(self, index: int, listed: Listed, moved: Movement) -> bytes:
        """One market object."""
        if moved.state is State.GONE:
            return b""
        unit, match = self._units[index], require_match(listed)
        selections, templates = unit.selections, self._outcomes[index]
        if unit.players == "squad":
            selections = player_selections(match, _canonical(unit), _SQUAD_ID, _SQUAD_NAME)
            templates = [_outcome_template(unit, s) for s in selections]
        suspension = _Suspension(moved, len(selections))
        outcomes = ",".join(
            template % suspension.of(place, selection, match)
            for place, (template, selection) in enumerate(zip(templates, selections, strict=True))
        )
        changed_at = (int(EPOCH.timestamp()) * 1000) + moved.period * self._period_ms
        text = self._markets[index] % (suspension.status, outcomes, changed_at, suspension.banned)
        return _with_match_words(text, unit, listed, match, swap=moved.drawn[-2] % 2 == 1).encode()

    def assemble(self, listed: Listed, fragments: Sequence[bytes], period: int) -> tuple[bytes, SharedTail | None]:
        """The envelope around the event and its markets."""
        markets = [fragment for fragment in fragments if fragment]
        turn = period % len(markets)
        return (
            b'%s%s,"markets":[%s]}}'
            % (_ENVELOPE.encode(), event_head(listed), b",".join(markets[turn:] + markets[:turn]))
        ), None

    def in_list(self, fragments: Mapping[int, bytes]) -> list[bytes]:
        return list(fragments.values())

    def in_play(self, listed: Listed, minutes: int) -> bytes:
        """Status 1; ``productId=3`` gives no main markets for a match in play."""
        head = event_head(listed, minutes=minutes)
        return b'%s%s,"markets":[]}}' % (_ENVELOPE.encode(), head)


def event_head(listed: Listed, *, minutes: int | None = None) -> bytes:
    """The event without its closing brace; ``minutes`` since kick-off for one in play."""
    source: dict[str, object] = {"sourceType": "BET_RADAR", "sourceId": listed.sportradar_id}
    if draw_below(f"{listed.key}/source", 10) == 0:
        # Some matches come from another supplier, whose ids carry a prefix of seven 1s.
        source = {"sourceType": "BET_GENIUS", "sourceId": f"1111111{listed.sportradar_id}"}
    event: dict[str, object] = {
        "eventId": listed.event_id,
        "gameId": str(draw_below(f"{listed.key}/game", 90_000) + 10_000),
        "productStatus": "0#0",
        "estimateStartTime": int(listed.kickoff.timestamp() * 1000),
        "status": 0,
        "matchStatus": "Not start",
        "homeTeamId": f"sr:competitor:{listed.home_id}",
        "homeTeamName": listed.home,
        "awayTeamName": listed.away,
        "awayTeamId": f"sr:competitor:{listed.away_id}",
        "sport": {
            "id": "sr:sport:1",
            "name": "Football",
            "category": {
                "id": f"sr:category:{listed.country_id}",
                "name": listed.country,
                "tournament": {"id": f"sr:tournament:{listed.tournament_id}", "name": listed.tournament},
            },
        },
        "bookingStatus": "Booked",
        "eventSource": {"preMatchSource": source},
        "banned": False,
    }
    if minutes is not None:
        home, away = goals_so_far(require_match(listed), minutes)
        event |= {
            "status": 1,
            "matchStatus": "H1" if minutes < 45 else "H2",
            "setScore": f"{home}:{away}",
            "playedSeconds": f"{minutes}:00",
            "period": "1" if minutes < 45 else "2",
        }
    return to_json(event)[:-1].encode()


class _Suspension:
    """How a market that is not wholly open shows it: status, ``banned``, or outcomes that are not active."""

    def __init__(self, moved: Movement, outcomes: int) -> None:
        self.status, self.banned = 0, "false"
        self._drawn = moved.drawn
        self._inactive = range(0)
        way = moved.drawn[-2]
        if moved.state is State.PARTIAL:
            self._inactive = range(way % outcomes, way % outcomes + 1)
        elif moved.state is State.SUSPENDED:
            # Any status but 0 is not offered, whatever the outcomes say.
            if way % 4 == 3:
                self.banned = "true"
            elif way % 4 == 2:
                self._inactive = range(outcomes)
            else:
                self.status = 1 + way % 4

    def of(self, place: int, selection: Selection, match: Match) -> tuple[str, float, int]:
        """odds, probability and isActive of one outcome."""
        chance = selection.chances[match.profile]
        odds = f"{price('sportybet', chance, self._drawn[place]):.2f}"
        if place in self._inactive:
            return _UNMOVED_PRICES[self._drawn[place] % 3] or odds, chance, 0
        return odds, chance, 1


def _canonical(unit: Unit) -> str:
    """The key of a player's chance, so that all bookmakers agree on the mapped player markets."""
    return {"38": "129110", "39": "129109", "40": "129108", "800289": "28000815"}.get(unit.market_id, unit.market_id)


def _escaped(text: str) -> str:
    return to_json(text).replace("%", "%%")


def _outcome_template(unit: Unit, selection: Selection) -> str:
    label = selection.label
    if unit.line is not None and label.endswith(("Over", "Under")):
        label = f"{label} {unit.line}"
    elif unit.handicap_type == "european":
        label = f"{label} ({(unit.specifier or '').removeprefix('hcp=')})"
    outcome_id = selection.outcome_id
    if unit.players == "one":
        outcome_id = f"pre:playerprops:{{match}}:{{player}}:{outcome_id}"
    return (
        f'{{"id":"{outcome_id}","odds":"%s","probability":"%.10f","voidProbability":"0E-10",'
        f'"isActive":%d,"desc":{_escaped(label)}}}'
    )


def _market_template(unit: Unit) -> str:
    """The market with places for status, outcomes, the time of the last change, and ``banned``."""
    group = next((_GROUPS[g] for g in unit.groups if g in _GROUPS), unit.groups[0] if unit.groups else "Main")
    group = "Main" if group == "specials" else group
    oddity = draw_below(f"sportybet/{unit_key(unit)}", 20)
    desc = unit.name if unit.line is None else f"{unit.name} {unit.line}"
    specifier = f'"specifier":"{unit.specifier}",' if unit.specifier else ""
    # A few markets lack the optional fields, or have an empty name (B-24).
    name = "" if oddity == 0 else '"name":"",' if oddity == 1 else f'"name":{_escaped(unit.name)},'
    described = "" if oddity == 2 else f'"group":"{group}","groupId":"G{group}",'
    changed = '"lastOddsChangeTime":%d,' if oddity != 3 else "%.0s"
    return (
        f'{{"id":"{unit.market_id}",{specifier}"product":3,"desc":{_escaped(desc)},"status":%d,{described}'
        f'"title":"","marketGuide":{_escaped(_guide(unit.name))},{name}"favourite":0,"outcomes":[%s],'
        f'"farNearOdds":0,"sourceType":"BET_RADAR",{changed}"banned":%s}}'
    )


def _guide(name: str) -> str:
    return f"{name}: predict the outcome. The result after 90 minutes counts, overtime does not."


def _with_match_words(text: str, unit: Unit, listed: Listed, match: Match, *, swap: bool) -> str:
    """Fill in players and pairs; the order of a specifier's pairs is not significant and varies."""
    specifier = unit.specifier or ""
    if "|" in specifier and swap:
        text = text.replace(specifier, "|".join(reversed(specifier.split("|"))), 1)
    if "{" not in specifier:
        return text
    shirt, is_away = divmod(unit.player, 2)
    player = player_id(match.away if is_away else match.home, shirt)
    pair = f"{player_id(match.home, shirt)}-{player_id(match.away, shirt)}"
    return text.replace("{match}", match.sportradar_id).replace("{player}", str(player)).replace("{pair}", pair)
