"""What a bookmaker's specifier text says about a market: its line, and what else belongs to its identity.

One grammar reads all three bookmakers' texts: ``pair ('|' pair)*`` with ``pair := key '=' value`` (SportyBet; the order
of pairs means nothing, a value may hold ``:``), or a bare decimal (Bet9ja's ``@`` param).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

#: Keys whose value is the line, strongest first, and what kind of line each gives.
_LINE_KEYS: Mapping[str, str] = {
    "total": "over_under",
    "hcp": "asian",
    "goalnr": "number",
    "cornernr": "number",
    "bookingnr": "number",
}
_DECIMAL = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,6})?", re.ASCII)
_SCORE = re.compile(r"([0-9]{1,3}):([0-9]{1,3})", re.ASCII)
_LARGEST = Decimal(10**7)


class SpecifierError(ValueError):
    """A specifier or line that cannot be read, so that the market's identity is not known."""


@dataclass(frozen=True, slots=True)
class Specifier:
    """A specifier taken apart.

    ``line`` is the home side's view for handicaps. ``kind`` says what the line is (``over_under``, ``asian``,
    ``european``, ``number``), None for a bare decimal, which does not tell. ``pairs`` is all the rest.
    """

    line: Decimal | None
    kind: str | None
    pairs: Mapping[str, str]


def read_specifier(text: str | None) -> Specifier:
    """Take a specifier apart. Raises ``SpecifierError``."""
    if not text:
        return Specifier(None, None, {})
    if "=" not in text:
        return Specifier(read_line(text), None, {})
    pairs = parse_pairs(text)
    for key, kind in _LINE_KEYS.items():
        value = pairs.pop(key, None)
        if value is None:
            continue
        score = _SCORE.fullmatch(value) if key == "hcp" else None
        if score:
            return Specifier(Decimal(int(score[1]) - int(score[2])), "european", pairs)
        return Specifier(read_line(value), kind, pairs)
    return Specifier(None, None, pairs)


def parse_pairs(text: str) -> dict[str, str]:
    """``key=value|...`` as a dict. Raises ``SpecifierError`` for a piece without ``=`` and for a repeated key."""
    pairs: dict[str, str] = {}
    for piece in text.split("|"):
        key, equals, value = piece.partition("=")
        if not equals or not key:
            raise SpecifierError(f"{piece!r} in {text!r} is not key=value")
        if key in pairs:
            raise SpecifierError(f"{key!r} stands twice in {text!r}")
        pairs[key] = value
    return pairs


def read_line(text: str) -> Decimal:
    """A line as an exact decimal, without a sign on zero. Raises ``SpecifierError`` beyond 7 digits or 3 decimals."""
    if not _DECIMAL.fullmatch(text):
        raise SpecifierError(f"line {text!r} is not a plain decimal")
    return checked_line(Decimal(text))


def checked_line(line: Decimal) -> Decimal:
    """``line`` in its shortest form (2.50 is 2.5, -0 is 0), if it fits. Raises ``SpecifierError``."""
    if abs(line) >= _LARGEST or line != round(line, 3):
        raise SpecifierError(f"line {line} has more than 7 digits or 3 decimals")
    return round(line, 3).normalize() + 0


def format_line(line: Decimal) -> str:
    """``line`` as plain digits: 10, never 1E+1."""
    return format(line, "f")


def own_pairs(pairs: Mapping[str, str]) -> str:
    """The bracketed part of an own id: ``[key=value|...]`` with keys sorted and without match ids; ``""`` if empty."""
    if not pairs:
        return ""
    return "[" + "|".join(f"{key}={without_match(value)}" for key, value in sorted(pairs.items())) + "]"


def without_match(text: str) -> str:
    """SportyBet's ``pre:playerprops:<match>:<player>...`` without its match, so that it is the same for all events."""
    if not text.startswith("pre:playerprops:"):
        return text
    parts = text.split(":", 3)
    return f"pre:playerprops:{parts[3]}" if len(parts) == 4 else text
