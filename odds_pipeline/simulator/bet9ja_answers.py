"""Bet9ja's answer about one event (reference: Bet9ja): flat odds keys, and metadata that describes them.

``MK``, ``AUX``, ``CATMARKET`` and ``TRANS`` are the same for all matches with equally many markets, so they are written
and compressed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from odds_pipeline.simulator.answers import goals_so_far, require_match, to_json
from odds_pipeline.simulator.compression import SharedTail, shared_tail
from odds_pipeline.simulator.mix import Unit, units_of
from odds_pipeline.simulator.movement import Movement, State, price
from odds_pipeline.simulator.schedule import Listed

_CATEGORIES = {
    "popular": "POPULAR",
    "goals": "GOAL",
    "halves": "HT",
    "combos": "COMBINED",
    "corners": "CORNER",
    "bookings": "BOOKINGS",
}
_CODES = {"POPULAR": "1", "HT": "102", "2T": "103", "GOAL": "104", "HOMEAWAY": "105", "COMBINED": "106"}
_PLACEHOLDER = "1"
"""Not offered."""
_LOWEST_OFFERED = 1.03
_TRANSLATIONS = 1900
_TAILS_APART = 8
"""Metadata of up to this many more units than the answer has is sent along, so that tails are shared."""


class Bet9jaAnswers:
    """Writes Bet9ja's event answers."""

    def __init__(self) -> None:
        self._units = units_of("bet9ja")
        self._keys = [[f'"{odds_key(unit, s.outcome_id)}":"%s"' for s in unit.selections] for unit in self._units]
        self._tail = lru_cache(maxsize=None)(self._make_tail)
        self._types = lru_cache(maxsize=None)(lambda count: len({u.market_id for u in self._units[:count]}))

    def fragment(self, index: int, listed: Listed, moved: Movement) -> bytes:
        """The odds keys of one (market, param), joined by commas."""
        way = moved.drawn[-2]
        if moved.state is State.GONE or (moved.state is State.SUSPENDED and way % 2):
            return b""
        unit, profile = self._units[index], require_match(listed).profile
        missing = way % len(unit.selections) if moved.state is State.PARTIAL else -1
        written: list[str] = []
        for place, (template, selection) in enumerate(zip(self._keys[index], unit.selections, strict=True)):
            odds = price("bet9ja", selection.chances[profile], moved.drawn[place])
            if moved.state is State.SUSPENDED or place == missing or odds < _LOWEST_OFFERED:
                written.append(template % _PLACEHOLDER)
            else:
                written.append(template % f"{odds:g}")
        return ",".join(written).encode()

    def assemble(self, listed: Listed, fragments: Sequence[bytes], period: int) -> tuple[bytes, SharedTail | None]:
        """The event with its odds; the metadata is the tail."""
        odds = [fragment for fragment in fragments if fragment]
        turn = period % len(odds)
        head = b'%s,"MKNUM":%d,"O":{%s}' % (
            event_head(listed),
            self._types(len(fragments)),
            b",".join(odds[turn:] + odds[:turn]),
        )
        described = min(len(self._units), -(-len(fragments) // _TAILS_APART) * _TAILS_APART)
        return head, self._tail(described, as_list=int(listed.event_id) // 2 % 2 == 1)

    def in_list(self, fragments: Mapping[int, bytes]) -> list[bytes]:
        return list(fragments.values())

    def in_play(self, listed: Listed, minutes: int) -> bytes:
        """Live keys with objects as values, another sport id, and no kick-off."""
        home, away = goals_so_far(require_match(listed), minutes)
        event = {
            "ID": int(listed.event_id),
            "EXTID": listed.sportradar_id or "",
            "DS": f"{listed.home} - {listed.away}",
            "GID": int(listed.tournament_id),
            "GN": listed.tournament,
            "SG": listed.country,
            "SID": 3_000_001,
            "S": "Soccer",
            "SCORE": f"{home}:{away}",
            "O": {"LIVES_1X2_1": {"v": 2.4}, "LIVES_1X2_X": {"v": 2.9}, "LIVES_1X2_2": {"v": 1}},
            "MK": [],
        }
        return f'{{"R":"OK","D":{to_json(event)}}}'.encode()

    def _make_tail(self, count: int, *, as_list: bool) -> SharedTail:
        lines: dict[str, list[str]] = {}
        metadata: dict[str, dict[str, object]] = {}
        for unit in self._units[:count]:
            if unit.specifier is not None:
                lines.setdefault(unit.market_id, []).append(unit.specifier)
            metadata.setdefault(unit.market_id, _metadata(unit))
        # A collection is an object in one answer and a list in another.
        aux = {
            market: [float(line) for line in found] if as_list else {line: float(line) for line in found}
            for market, found in lines.items()
        }
        categories = [
            {"CODE": _CODES.get(c, "999"), "VALUE": c} for c in sorted({str(m["GCAT"]) for m in metadata.values()})
        ]
        text = (
            f',"AUX":{to_json(aux)},"EXCLUDED_BONUS":[],"BOOSTED_ODDS":[],"MK":{to_json(list(metadata.values()))},'
            f'"CATMARKET":{to_json(categories)},"TRANS":{_translations()}}}}}'
        )
        return shared_tail(text.encode())


def odds_key(unit: Unit, outcome_id: str) -> str:
    """``S_OU@2.5_O``: prefix, market, param and outcome."""
    param = f"@{unit.specifier}" if unit.specifier is not None else ""
    return f"{unit.market_id}{param}_{outcome_id}"


def event_head(listed: Listed) -> bytes:
    """The envelope and event without its closing brackets."""
    start = listed.kickoff.strftime("%Y-%m-%d %H:%M:%S")
    event = {
        "ID": int(listed.event_id),
        "EXTID": listed.sportradar_id or "",
        "DS": f"{listed.home} - {listed.away}",
        "STARTDATE": start,
        "ENDVISIBILITYDATE": start,
        "GID": int(listed.tournament_id),
        "GN": listed.tournament,
        "SGID": int(listed.country_id),
        "SG": listed.country,
        "SID": 1,
        "S": "Soccer",
        "ST": 1,
        "PRV": 1,
        "P": 0,
        "PL": 0,
        "TYPE": 0,
        "C": str(int(listed.event_id) % 9000 + 1000),
        "IS_BOOSTED": False,
        "IS_BETBUILDER": True,
    }
    return f'{{"R":"OK","D":{to_json(event)[:-1]}'.encode()


def _metadata(unit: Unit) -> dict[str, object]:
    group = next((_CATEGORIES[g] for g in unit.groups if g in _CATEGORIES), "OTHER")
    return {
        "ID": unit.market_id,
        "DS": unit.name,
        "MDESC": f"You have to predict the outcome of {unit.name}. Regular time only counts.",
        "P": "500",
        "VW": "2" if unit.line is not None else "0",
        "GCAT": unit.groups[0] if unit.groups and unit.groups[0].isupper() else group,
        "MARKETID": str(sum(unit.market_id.encode()) % 15_000),
        "CNT": "G",
        "CNTLABEL": "Goals",
        "SGN": [selection.label for selection in unit.selections],
        "SGNK": [selection.outcome_id for selection in unit.selections],
    }


@cache
def _translations() -> str:
    """Translations of everything Bet9ja knows, most of it not in the answer: more than half of its size."""
    blob: dict[str, object] = {}
    for number in range(_TRANSLATIONS // 5):
        key = f"S_MARKET{number}"
        blob[f"M#{key}"] = {
            "NAME": f"Market number {number}",
            "DESC": f"You have to predict the outcome of market number {number}. Extra time and penalties do not "
            "count. The bet is settled on the result at the end of regular time.",
        }
        for outcome in ("1", "X", "2"):
            blob[f"M#{key}_{outcome}"] = outcome
            blob[f"MCU#{key}_{outcome}"] = f"{{T{outcome}}} ({{HNDS}})"
        blob[f"MH#{key}"] = "1|X|2"
    for unit in units_of("bet9ja"):
        blob[f"M#{unit.market_id}"] = {"NAME": unit.name, "DESC": f"You have to predict {unit.name}."}
    return to_json(blob)
