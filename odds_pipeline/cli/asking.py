"""What the commands that ask questions share: their options, whom they ask, and what they tell on standard error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from odds_pipeline.analysis.source import OddsSource, open_source
from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.clock import SystemClock, require_utc
from odds_pipeline.days.wanted import ANY_LINE, AnyLine
from odds_pipeline.settings import Settings

_DAYS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask, and when it is."""

    source: OddsSource
    now: datetime


@contextmanager
def asking() -> Iterator[Asked]:
    """The source of the settings, at the present; what goes wrong is told in one line."""
    with one_line_failures(), open_source(Settings()) as source:
        yield Asked(source, SystemClock().now())


def tell_unimported(days: Sequence[date]) -> None:
    """Say on standard error that an answer may lack days that only an earlier system has (R18)."""
    if not days:
        return
    named = ", ".join(map(str, days[:_DAYS_TOLD]))
    more = f" and {len(days) - _DAYS_TOLD:,} more" if len(days) > _DAYS_TOLD else ""
    typer.echo(
        f"Note: an earlier system has days that were not imported, and this answer may lack something of them: "
        f"{named}{more} (odds-pipeline legacy import --from {days[0]} --to {days[-1]})",
        err=True,
    )


def time_of(text: str) -> datetime:
    """A time as it is given on the command line, in UTC."""
    try:
        return require_utc(datetime.fromisoformat(text))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time with its zone; give one such as 2026-11-20T12:00Z or 2026-11-20T13:00+01:00"
        ) from None


def line_of(text: str) -> Decimal:
    """A line as it is given on the command line."""
    try:
        line = Decimal(text)
    except InvalidOperation:
        line = Decimal("NaN")
    if not line.is_finite() or abs(line) >= 10**7 or line != round(line, 3):
        raise typer.BadParameter(f"{text!r} is no line; give a number with at most 3 decimals, such as 2.5 or -0.25")
    return line


def chosen_line(line: Decimal | None, no_line: bool) -> Decimal | AnyLine | None:
    """The line that ``--line`` and ``--no-line`` say; neither: any."""
    if line is not None and no_line:
        raise typer.BadParameter("give --line or --no-line, not both")
    return None if no_line else ANY_LINE if line is None else line


def chart_file(path: Path) -> Path:
    """A file that a chart can be written to."""
    if path.suffix.lower() != ".png":
        raise typer.BadParameter(f"charts are PNG pictures; {path} does not end in .png")
    try:
        is_folder, has_folder = path.is_dir(), path.absolute().parent.is_dir()
    except OSError as error:  # such as a name that is too long
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}") from None
    if is_folder:
        raise typer.BadParameter(f"{path} cannot be written: it is a folder")
    if not has_folder:
        raise typer.BadParameter(f"{path} cannot be written: there is no folder {path.absolute().parent}")
    return path


AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of tables: all rows, one object per line.")]
Shown = Annotated[int, typer.Option("--show", min=1, metavar="N", help="Rows to show in a table.")]
Bookmakers = Annotated[
    list[str] | None, typer.Option("--bookmaker", metavar="SLUG", help="Only this bookmaker; may be repeated.")
]
Markets = Annotated[
    list[str] | None,
    typer.Option("--market", metavar="MARKET", help="Only this market, by its id or name; may be repeated."),
]
Line = Annotated[
    Decimal | None, typer.Option("--line", parser=line_of, metavar="LINE", help="Only this line.", show_default="any")
]
NoLine = Annotated[bool, typer.Option("--no-line", help="Only markets without a line.")]
Since = Annotated[datetime | None, typer.Option("--since", parser=time_of, metavar="TIME", help="From this time on.")]
Until = Annotated[
    datetime | None, typer.Option("--until", parser=time_of, metavar="TIME", help="Up to but without this time.")
]
Chart = Annotated[
    Path | None,
    typer.Option("--chart", parser=lambda text: chart_file(Path(text)), metavar="FILE", help="Draw a PNG of it."),
]
