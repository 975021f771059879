"""``odds-pipeline migrate``: the odds database brought to a revision of its schema, and proved to be there."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.clock import SystemClock
from odds_pipeline.database import migrate as migrations
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.settings import Settings


def migrate(
    down: Annotated[
        str | None,
        typer.Option(
            metavar="REVISION",
            help="Go back to this revision (base: nothing left). Tables made since are dropped with their content.",
        ),
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL for an empty database; touch none.")] = False,
) -> None:
    """Bring the odds database to the newest revision, prove it from its catalogue, and make history's next days.

    The database is the embedded one, or that of ODDS_DATABASE_URL. Exits with 1 when any of it fails; a
    migration that fails leaves the database as it was.

    Example: odds-pipeline migrate
    """
    if sql and down is not None:
        raise typer.BadParameter("--sql prints the way up only; leave out --down")
    with one_line_failures():
        if sql:
            typer.echo(migrations.upgrade_sql())
            return
        settings = Settings()
        database = Database.from_settings(settings)
        if down is None:
            _up(database, settings)
        else:
            _down(database, down)


def _up(database: Database, settings: Settings) -> None:
    before = migrations.current(database.url)
    after = migrations.upgrade(database.url)
    migrations.verify(database.url)
    typer.echo(f"Schema at revision {after}" + ("" if before == after else f", was {before or 'empty'}"))
    today = SystemClock().now().date()
    last_day = today + timedelta(days=settings.partition_days_ahead)
    with database.connect() as connection:
        made = ensure_partitions(connection, today, last_day)
    typer.echo(f"History has a partition for every day up to {last_day} ({len(made)} made now)")


def _down(database: Database, revision: str) -> None:
    before = migrations.current(database.url)
    after = migrations.downgrade(database.url, revision)
    typer.echo(f"Schema at revision {after or 'empty'}, was {before or 'empty'}")
