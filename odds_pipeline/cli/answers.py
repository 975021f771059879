"""Answers as they are printed: JSON for programs, bounded tables for people, charts into files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from odds_pipeline.analysis.encode import to_json, to_ndjson
from odds_pipeline.charts.rendering import png

_WIDTH_OF_A_PIPE = 200
_NEVER_FOLDED = {"event", "bookmaker"}


def print_rows(rows: pl.DataFrame) -> None:
    """One JSON object per line."""
    sys.stdout.write(to_ndjson(rows).decode())


def print_object(parts: Mapping[str, Any]) -> None:
    """An answer of several tables: one JSON object."""
    typer.echo(to_json(parts).decode())


def print_table(
    titles: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str = "",
    note: str = "",
    empty: str = "",
    are_grouped: bool = False,
) -> None:
    """A table for people, without the columns that are empty throughout.

    Text is shown as it is: names may hold what looks like markup. Without rows, a line says so: ``empty``, if given.
    ``are_grouped``: a row whose first cell is empty belongs to the one above it; a line is drawn between such groups.
    """
    cells = [list(map(cell, row)) for row in rows]
    if not cells:
        typer.echo(empty or (f"{title}: none" if title else "none"))
        return
    table = Table(title=title or None, caption=note or None, title_justify="left", caption_justify="left")
    columns = [(name, column) for name, *column in zip(titles, *cells, strict=True) if any(column)]
    for name, _ in columns:
        table.add_column(name, no_wrap=name in _NEVER_FOLDED, overflow="fold")
    for place, row in enumerate(zip(*(column for _, column in columns), strict=True)):
        if are_grouped and cells[place][0]:
            table.add_section()
        table.add_row(*row)
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:  # into a pipe nothing is folded away
        console = Console(markup=False, emoji=False, highlight=False, width=_WIDTH_OF_A_PIPE)
    console.print(table)


def more(shown: int, of: int, what: str, *, how: str = "--show or --json has them") -> str:
    """The sentence for what a table leaves out; empty when that is nothing."""
    return "" if shown >= of else f"{of - shown:,} more {what}: {how}"


def cell(value: object) -> str:
    """One value in a table: times in UTC, without what would move the cursor."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case Decimal():
            return price(value)
        case float():
            return f"{value:.2f}"
        case _:
            return "\n".join("".join(filter(str.isprintable, line)) for line in str(value).split("\n"))


def price(value: Decimal | None) -> str:
    """Decimal odds as bookmakers write them: two decimals, more where there are more."""
    if value is None:
        return "-"
    return f"{value:.2f}" if value == round(value, 2) else f"{value.normalize():f}"


def line_word(line: Decimal | None) -> str:
    """A line without zeros behind it; nothing for no line."""
    return "" if line is None else f"{line.normalize():f}"


def outcome_words(outcomes: Sequence[Mapping[str, Any]], *, names: bool = True) -> str:
    """``Over 1.85, Under (1.95)``: a price in brackets is that of a suspended outcome."""
    prices = (
        (each["name"] or each["key"], price(each["odds"]) if each["is_active"] else f"({price(each['odds'])})")
        for each in outcomes
    )
    return ", ".join(f"{name} {odds}" for name, odds in prices) if names else " ".join(odds for _, odds in prices)


def save_chart(chart: alt.TopLevelMixin, file: Path) -> None:
    """Write the picture, over one that is there, and say so on standard error."""
    file.write_bytes(png(chart))
    typer.echo(f"Chart: {file}", err=True)
