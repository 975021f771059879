"""``odds-pipeline replay``: observation files, cycle by cycle, through the same diff and write as a live cycle."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from odds_pipeline.archive.store import Archive
from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.replaying import replay as replay_files
from odds_pipeline.settings import Settings


def replay(
    path: Annotated[Path, typer.Argument(help="An observation file (Parquet), or a folder of them.")],
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Each bookmaker present in a cycle was covered wholly."),
    ] = False,
    new_bookmakers: Annotated[
        bool, typer.Option("--new-bookmakers", help="Create bookmakers that are not registered.")
    ] = False,
) -> None:
    """Apply observation files to the odds database in time order. What is stored already is not stored twice.

    Example: odds-pipeline replay observations.parquet --complete --new-bookmakers
    """
    console = Console(stderr=True)
    with one_line_failures():
        settings = Settings()
        with Database.from_settings(settings) as database, console.status("Replaying") as status:
            done = 0

            def show(cycle_at: datetime, record: WriteRecord) -> None:
                nonlocal done
                done += 1
                status.update(f"Replaying: {done:,} cycles, now at {cycle_at:%Y-%m-%d %H:%M}")

            summary = replay_files(
                database,
                Archive.from_settings(settings),
                path,
                settings=settings,
                complete=complete,
                new_bookmakers=new_bookmakers,
                progress=show,
            )
        typer.echo(
            f"{summary.cycles:,} cycles, {summary.observations:,} observations: {summary.new:,} new, "
            f"{summary.changed:,} changed, {summary.returned:,} returned, {summary.unavailable:,} unavailable, "
            f"{summary.history_rows:,} history rows, {summary.refused:,} refused, {summary.late:,} late answers"
        )
