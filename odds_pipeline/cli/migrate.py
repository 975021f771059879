"""``odds-pipeline migrate``: the odds database brought to a revision of its schema, and proved to be there."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from pydantic import ValidationError

from odds_pipeline.clock import SystemClock
from odds_pipeline.data_dir import UnusableDataDirectory
from odds_pipeline.database import migrate as migrations
from odds_pipeline.database.create import CannotCreateDatabase
from odds_pipeline.database.embedded import EmbeddedServerError
from odds_pipeline.database.engine import Database, DatabaseUnusable
from odds_pipeline.database.partitions import PartitionInTheWay, ensure_partitions
from odds_pipeline.settings import Settings

_FAILURES = (
    ValidationError,
    UnusableDataDirectory,
    EmbeddedServerError,
    DatabaseUnusable,
    CannotCreateDatabase,
    migrations.MigrationFailed,
    migrations.SchemaDrift,
    PartitionInTheWay,
)


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

    The database is the embedded one, or that of ODDS_DATABASE_URL. Exits with 1 when anything cannot be done; the
    database is then as it was.

    Example: odds-pipeline migrate
    """
    if sql and down is not None:
        raise typer.BadParameter("--sql prints the way up only; leave out --down")
    try:
        if sql:
            typer.echo(migrations.upgrade_sql())
        elif down is not None:
            _down(Database.from_settings(Settings()), down)
        else:
            settings = Settings()
            _up(Database.from_settings(settings), settings)
    except _FAILURES as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None


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
