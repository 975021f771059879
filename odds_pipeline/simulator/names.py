"""Invented teams, tournaments and players. Countries are real words; everything else is made from syllables."""

from __future__ import annotations

from functools import lru_cache

from odds_pipeline.simulator.draws import draw_bytes

COUNTRIES = (
    "England", "Nigeria", "Spain", "Italy", "Germany", "France", "Ghana", "Kenya", "Brazil", "Argentina", "China",
    "Japan", "Australia", "Egypt", "Morocco", "Portugal", "Netherlands", "Belgium", "Scotland", "Turkey", "Sweden",
    "Norway", "Denmark", "Finland", "Poland", "Czechia", "Austria", "Switzerland", "Greece", "Croatia", "Serbia",
    "Romania", "Ukraine", "Mexico", "USA", "Chile", "Colombia", "Peru", "South Africa", "International",
)  # fmt: skip

#: Few names for many countries: a tournament is told apart by its country (B-30).
TOURNAMENTS = (
    "Premier League",
    "Super League",
    "First Division",
    "Cup",
    "Second Division",
    "U21 League",
    "Women League",
    "Regional League",
    "Reserve League",
    "Super Cup",
)

_SYLLABLES = ("ka", "mo", "ra", "li", "ten", "bor", "su", "ne", "dal", "wi", "gor", "pa", "chi", "ver", "jo", "ul")
_SUFFIXES = ("FC", "Rovers", "United", "City", "Athletic", "Stars", "Wanderers", "SC")
_FIRST_NAMES = ("Ade", "Bruno", "Chidi", "Dario", "Emil", "Femi", "Goran", "Hugo", "Ivo", "Jonas", "Kofi", "Luis")


def _word(drawn: bytes) -> str:
    return "".join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in drawn).capitalize()


@lru_cache(maxsize=50_000)
def team_name(team: int) -> str:
    """The name of team number ``team``, such as ``Moradal Rovers``."""
    drawn = draw_bytes(f"team/{team}", 4)
    return f"{_word(drawn[:3])} {_SUFFIXES[drawn[3] % len(_SUFFIXES)]}"


@lru_cache(maxsize=50_000)
def player_name(player: int) -> str:
    """The name of player number ``player``, first name first."""
    drawn = draw_bytes(f"player/{player}", 4)
    return f"{_FIRST_NAMES[drawn[3] % len(_FIRST_NAMES)]} {_word(drawn[:3])}"


def tournament_name(tournament: int) -> str:
    """The name of tournament number ``tournament``; the same name stands in many countries."""
    return TOURNAMENTS[tournament // len(COUNTRIES) % len(TOURNAMENTS)]


def country_number(tournament: int) -> int:
    """Which of ``COUNTRIES`` tournament number ``tournament`` belongs to."""
    return tournament % len(COUNTRIES)
