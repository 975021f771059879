"""betPawa's API v4 answer about one event (reference: betPawa v4).

v4 omits every false, null, empty text and zero, writes 64-bit integers as strings, and lays a market with many
outcomes out over several rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from odds_pipeline.simulator.answers import (
    goals_so_far,
    player_selections,
    require_match,
    to_json,
    zulu,
)
from odds_pipeline.simulator.compression import SharedTail
from odds_pipeline.simulator.mix import Selection, Unit, units_of
from odds_pipeline.simulator.movement import Movement, State, price
from odds_pipeline.simulator.schedule import Listed, Match

_HANDICAP_TYPES = {
    "over_under": "NORMAL",
    "asian": "ASIAN",
    "european": "EUROPEAN",
    "number": "NUMBER_SPECIFIER",
}
_ANY_UP = {"28000810": "ONE_UP", "80000": "ONE_UP", "28000850": "TWO_UP"}
_IDS_OF_A_MATCH = 25_000
_IDS_OF_A_UNIT = 128
_FIRST_ROW_ID = 64


class BetpawaAnswers:
    """Writes betPawa's v4 event answers."""

    def __init__(self) -> None:
        self._units = units_of("betpawa")
        self._layout = lru_cache(maxsize=None)(self._lay_out)
        self._rows = [[(_row_template(unit, row), row) for row in _rows(unit)] for unit in self._units]
        self._wrappers = {unit.market_id: _market_head(unit) for unit in self._units}

    def fragment(self, index: int, listed: Listed, moved: Movement) -> bytes:
        """The rows of one (market, line), joined by commas."""
        if moved.state is State.GONE:
            return b""
        unit = self._units[index]
        match = require_match(listed)
        first_id = match.number % 1_000_000 * _IDS_OF_A_MATCH + index * _IDS_OF_A_UNIT
        if unit.players:
            rows = [(_row_template(unit, [s], team=True), [s]) for s in _players(unit, match)]
        else:
            rows = self._rows[index]
        written: list[str] = []
        place = 0
        for template, selections in rows:
            values: list[object] = [first_id + _FIRST_ROW_ID + place]
            for selection in selections:
                values += (first_id + place, *_price_parts(selection, match, moved, place))
                place += 1
            written.append(template % tuple(values))
        return ",".join(written).encode()

    def assemble(self, listed: Listed, fragments: Sequence[bytes], period: int) -> tuple[bytes, SharedTail | None]:
        """All markets with at least one row, and the event around them."""
        markets: list[bytes] = []
        rows = 0
        for market_id, indexes in self._layout(len(fragments)):
            present = [fragments[i] for i in indexes if fragments[i]]
            if present:
                rows += len(present)
                markets.append(b"%s%s]}" % (self._wrappers[market_id], b",".join(present)))
        turn = period % len(markets)
        event = event_head(listed)
        return (
            b'%s,"markets":[%s],"totalMarketCount":"%d","additionalInfo":{"inplayBooked":true},"version":"%d"}'
            % (event, b",".join(markets[turn:] + markets[:turn]), rows + len(markets), period % 10_000 + 1)
        ), None

    def in_play(self, listed: Listed, minutes: int) -> bytes:
        """``additionalInfo.live`` and ``results``; the pre-match markets are gone."""
        home, away = goals_so_far(require_match(listed), minutes)
        period = ("1", "First Half", "1st-half") if minutes < 45 else ("2", "Second Half", "2nd-half")
        results = {
            "display": {
                "minute": str(minutes),
                "currentPeriod": dict(zip(("id", "name", "slug"), period, strict=True)),
            },
            "participantPeriodResults": [
                {"participantId": str(listed.home_id), "periodResults": [{"period": "FULL_TIME", "result": str(home)}]},
                {"participantId": str(listed.away_id), "periodResults": [{"period": "FULL_TIME", "result": str(away)}]},
            ],
        }
        return b'%s,"additionalInfo":{"live":true},"results":%s,"version":"%d"}' % (
            event_head(listed),
            to_json(results).encode(),
            minutes + 1,
        )

    def in_list(self, fragments: Mapping[int, bytes]) -> list[bytes]:
        """The rows of one market together, as in an event."""
        rows: dict[str, list[bytes]] = {}
        for index, text in fragments.items():
            rows.setdefault(self._units[index].market_id, []).append(text)
        return [b"%s%s]}" % (self._wrappers[market_id], b",".join(texts)) for market_id, texts in rows.items()]

    def _lay_out(self, count: int) -> list[tuple[str, list[int]]]:
        found: dict[str, list[int]] = {}
        for index, unit in enumerate(self._units[:count]):
            found.setdefault(unit.market_id, []).append(index)
        return list(found.items())


def event_head(listed: Listed, *, in_list: bool = False) -> bytes:
    """The event without its closing brace. Some lists lack the widgets, and then the SportRadar id."""
    neutral = " (n)" if listed.country == "International" else ""
    event: dict[str, object] = {
        "id": listed.event_id,
        "name": f"{listed.home} - {listed.away}{neutral}",
        "startTime": zulu(listed.kickoff),
        "participants": [
            {"id": str(listed.home_id), "name": listed.home, "position": 1},
            {"id": str(listed.away_id), "name": listed.away, "position": 2},
        ],
        "category": {"id": "2", "name": "Football"},
        "region": {"id": listed.country_id, "name": listed.country},
        "competition": {"id": listed.tournament_id, "name": listed.tournament},
    }
    if neutral:
        event["neutralVenue"] = True
    genius = {"id": str(int(listed.event_id) % 90_000_000 + 13_000_000), "type": "GENIUSSPORTS"}
    radar = {"id": listed.sportradar_id, "type": "SPORTRADAR"}
    if listed.sportradar_id is None:
        event["widgets"] = [genius]
    elif listed.sportradar_in_list or not in_list:
        event["widgets"] = [radar | {"retention": "PREMATCH"}, genius, radar | {"retention": "INPLAY"}]
    return to_json(event)[:-1].encode()


def _players(unit: Unit, match: Match) -> list[Selection]:
    return player_selections(match, unit.market_id, "3{player}", "{name}|{team}")


def _rows(unit: Unit) -> list[list[Selection]]:
    """Display rows: over and under apart in combinations, else three or two outcomes side by side."""
    selections = list(unit.selections)
    over = [s for s in selections if s.label.endswith((" Over", "Over & Yes", "Over & No"))]
    if over and len(over) < len(selections) and len(selections) > 2:
        return [over, [s for s in selections if s not in over]]
    if len(selections) <= 3:
        return [selections]
    width = 3 if len(selections) in (9, 11, 17) else 2
    return [selections[i : i + width] for i in range(0, len(selections), width)]


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _row_template(unit: Unit, selections: Sequence[Selection], *, team: bool = False) -> str:
    prices = ",".join(_price_template(unit, selection, team=team) for selection in selections)
    handicap = int(unit.line * 4) if unit.line is not None else 0
    # A row that stands alone has an id; rows of a market laid out over several have none.
    row_id = '"id":"%d",' if not team and len(unit.selections) <= 3 else "%.0s"
    specifier = ""
    if unit.line is not None:
        key = {"over_under": "total", "number": "number"}.get(unit.handicap_type or "", "hcp")
        specifier = f',"specifier":{{"{key}":"{unit.line}"}}'
    return "{" + row_id + (f'"handicap":{handicap},' if handicap else "") + f'"prices":[{prices}]{specifier}}}'


def _price_template(unit: Unit, selection: Selection, *, team: bool) -> str:
    name, _, side = selection.label.partition("|") if team else (selection.label, "", "")
    text = _price_handicap(unit, selection.label)
    handicap = f'"handicap":{to_json(text)},' if text else ""
    specifier = f',"specifier":{{"hcp":{to_json(text)}}}' if unit.handicap_type in ("asian", "european") else ""
    display = {"over_under": f"{name} {{formattedHandicap}}", "asian": "{formattedHandicap}"}.get(
        unit.handicap_type or "", name
    )
    return (
        f'{{"id":"%d","name":{_escaped(to_json(name))},"typeId":"{selection.outcome_id}",%s{handicap}'
        + (f'"team":{side},' if side else "")
        + f'"displayName":{_escaped(to_json(display))},'
        f'"additionalInfo":{{"anyUp":"{_ANY_UP.get(unit.market_id, "NO_UP")}"}},'
        f'"probability":{{"win":%.6f,"refund":0.0}}{specifier}}}'
    )


def _price_handicap(unit: Unit, label: str) -> str:
    """The handicap beside a price: a number for totals and 2-way handicaps, words for 3-way ones."""
    line = unit.line
    if line is None or unit.handicap_type == "number":
        return ""
    if unit.handicap_type == "over_under":
        return str(line)
    own = -line if label == "2" else line
    if unit.handicap_type == "asian":
        return _signed(own)
    # The draw is written from the side that starts behind.
    away = label == "2" or (label == "X" and line > 0)
    return f"Away {_signed(-line)}" if away else f"Home {_signed(line)}"


def _signed(number: Decimal) -> str:
    return "0" if not number else f"{number:+}"


def _price_parts(selection: Selection, match: Match, moved: Movement, place: int) -> tuple[str, float]:
    """``odds`` and ``suspended`` as v4 writes or omits them, and the probability."""
    chance = selection.chances[match.profile]
    odds = price("betpawa", chance, moved.drawn[place % (len(moved.drawn) - 2)])
    partly = moved.state is State.PARTIAL and place == moved.drawn[-2] % max(1, len(moved.drawn) - 2)
    if moved.state is State.SUSPENDED or partly:
        # A suspended price is either left as it was or 0, which v4 omits.
        kept = f'"odds":{odds},' if moved.drawn[-2] % 2 else ""
        return f'{kept}"suspended":true,', chance
    return f'"odds":{odds},', chance


def _market_head(unit: Unit) -> bytes:
    market_type: dict[str, object] = {
        "id": unit.market_id,
        "name": unit.name,
        "displayName": unit.name.replace(" - ", " | "),
        "explainer": f"Pick the outcome of {unit.name}. Based on normal time only.",
        "priority": int(abs(unit.order) * 100) + 1,
        "tabs": ["all", *unit.groups],
    }
    if unit.handicap_type:
        market_type["handicapType"] = _HANDICAP_TYPES[unit.handicap_type]
    return f'{{"marketType":{to_json(market_type)},"additionalInfo":{{"cashoutable":true}},"row":['.encode()
