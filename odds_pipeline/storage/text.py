"""A report as plain text with tables, for terminals and for files."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from odds_pipeline.storage.report.parts import Facts, Grid, Part, Points, Section, Sentences, Statement, one_line


def text(sections: Iterable[Section], *, width: int) -> str:
    """The sections, none of whose lines is longer than ``width`` unless a statement is."""
    written = StringIO()
    console = Console(file=written, width=width, markup=False, emoji=False, highlight=False, color_system=None)
    for section in sections:
        title = one_line(section.title)
        rule = "=" if section.depth == 1 else "-"
        console.print(f"{title}\n{rule * min(len(title), width)}", soft_wrap=True)
        for part in section.parts:
            _print(console, part)
            console.print()
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())


def _print(console: Console, part: Part) -> None:
    match part:
        case Sentences(words):
            console.print(one_line(words))
        case Points(lines):
            for line in lines:
                console.print(Padding(f"- {one_line(line)}", (0, 0, 0, 1)))
        case Facts(rows):
            table = Table.grid(padding=(0, 3))
            for name, value in rows:
                table.add_row(one_line(name), one_line(value))
            console.print(table)
        case Grid(titles, rows, numbers):
            table = Table()
            for place, title in enumerate(titles):
                table.add_column(one_line(title), justify="right" if place in numbers else "left", overflow="fold")
            for row in rows:
                table.add_row(*map(one_line, row))
            console.print(table)
        case Statement(words, _):
            for line in words.rstrip().split("\n"):
                # As it stands but for what would move the cursor.
                console.print("    " + "".join(filter(str.isprintable, line.expandtabs(4))), soft_wrap=True)
