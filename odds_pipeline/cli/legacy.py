"""``odds-pipeline legacy``: what an earlier system holds, its import, and its comparison with ours."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Annotated

import polars as pl
import typer
from rich.console import Console

from odds_pipeline.archive.store import Archive
from odds_pipeline.cli.answers import print_table
from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.clock import SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.compare import DIFFERENCES, Comparison
from odds_pipeline.legacy.compare import compare as compare_days
from odds_pipeline.legacy.plan import plan as plan_days
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.write import ImportedDay, import_days
from odds_pipeline.settings import Settings

legacy = typer.Typer(
    no_args_is_help=True,
    help="Import an earlier system's odds: ODDS_LEGACY_DATABASE_URL and ODDS_LEGACY_SCHEMA say where they are.",
)

_DAY = ["%Y-%m-%d"]
_First = Annotated[
    datetime, typer.Option("--from", formats=_DAY, metavar="DAY", help="First UTC day.", show_default="the earliest")
]
_Last = Annotated[
    datetime, typer.Option("--to", formats=_DAY, metavar="DAY", help="Last UTC day.", show_default="the latest")
]
_FromAll = datetime(1970, 1, 1)  # noqa: DTZ001 - a day, as typer reads it
_ToAll = datetime(2199, 12, 31)  # noqa: DTZ001 - a day, as typer reads it


@legacy.command()
def plan(
    first: _First = _FromAll,
    last: _Last = _ToAll,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per day and table.")] = False,
) -> None:
    """Say what an import would read and give, by day and table. Nothing is written.

    Example: odds-pipeline legacy plan --from 2026-02-01 --to 2026-02-07
    """
    with one_line_failures():
        with _source(Settings()) as source, Console(stderr=True).status(f"Reading {source.name}") as status:
            found = plan_days(
                source, first.date(), last.date(), progress=lambda day: status.update(f"Reading {day} of {source.name}")
            )
        if as_json:
            for row in found.iter_rows(named=True):
                typer.echo(json.dumps(row, default=str))
        else:
            _show(found.drop("refusals", "distrusts"))
            for day, table, refusals, distrusts in found.select("day", "table", "refusals", "distrusts").iter_rows():
                for what, reasons in (("refused", refusals), ("untrusted", distrusts)):
                    if reasons:
                        counted = ", ".join(f"{each['rows']:,} {each['reason']}" for each in reasons)
                        typer.echo(f"{day} {table}, {what}: {counted}")


@legacy.command(name="import")
def import_(
    first: _First = _FromAll,
    last: _Last = _ToAll,
    leave_out_untrusted: Annotated[
        bool, typer.Option("--leave-out-untrusted", help="Leave out odds that are known to be unreliable.")
    ] = False,
) -> None:
    """Import days of an earlier system into history, oldest first, each in one transaction. Twice changes nothing.

    Example: odds-pipeline legacy import --from 2026-02-01 --to 2026-02-07
    """
    console = Console(stderr=True)
    with one_line_failures():
        settings = Settings()
        if leave_out_untrusted:
            settings = settings.model_copy(update={"legacy_untrusted": "leave_out"})
        with (
            _source(settings) as source,
            Database.from_settings(settings) as database,
            console.status(f"Importing from {source.name}"),
        ):
            days = import_days(
                database,
                Archive.from_settings(settings),
                source,
                first.date(),
                last.date(),
                settings=settings,
                now=SystemClock().now(),
                progress=_tell,
            )
        if not days:
            typer.echo(f"{source.name} holds no odds of these days")


@legacy.command()
def compare(
    first: _First = _FromAll,
    last: _Last = _ToAll,
    tolerance: Annotated[
        float, typer.Option(metavar="MINUTES", help="How far apart the two may have looked at the same odds.")
    ] = 15.0,
    shown: Annotated[int, typer.Option("--show", help="Differences to list per day.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per difference, all of them.")] = False,
) -> None:
    """Compare an earlier system that runs beside ours with our history, row by row. Exits with 1 if they differ.

    A row of one side agrees when the other showed the same offer within the tolerance. Markets that the earlier system
    is known to get wrong, and those that only ours stores, are not compared.

    Example: odds-pipeline legacy compare --from 2026-02-10 --to 2026-02-11 --tolerance 10
    """
    with one_line_failures():
        settings = Settings()
        differing = 0
        with _source(settings) as source, Database.from_settings(settings) as database:
            found = compare_days(
                database,
                Archive.from_settings(settings),
                source,
                first.date(),
                last.date(),
                tolerance=timedelta(minutes=tolerance),
            )
            for day in found:
                differing += day.differences.height
                _tell_differences(day, shown=shown, as_json=as_json)
        if differing:
            raise typer.Exit(1)


def _source(settings: Settings) -> LegacySource:
    source = LegacySource.from_settings(settings)
    source.require_tables()
    return source


def _tell(done: ImportedDay) -> None:
    if done.has_shrunk:
        typer.echo(f"{done.day}: left as it was, because the earlier system holds fewer rows of it than when imported")
        return
    typer.echo(
        f"{done.day}: {done.rows_read:,} rows read, {done.refused:,} refused; {done.changes:,} changes "
        f"({done.untrusted:,} untrusted), {done.superseded:,} superseded, {done.left_out:,} left out; history: "
        f"{done.added:,} added, {done.removed:,} removed, {done.replaced:,} replaced; {done.seconds:.1f} s"
    )


def _tell_differences(day: Comparison, *, shown: int, as_json: bool) -> None:
    if as_json:
        for row in day.differences.iter_rows(named=True):
            typer.echo(json.dumps(row, default=str))
        return
    typer.echo(
        f"{day.day}: {day.earlier_rows:,} of their rows and {day.our_rows:,} of ours compared, "
        f"{day.not_compared:,} not; {day.differences.height:,} differences"
    )
    if not day.differences.is_empty():
        _show(day.differences.head(shown).select(*DIFFERENCES))


def _show(frame: pl.DataFrame) -> None:
    print_table(
        frame.columns,
        ([f"{value:,}" if isinstance(value, int) else value for value in row] for row in frame.iter_rows()),
    )
