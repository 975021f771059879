"""Which matches exist, when they kick off, and who lists them: a function of seed and time.

Matches are numbered through all time and kick off in order of their number, so that the matches listed at a moment
are a window of numbers that moves on: one kicks off, another appears.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from odds_pipeline.simulator.draws import draw_below, draw_unit
from odds_pipeline.simulator.names import COUNTRIES, country_number, team_name, tournament_name
from odds_pipeline.simulator.scores import PROFILES

BOOKMAKERS = ("betpawa", "sportybet", "bet9ja")

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
HORIZON = timedelta(days=2)
LINGER = timedelta(minutes=5)
"""How long after kick-off a match still stands in the lists, as in play."""
IN_PLAY = timedelta(minutes=115)
"""How long after kick-off a match can still be asked for; then it is unknown."""

_KICKOFF_GRID = timedelta(minutes=5)
_TEAMS_OF_TOURNAMENT = 18
_BIG_MATCH_EVERY = 25
_FIRST_NUMBER_OF_ID = {"betpawa": 40_000_000, "bet9ja": 800_000_000}


@dataclass(frozen=True, slots=True)
class Match:
    """One football match of the world. ``size`` (0 to 1) says how many markets bookmakers offer on it."""

    number: int
    sportradar_id: str
    kickoff: datetime
    home: int
    away: int
    tournament: int
    profile: int
    size: float


@dataclass(frozen=True, slots=True)
class Listed:
    """One bookmaker's listing of a match, as its lists and answers describe it. ``match`` None: a captured answer."""

    bookmaker: str
    event_id: str
    sportradar_id: str | None
    kickoff: datetime
    home: str
    away: str
    home_id: int
    away_id: int
    country: str
    country_id: str
    tournament: str
    tournament_id: str
    sportradar_in_list: bool = True
    match: Match | None = None

    @property
    def key(self) -> str:
        return f"{self.bookmaker}/{self.event_id}"


class Schedule:
    """The matches of the world made by ``seed`` with ``events`` of them listed at any moment."""

    def __init__(self, seed: int, events: int) -> None:
        self.seed = seed
        self.events = events
        self._spacing = HORIZON / events
        self._tournaments = max(6, round(events * 0.28))
        self.match = lru_cache(maxsize=4 * events + 1000)(self._match)
        self.listings = lru_cache(maxsize=4 * events + 1000)(self._listings)

    def listed(self, now: datetime) -> Iterator[Match]:
        """The matches in the lists at ``now``: exactly ``events`` of them, in order of kick-off."""
        first = self._first_with_kickoff_after(now - LINGER)
        return (self.match(number) for number in range(first, first + self.events))

    def offers(self, bookmaker: str, now: datetime) -> list[Listed]:
        """What ``bookmaker`` lists at ``now``, in order of kick-off."""
        return [
            listed
            for match in self.listed(now)
            for listed in self.listings(match.number)
            if listed.bookmaker == bookmaker
        ]

    def in_play(self, bookmaker: str, now: datetime) -> list[Listed]:
        """What ``bookmaker`` offers in play at ``now``."""
        numbers = range(self._first_with_kickoff_after(now - IN_PLAY), self._first_with_kickoff_after(now))
        return [x for number in numbers for x in self.listings(number) if x.bookmaker == bookmaker]

    def find(self, bookmaker: str, event_id: str, now: datetime) -> Listed | None:
        """The listing that ``bookmaker`` knows by ``event_id`` at ``now``, in play included; None if unknown."""
        number = self._number_of(bookmaker, event_id)
        first = self._first_with_kickoff_after(now - IN_PLAY)
        last = self._first_with_kickoff_after(now - LINGER) + self.events
        if number is None or not first <= number < last:
            return None
        return next((x for x in self.listings(number) if x.bookmaker == bookmaker and x.event_id == event_id), None)

    def _kickoff(self, number: int) -> datetime:
        return EPOCH + number * self._spacing // _KICKOFF_GRID * _KICKOFF_GRID

    def _first_with_kickoff_after(self, moment: datetime) -> int:
        number = (moment - EPOCH) // self._spacing
        while self._kickoff(number) <= moment:
            number += 1
        return number

    def _match(self, number: int) -> Match:
        key = f"{self.seed}/match/{number}"
        tournament = draw_below(f"{key}/tournament", self._tournaments)
        home = draw_below(f"{key}/home", _TEAMS_OF_TOURNAMENT)
        away = (home + 1 + draw_below(f"{key}/away", _TEAMS_OF_TOURNAMENT - 1)) % _TEAMS_OF_TOURNAMENT
        return Match(
            number=number,
            sportradar_id=str(10_000_000 * (1 + self.seed % 9) + number),
            kickoff=self._kickoff(number),
            home=tournament * _TEAMS_OF_TOURNAMENT + home,
            away=tournament * _TEAMS_OF_TOURNAMENT + away,
            tournament=tournament,
            profile=draw_below(f"{key}/profile", len(PROFILES)),
            size=1.0 if number % _BIG_MATCH_EVERY == 0 else draw_unit(f"{key}/size"),
        )

    def _number_of(self, bookmaker: str, event_id: str) -> int | None:
        digits = event_id.removeprefix("sr:match:") if bookmaker == "sportybet" else event_id
        if not digits.isascii() or not digits.isdecimal():
            return None
        if bookmaker == "sportybet":
            return int(digits) - 10_000_000 * (1 + self.seed % 9)
        return (int(digits) - _FIRST_NUMBER_OF_ID[bookmaker]) // 2

    def _listings(self, number: int) -> tuple[Listed, ...]:
        match = self.match(number)
        # Steps that share no factor with 100 spread each oddity evenly over any hundred matches in a row.
        presence = (number * 37 + self.seed) % 100
        oddity = (number * 53 + self.seed) % 100
        found: list[Listed] = []
        for bookmaker in _who_lists(presence):
            found.append(self._listing(match, bookmaker, oddity, copy=0))
            if (bookmaker, oddity) in (("betpawa", 43), ("bet9ja", 61)):
                found.append(self._listing(match, bookmaker, oddity, copy=1))
        return tuple(found)

    def _listing(self, match: Match, bookmaker: str, oddity: int, *, copy: int) -> Listed:
        country = country_number(match.tournament)
        home, away = team_name(match.home), team_name(match.away)
        kickoff = match.kickoff + timedelta(hours=copy)
        if bookmaker == "sportybet":
            event_id = f"sr:match:{match.sportradar_id}"
        else:
            event_id = str(_FIRST_NUMBER_OF_ID[bookmaker] + match.number * 2 + copy)
        if bookmaker == "bet9ja":
            # Spellings differ between bookmakers; a postponed match may show another kick-off.
            home, away = home.removesuffix(" FC"), away.removesuffix(" FC")
            kickoff += timedelta(minutes=30) if oddity == 71 else timedelta()
        first_of_tournaments = {"betpawa": 11_000, "sportybet": 500, "bet9ja": 3_000_000}[bookmaker]
        first_of_countries = {"betpawa": 100, "sportybet": 1, "bet9ja": 12_000}[bookmaker]
        return Listed(
            bookmaker=bookmaker,
            event_id=event_id,
            sportradar_id=None if (bookmaker, oddity) in (("betpawa", 7), ("bet9ja", 19)) else match.sportradar_id,
            kickoff=kickoff,
            home=home,
            away=away,
            home_id=400_000 + match.home,
            away_id=400_000 + match.away,
            country=COUNTRIES[country],
            country_id=str(first_of_countries + country),
            tournament=tournament_name(match.tournament),
            tournament_id=str(first_of_tournaments + match.tournament),
            sportradar_in_list=(bookmaker, oddity) != ("betpawa", 31),
            match=match,
        )


def _who_lists(presence: int) -> tuple[str, ...]:
    """95 of 100 matches stand at all three bookmakers, two at betPawa only, three at competitors only."""
    if presence < 95:
        return BOOKMAKERS
    return (("betpawa",), ("betpawa",), ("sportybet", "bet9ja"), ("sportybet",), ("bet9ja",))[presence - 95]
