"""A report as Markdown (GitHub's), in which names of tables and columns mean nothing but themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from odds_pipeline.storage.report.parts import Facts, Grid, Part, Points, Section, Sentences, Statement, one_line

_SPECIAL = re.compile(r"[\\`*\[\]<>|~!#$&]")
_BESIDE_A_LETTER = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""Underscores within a word are no emphasis, and ``odds_history`` is easier to read without backslashes."""
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_BEGINS_A_LIST = re.compile(r"^(?:[-+=](?=[-+=\s]|$)|\d+[.)](?=\s|$))")
_RUNS_OF_BACKTICKS = re.compile(r"`+")


def markdown(sections: Iterable[Section], *, at_most: int | None = None) -> str:
    """The sections as Markdown; ``at_most``: characters, beyond which sections are named and left out.

    The first section is always there.
    """
    written: list[str] = []
    left_out: list[str] = []
    length = 0
    for section in sections:
        text = "\n\n".join((f"{'#' * (section.depth + 1)} {escaped(section.title)}", *map(_part, section.parts)))
        if written and at_most is not None and (left_out or length + len(text) > at_most):
            left_out.append(section.title)
            continue
        written.append(text)
        length += len(text)
    if left_out:
        written.append(f"{len(left_out):,} sections are left out here; `odds-pipeline profile` has them.")
    return "\n\n".join(written) + "\n"


def escaped(text: str) -> str:
    """Text in one line of Markdown that shows exactly this text."""
    line = _SPECIAL.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), one_line(text))
    line = _BESIDE_A_LETTER.sub(r"\\_", line)
    return _BEGINS_A_LIST.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", line)


def _part(part: Part) -> str:
    match part:
        case Sentences(text):
            return escaped(text)
        case Points(lines):
            return "\n".join(f"- {escaped(line)}" for line in lines)
        case Facts(rows):
            return _table(("", ""), rows)
        case Grid(titles, rows, numbers):
            return _table(titles, rows, numbers)
        case Statement(text, is_sql):
            return _code(text, "sql" if is_sql else "")


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    rules = ("---:" if place in numbers else "---" for place in range(len(titles)))
    return "\n".join(_rows((map(escaped, titles), rules, *(map(escaped, row) for row in rows))))


def _rows(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _code(text: str, language: str) -> str:
    longest = max((len(run) for run in _RUNS_OF_BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
