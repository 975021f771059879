"""What a report consists of, however it is written down: sections of sentences, facts, tables and statements.

All text is plain: names of tables and columns are whatever somebody called them, and it is the writers that keep them
from meaning anything (``markdown.py``, ``text.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentences:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """A list, a line each."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What something is called, and what it is."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; a row has a cell for each title. ``numbers``: the columns that stand to the right."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL, or a command or setting, to be taken over as it stands."""

    text: str
    is_sql: bool


Part = Sentences | Points | Facts | Grid | Statement


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report with a title; ``depth``: 1 for one of the report's own, 2 for one within the one before."""

    title: str
    parts: tuple[Part, ...]
    depth: int = 1


def grid(titles: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Collection[int] = ()) -> Grid:
    """A table without the columns that are empty throughout. ``numbers``: places of the columns that hold numbers."""
    used = [place for place in range(len(titles)) if any(row[place] for row in rows)]
    return Grid(
        tuple(titles[place] for place in used),
        tuple(tuple(row[place] for place in used) for row in rows),
        tuple(number for number, place in enumerate(used) if place in numbers),
    )


def one_line(text: str) -> str:
    """Text in one line, without what is not seen but moves a cursor or turns a line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
