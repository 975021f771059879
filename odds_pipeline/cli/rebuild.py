"""``odds-pipeline rebuild``: days of history, made anew from the archived observations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

from odds_pipeline.archive.store import Archive
from odds_pipeline.cli.answers import print_table
from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.clock import SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.days.rebuild import RebuiltDay, rebuild_days
from odds_pipeline.days.sources import DaySource, rebuildable_days
from odds_pipeline.settings import Settings

_DAY = ["%Y-%m-%d"]


def rebuild(
    first: Annotated[datetime | None, typer.Option("--from", formats=_DAY, help="First UTC day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=_DAY, help="Last UTC day; the first's own.")] = None,
    which: Annotated[bool, typer.Option("--which", help="List which days can be rebuilt; touch nothing.")] = False,
) -> None:
    """Make days of history anew from their sources, all of them or none. Days that are as they should cost nothing.

    Cycles and readers go on meanwhile; today may be among the days.

    Example: odds-pipeline rebuild --from 2026-11-12 --to 2026-11-14
    """
    if which == (first is not None):
        raise typer.BadParameter("give either the days, --from and --to, or --which")
    if first is not None and last is not None and last < first:
        raise typer.BadParameter(f"--to {last.date()} lies before --from {first.date()}")
    with one_line_failures():
        settings, now = Settings(), SystemClock().now()
        archive = Archive.from_settings(settings)
        with Database.from_settings(settings) as database:
            if first is None:
                _show_sources(rebuildable_days(database, archive, now=now))
                return
            days = first.date(), (last or first).date()
            with Console(stderr=True).status(f"Rebuilding {days[0]} to {days[1]}"):
                _show_rebuilt(rebuild_days(database, archive, *days, now=now))


def _show_sources(sources: Sequence[DaySource]) -> None:
    rows = [
        (source.day, f"{source.rows:,}", f"{len(source.files):,}", "yes" if source.why_not is None else source.why_not)
        for source in sources
    ]
    print_table(["day", "rows", "files", "can be rebuilt"], rows)


def _show_rebuilt(days: Sequence[RebuiltDay]) -> None:
    rows = [
        (
            day.day,
            *(f"{n:,}" for n in (day.rows, day.added, day.removed, day.replaced, day.files)),
            f"{day.seconds:.1f}",
        )
        for day in days
    ]
    print_table(["day", "rows", "added", "removed", "replaced", "files", "seconds"], rows)
