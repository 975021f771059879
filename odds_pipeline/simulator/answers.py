"""What every bookmaker's answers have in common: the interface of a format, and words used by all three.

The three formats are ``betpawa_answers.py``, ``sportybet_answers.py`` and ``bet9ja_answers.py``. A format turns units
and their movements into bytes; it decides nothing about which match is listed or what moved.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from odds_pipeline.simulator.compression import SharedTail
from odds_pipeline.simulator.draws import draw_unit
from odds_pipeline.simulator.mix import SQUAD, Selection, Unit
from odds_pipeline.simulator.movement import Movement
from odds_pipeline.simulator.names import player_name
from odds_pipeline.simulator.schedule import Listed, Match
from odds_pipeline.simulator.scores import PROFILES

_FIRST_PLAYER = 1_000_000


class AnswerFormat(Protocol):
    """How one bookmaker writes an answer about one event."""

    def fragment(self, index: int, listed: Listed, moved: Movement) -> bytes:
        """The text of unit number ``index`` (of ``units_of`` the bookmaker); empty when it is not in the answer."""
        ...

    def assemble(self, listed: Listed, fragments: Sequence[bytes], period: int) -> tuple[bytes, SharedTail | None]:
        """The whole answer from the fragments of the listing's first units: its head and its shared tail, if any."""
        ...

    def in_list(self, fragments: Mapping[int, bytes]) -> list[bytes]:
        """Fragments by unit number as they stand in a list of events."""
        ...

    def in_play(self, listed: Listed, minutes: int) -> bytes:
        """The answer about a match that kicked off ``minutes`` ago."""
        ...


def to_json(value: Any) -> str:
    """Compact JSON, as the bookmakers write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def zulu(moment: datetime) -> str:
    """``2030-03-02T15:00:00Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def require_match(listed: Listed) -> Match:
    """The simulated match behind a listing; a captured one has none, and is served as it was captured."""
    if listed.match is None:
        raise ValueError(f"{listed.key} is a captured answer, not a simulated match")
    return listed.match


def player_id(team: int, shirt: int) -> int:
    """The player of a team who wears ``shirt`` (from 0 up to ``SQUAD``)."""
    return _FIRST_PLAYER + team * SQUAD + shirt


@lru_cache(maxsize=4096)
def squad(match: Match) -> list[tuple[int, str, bool]]:
    """The players bookmakers offer on a match, home and away in turn: (player id, name, is in the home team)."""
    return [
        (player_id(team, shirt), player_name(player_id(team, shirt)), is_home)
        for shirt in range(SQUAD)
        for team, is_home in ((match.home, True), (match.away, False))
    ]


def player_chance(player: int, market: str) -> float:
    """The chance of something happening to a player (scores, is booked), the same at every bookmaker."""
    return 0.03 + 0.35 * draw_unit(f"chance/{player}/{market}") ** 2


def player_selections(match: Match, market: str, id_template: str, name_template: str) -> list[Selection]:
    """The players of a match as outcomes; the templates take ``{player}``, ``{name}`` and ``{team}`` (1 or 2)."""
    return [
        Selection(
            id_template.format(player=player),
            name_template.format(name=name, team=1 if is_home else 2),
            (player_chance(player, market),) * len(PROFILES),
        )
        for player, name, is_home in squad(match)
    ]


def unit_key(unit: Unit) -> str:
    """What tells a unit apart from the others of its bookmaker."""
    return f"{unit.market_id}/{unit.specifier}/{unit.player}"


def goals_so_far(match: Match, minutes: int) -> tuple[int, int]:
    """A score for a match in play, growing with the minutes."""
    profile = PROFILES[match.profile]
    played = minutes / 90
    return (
        int(2 * profile.home * played * draw_unit(f"{match.sportradar_id}/home")),
        int(2 * profile.away * played * draw_unit(f"{match.sportradar_id}/away")),
    )
