"""``odds-pipeline remap``: move stored markets to where the catalogue places them now."""

from __future__ import annotations

import typer

from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.clock import SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.remap import remap as remap_database
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.settings import Settings


def remap() -> None:
    """Move every stored market that the catalogue has learnt to place, history and all. Twice changes nothing.

    A cycle does this by itself when the catalogue's version differs from the one that stored what is there.

    Example: odds-pipeline remap
    """
    with one_line_failures():
        mapper = Mapper.load()
        with Database.from_settings(Settings()) as database:
            done = remap_database(database, mapper, now=SystemClock().now())
        typer.echo(
            f"{done.markets:,} markets looked at with catalogue {mapper.version}: "
            f"{done.moved:,} moved, {done.rewritten:,} split or joined"
        )
