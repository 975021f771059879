"""Which scores an outcome wins on: one rule per kind of market, reading betPawa's outcome names.

A rule takes (outcome name, line, side, names of all outcomes) and returns a function of a score: the share of the
stake that wins (0 to 1), or None where the stake is returned. Fractions stand for what a score does not tell, such
as who of two scorers was first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Settle = Callable[[tuple[int, ...]], float | None]
Rule = Callable[[str, float, str, Sequence[str]], Settle]

_NONE_WORDS = {"No goal", "No Goal", "No Corner", "None"}
_RESULTS = {"1": (1,), "X": (0,), "2": (-1,), "1X": (1, 0), "X2": (0, -1), "12": (1, -1)}
_YES = {"Yes": True, "No": False}


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)


def _side_count(score: Sequence[int], side: str) -> int:
    home, away = score[0], score[1]
    return home if side == "home" else away if side == "away" else home + away


def _is_over(word: str) -> bool:
    return {"Over": True, "Under": False}[word]


def _count_in(text: str, count: int) -> bool:
    """Whether ``count`` lies in a range such as ``2``, ``4+``, ``2-3`` or a word for none."""
    if text in _NONE_WORDS:
        return count == 0
    if text.endswith("+"):
        return count >= int(text[:-1])
    low, _, high = text.partition("-")
    return int(low) <= count <= int(high or low)


def result(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """1X2, double chance and 3-way handicaps: ``1``, ``X``, ``1X`` ... after adding the home side's handicap."""
    wanted = _RESULTS[name]
    return lambda s: float(_sign(s[0] + line - s[1]) in wanted)


def draw_no_bet(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """2-way results and Asian handicaps on half and whole lines: level returns the stake."""
    wanted = _RESULTS[name]

    def settle(s: tuple[int, ...]) -> float | None:
        sign = _sign(s[0] + line - s[1])
        return None if sign == 0 else float(sign in wanted)

    return settle


def home_no_bet(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Draw or away, the stake returned when the home side wins."""
    wanted = _RESULTS[name]
    return lambda s: None if s[0] > s[1] else float(_sign(s[0] - s[1]) in wanted)


def over_under(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Over or under ``line``; exactly the line returns the stake."""
    over = _is_over(name)

    def settle(s: tuple[int, ...]) -> float | None:
        difference = _side_count(s, side) - line
        return None if difference == 0 else float((difference > 0) == over)

    return settle


def both_score(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Both teams to score."""
    return lambda s: float((s[0] > 0 and s[1] > 0) == _YES[name])


def clean_sheet(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """``side`` concedes nothing."""
    return lambda s: float((s[1 if side == "home" else 0] == 0) == _YES[name])


def win_to_nil(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """``side`` wins and concedes nothing."""
    own, other = (0, 1) if side == "home" else (1, 0)
    return lambda s: float((s[own] > 0 and s[other] == 0) == _YES[name])


def odd_even(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Odd or even count; none is even."""
    return lambda s: float(_side_count(s, side) % 2 == (name == "Odd"))


def count(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Exact numbers and ranges of goals, corners or bookings."""
    return lambda s: float(_count_in(name, _side_count(s, side)))


def correct_score(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """``2-1``; ``Other`` is every score that is not listed."""
    listed = {tuple(map(int, n.split("-"))) for n in names if n != "Other"}
    if name == "Other":
        return lambda s: float((s[0], s[1]) not in listed)
    wanted = tuple(map(int, name.split("-")))
    return lambda s: float((s[0], s[1]) == wanted)


def multiscores(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Groups of scores (``1:0, 2:0 or 3:0``), the draw, and the wins that no group lists."""
    pattern = re.compile(r"(\d):(\d)")
    if name == "Draw":
        return lambda s: float(s[0] == s[1])
    if name.startswith("Other"):
        listed = {(int(h), int(a)) for n in names for h, a in pattern.findall(n)}
        wanted_sign = 1 if "Home" in name else -1
        return lambda s: float(_sign(s[0] - s[1]) == wanted_sign and (s[0], s[1]) not in listed)
    wanted = {(int(h), int(a)) for h, a in pattern.findall(name)}
    return lambda s: float((s[0], s[1]) in wanted)


def margin(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Winning margin: ``Home by 1``, ``Away by 3+``, ``Draw``."""
    if name == "Draw":
        return lambda s: float(s[0] == s[1])
    team, _, by = name.partition(" by ")
    factor = 1 if team == "Home" else -1
    return lambda s: float(factor * (s[0] - s[1]) > 0 and _count_in(by, factor * (s[0] - s[1])))


def team_to_score(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Which teams score: none, only one, both."""
    wanted = {"No Goal": (False, False), "Home": (True, False), "Away": (False, True), "Both": (True, True)}[name]
    return lambda s: float((s[0] > 0, s[1] > 0) == wanted)


def next_one(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Who gets the first, next or last goal or corner; each of the score's is equally likely to be the one."""
    if name in _NONE_WORDS:
        return lambda s: float(s[0] + s[1] == 0)
    own = 0 if name == "1" else 1
    return lambda s: s[own] / (s[0] + s[1]) if s[0] + s[1] else 0.0


def ahead(goals: int) -> Rule:
    """1UP and 2UP: a side wins at the end, or was ``goals`` ahead at some time."""

    def rule(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
        if name == "X":
            return lambda s: float(s[0] == s[1])
        own, other = (0, 1) if name == "1" else (1, 0)

        def settle(s: tuple[int, ...]) -> float:
            if s[own] > s[other]:
                return 1.0
            # A side with `goals` or more goals may have scored them before the other answered.
            return 0.0 if s[own] < goals else 0.5 ** (goals + s[other] - s[own])

        return settle

    return rule


def double_chance_ahead(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Double chance with the 1UP rule for either side named."""
    once = ahead(1)
    parts = [once(part, line, side, names) for part in name]
    return lambda s: min(1.0, sum(part(s) or 0.0 for part in parts))


def joined(first: Rule, second: Rule, separator: str) -> Rule:
    """A combination such as ``1 - Over``: both parts must win."""

    def rule(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
        left, right = name.split(separator)
        # The line belongs to the total; a result in a combination has no handicap.
        one = first(left, line if first is over_under else 0.0, side, names)
        two = second(right, line, side, names)
        return lambda s: (one(s) or 0.0) * (two(s) or 0.0)

    return rule


def half_and_full(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Result at half time and at full time: ``1/X``."""
    at_half, at_full = (_RESULTS[part][0] for part in name.split("/"))
    return lambda s: float(_sign(s[0] - s[1]) == at_half and _sign(s[0] + s[2] - s[1] - s[3]) == at_full)


def half_and_full_and_total(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """``1/X and Over``."""
    results, word = name.split(" and ")
    both, over = half_and_full(results, line, side, names), _is_over(word)
    return lambda s: (both(s) or 0.0) * ((sum(s) > line) == over)


def half_and_full_score(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """``0-0/2-1``; ``4+`` is any score of four goals or more."""

    def is_score(text: str, home: int, away: int) -> bool:
        return home + away >= 4 if text == "4+" else f"{home}-{away}" == text

    at_half, at_full = name.split("/")
    return lambda s: float(is_score(at_half, s[0], s[1]) and is_score(at_full, s[0] + s[2], s[1] + s[3]))


def _by_half(s: tuple[int, ...], side: str) -> tuple[int, int]:
    return _side_count(s[:2], side), _side_count(s[2:], side)


def half_with_more(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Which half has more goals."""
    wanted = {"First Half": 1, "Equal": 0, "Second Half": -1}[name]

    def settle(s: tuple[int, ...]) -> float:
        first, second = _by_half(s, side)
        return float(_sign(first - second) == wanted)

    return settle


def score_in_both_halves(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """``side`` scores in each half."""
    return lambda s: float(all(_by_half(s, side)) == _YES[name])


def _halves_won(s: tuple[int, ...], side: str) -> int:
    factor = 1 if side == "home" else -1
    return (factor * (s[0] - s[1]) > 0) + (factor * (s[2] - s[3]) > 0)


def win_both_halves(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """``side`` wins each half."""
    return lambda s: float((_halves_won(s, side) == 2) == _YES[name])


def win_either_half(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """``side`` wins at least one half."""
    return lambda s: float((_halves_won(s, side) > 0) == _YES[name])


def sent_off(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """A sending-off, likelier the more bookings there are."""

    def settle(s: tuple[int, ...]) -> float:
        chance = min(0.9, 0.045 * _side_count(s, side))
        return chance if _YES[name] else 1 - chance

    return settle


def decided_how(name: str, line: float, side: str, names: Sequence[str]) -> Settle:
    """Winner in 90 minutes, or on penalties after a draw."""
    own = 1 if name.startswith("Home") else -1
    if "Penalty" in name:
        return lambda s: 0.3 * (s[0] == s[1])
    return lambda s: float(_sign(s[0] - s[1]) == own)


RULES: dict[str, Rule] = {
    "result": result,
    "double_chance": result,
    "european": result,
    "draw_no_bet": draw_no_bet,
    "asian": draw_no_bet,
    "home_no_bet": home_no_bet,
    "over_under": over_under,
    "both_score": both_score,
    "clean_sheet": clean_sheet,
    "win_to_nil": win_to_nil,
    "odd_even": odd_even,
    "count": count,
    "correct_score": correct_score,
    "multiscores": multiscores,
    "margin": margin,
    "team_to_score": team_to_score,
    "next_one": next_one,
    "ahead_by_one": ahead(1),
    "ahead_by_two": ahead(2),
    "double_chance_ahead": double_chance_ahead,
    "result_and_total": joined(result, over_under, " - "),
    "result_and_both": joined(result, both_score, " - "),
    "double_and_total": joined(result, over_under, " - "),
    "double_and_both": joined(result, both_score, " - "),
    "total_and_both": joined(over_under, both_score, " & "),
    "half_and_full": half_and_full,
    "half_and_full_and_total": half_and_full_and_total,
    "half_and_full_score": half_and_full_score,
    "half_with_more": half_with_more,
    "score_in_both_halves": score_in_both_halves,
    "win_both_halves": win_both_halves,
    "win_either_half": win_either_half,
    "sent_off": sent_off,
    "decided_how": decided_how,
}
"""By the name used in ``data/pricing.csv``. ``player`` is no rule: a player's chance is drawn, not worked out."""
