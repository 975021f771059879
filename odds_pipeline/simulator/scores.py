"""How likely each score is: the one probability model behind the prices of all three bookmakers.

A match has one of a few *profiles* (how many goals, which side is stronger). Goals, corners and bookings of the two
teams are independent Poisson counts per half. A *space* lists the possible scores of a subject and period with their
probability under each profile; the rules of ``rules.py`` say which of those scores an outcome wins on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from math import exp, factorial

HALF_SHARES = {"1H": 0.45, "2H": 0.55, "FT": 1.0, "10M": 0.08}
_MOST_IN_A_HALF = 5
_MOST = {"goals": 9, "corners": 16, "bookings": 12}
_CORNERS_OF_BOTH = 9.6
_BOOKINGS_OF_BOTH = 4.4


@dataclass(frozen=True, slots=True)
class Profile:
    """Expected goals of the home and the away team over 90 minutes."""

    home: float
    away: float

    def means(self, subject: str, period: str) -> tuple[float, float]:
        """Expected count of ``subject`` (goals, corners, bookings) for home and away within ``period``."""
        share = HALF_SHARES[period]
        if subject == "goals":
            return self.home * share, self.away * share
        strength = self.home / (self.home + self.away)
        if subject == "corners":
            # The stronger side attacks more; the weaker one is booked more.
            home = _CORNERS_OF_BOTH * (0.25 + strength / 2)
            return home * share, (_CORNERS_OF_BOTH - home) * share
        home = _BOOKINGS_OF_BOTH * (0.7 - strength * 0.4)
        return home * share, (_BOOKINGS_OF_BOTH - home) * share


PROFILES = tuple(
    Profile(home=total * share, away=total * (1 - share))
    for total in (2.2, 2.6, 3.0, 3.4)
    for share in (0.36, 0.48, 0.58, 0.7)
)
"""The profiles that matches are drawn from; few, so that every price table is worked out once."""


@dataclass(frozen=True, slots=True)
class Space:
    """The scores of one subject and period. ``weights[profile][i]`` is the probability of ``scores[i]``."""

    scores: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...], ...]


@cache
def score_space(subject: str, period: str) -> Space:
    """Scores (home, away) of ``subject`` (goals, corners, bookings) within ``period`` (FT, 1H, 2H, 10M)."""
    counts = range(_MOST[subject] + 1)
    scores = tuple(product(counts, counts))
    weights = []
    for profile in PROFILES:
        home, away = profile.means(subject, period)
        weights.append(_normalised([_poisson(home, h) * _poisson(away, a) for h, a in scores]))
    return Space(scores, tuple(weights))


@cache
def halves_space() -> Space:
    """Goals by half: scores (home 1st, away 1st, home 2nd, away 2nd)."""
    counts = range(_MOST_IN_A_HALF + 1)
    scores = tuple(product(counts, repeat=4))
    weights = []
    for profile in PROFILES:
        first, second = profile.means("goals", "1H"), profile.means("goals", "2H")
        chances = [[_poisson(mean, n) for n in counts] for mean in (*first, *second)]
        weights.append(
            _normalised([chances[0][a] * chances[1][b] * chances[2][c] * chances[3][d] for a, b, c, d in scores])
        )
    return Space(scores, tuple(weights))


def _poisson(mean: float, count: int) -> float:
    return exp(-mean) * mean**count / factorial(count)


def _normalised(values: list[float]) -> tuple[float, ...]:
    total = sum(values)
    return tuple(value / total for value in values)
