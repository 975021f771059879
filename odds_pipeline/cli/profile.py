"""``odds-pipeline profile``: where the bytes of a database are, what they cost, and what to do about it."""

from __future__ import annotations

import json
import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from odds_pipeline.archive.store import Archive
from odds_pipeline.charts.storage import sizes_chart
from odds_pipeline.cli.answers import save_chart
from odds_pipeline.cli.asking import Chart, time_of
from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.clock import SystemClock
from odds_pipeline.database.engine import Database, DatabaseUrls, parse_url
from odds_pipeline.settings import Settings
from odds_pipeline.storage.alerts import Alert, open_alerts
from odds_pipeline.storage.judging import judge
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.profile import foreign_profile, storage_profile
from odds_pipeline.storage.reporting import WIDTH, report, report_json
from odds_pipeline.storage.source_search import with_source


class Format(StrEnum):
    """How a report is written down."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def profile(
    style: Annotated[
        Format | None, typer.Option("--format", help="How the report is written.", show_default="text")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="postgresql://...",
            help="Another database, also an earlier system's or a read replica. PGPASSWORD or ~/.pgpass keep its "
            "password off the command line.",
            show_default="ours",
        ),
    ] = None,
    schema: Annotated[
        str | None, typer.Option(metavar="SCHEMA", help="With --url: only its tables.", show_default="all")
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=time_of,
            metavar="TIME",
            help="With --url: ages and growth as of this time, for a copy to which nothing is written any more.",
            show_default="now",
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Source code to search for readers of columns that might be done without.",
        ),
    ] = None,
    chart: Chart = None,
) -> None:
    """Tell where the bytes are: tables, columns, growth, and what could be saved, with the statements that save it.

    Reads only, from the catalogue, statistics and small samples; nobody waits for it. Of our own storage, the hourly
    profile in Dagster keeps samples and raises alerts; this one does neither. With --chart alone the picture is drawn
    instead of the report; --format with it writes both.

    Example: odds-pipeline profile --url postgresql://reader@host/earlier --format markdown > storage.md
    """
    if url is None and (schema is not None or at is not None):
        raise typer.BadParameter("--schema and --at go with --url; ours is profiled as a whole, and as it is now")
    with one_line_failures():
        settings = Settings()
        with Console(stderr=True).status("Looking where the bytes are"):
            found, alerts = _ours(settings) if url is None else (_other(url, schema, at), None)
            if source is not None:
                found = with_source(found, source)
            judgement = judge(found, settings)
        if chart is not None:
            save_chart(sizes_chart(found, note=f"{found.measured_at:%Y-%m-%d %H:%M} UTC"), chart)
        if style is Format.JSON:
            typer.echo(json.dumps(report_json(found, judgement, alerts)))
        elif style is Format.MARKDOWN:
            typer.echo(report(found, judgement, alerts, style="markdown"), nl=False)
        elif style is Format.TEXT or chart is None:
            console = Console()
            width = console.width if console.is_terminal or "COLUMNS" in os.environ else WIDTH
            typer.echo(report(found, judgement, alerts, style="text", width=width), nl=False)


def _ours(settings: Settings) -> tuple[StorageProfile, tuple[Alert, ...]]:
    urls = DatabaseUrls.from_settings(settings)
    with Database(urls.odds) as odds, Database(urls.dagster_database) as dagster:
        archive = Archive.from_settings(settings)
        found = storage_profile(odds, dagster=dagster, archive=archive, settings=settings, now=SystemClock().now())
        is_migrated = found.databases[0].table("storage_alerts") is not None
        return found, open_alerts(odds) if is_migrated else ()


def _other(url: str, schema: str | None, at: datetime | None) -> StorageProfile:
    with Database(parse_url(url, setting="--url")) as database:
        return foreign_profile(database, schema=schema, now=at or SystemClock().now())
