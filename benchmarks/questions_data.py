"""The database that questions are asked of: two weeks of the made-up offer, written as the writer would have left it.

Through the writer it would take a day. Rows go straight into the tables instead: days that are over into tables that
become partitions with all their rows, today's as a cycle inserts them. Words are found or made by the writer's own
functions, days are packed and states archived by retention's. A database may be kept and used again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import polars as pl
from psycopg import sql

from odds_pipeline.analysis.source import OddsSource, open_source
from odds_pipeline.database import migrate
from odds_pipeline.database.copying import copy_rows
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import HISTORY, Partition, attach_again, ensure_partitions
from odds_pipeline.days.compact import compact_days
from odds_pipeline.days.opening import ensure_states
from odds_pipeline.odds.packs import packs_of
from odds_pipeline.settings import Settings

from .measure import say, timed
from .questions_check import is_watched, require_right
from .questions_history import DAYS, FIRST_DAY, Walks
from .questions_runs import write_runs
from .questions_tables import write_offer, write_state

LEAST_ROWS = 20_000_000
_FINISHED = "finished"
"""A file in the directory of a database that has everything."""


def settings_of(directory: Path) -> Settings:
    """The settings by which the database at ``directory`` is found, whatever the environment says."""
    return Settings(data_dir=directory, database_url=None, archive_url=None, legacy_database_url=None)


@contextmanager
def questions_database(directory: Path) -> Iterator[OddsSource]:
    """The source to ask, at ``directory``, which is filled unless it is already; its server ends with the block."""
    directory = directory.resolve()
    directory.mkdir(exist_ok=True)
    directory.chmod(0o711)  # the account that runs PostgreSQL must get in
    is_finished = (directory / _FINISHED).exists()
    if not is_finished and any(directory.iterdir()):
        raise SystemExit(f"{directory} holds something else than a finished database of questions; name an empty one")
    with (
        EmbeddedServer.ensure(directory) as server,
        Database(server.url(), application_name="benchmark") as database,
        open_source(settings_of(directory), database) as source,
    ):
        if not is_finished:
            _, seconds = timed(lambda: _fill(source))
            say(f"made in {seconds.wall:.0f} s")
            (directory / _FINISHED).touch()
        yield source


def _fill(source: OddsSource) -> None:
    migrate.upgrade(source.database.url.render_as_string(hide_password=False))
    walks, changes, watched = Walks(), list[pl.DataFrame](), list[pl.DataFrame]()
    with source.database.connect() as connection, connection.transaction():
        write_offer(connection, walks)
    for number in range(DAYS + 1):
        rows = walks.day(number)
        _write_day(source.database, number, _packed(rows, walks))
        changes.append(rows.group_by("run_id").agg(changes=pl.len()))
        watched.append(rows.filter(is_watched()))
    with source.database.connect() as connection, connection.transaction():
        write_state(connection, walks)
        write_runs(connection, walks, pl.concat(changes).group_by("run_id").agg(pl.col("changes").sum()))
    assert sum(part["changes"].sum() for part in changes) >= LEAST_ROWS
    today = FIRST_DAY + timedelta(days=DAYS)
    with source.database.connect(autocommit=True) as connection:
        ensure_partitions(connection, today, today + timedelta(days=7))
        connection.execute("VACUUM ANALYZE")
    compact_days(source.database, before=today)
    ensure_states(source.database, source.archive, up_to=today)
    require_right(source, walks, pl.concat(watched))
    with source.database.connect(autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE archive_files")
        connection.execute("CHECKPOINT")


def _packed(rows: pl.DataFrame, walks: Walks) -> pl.DataFrame:
    """A row for each answer, by time."""
    listings = walks.markets.select("market_id", event_bookmaker_id="listing_id")
    changes = rows.join(listings, on="market_id").with_columns(pl.col("state").str.slice(2).str.decode("hex"))
    return packs_of(changes).sort("captured_at", "event_bookmaker_id")


def _write_day(database: Database, number: int, rows: pl.DataFrame) -> None:
    day = FIRST_DAY + timedelta(days=number)
    with database.connect() as connection, connection.transaction():
        if number == DAYS:
            ensure_partitions(connection, day, day)
            copy_rows(connection, "odds_history", rows)
            return
        name = HISTORY.partition_name(day)
        make = sql.SQL("CREATE TABLE {} (LIKE odds_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        connection.execute(make.format(sql.Identifier(name)))
        copy_rows(connection, name, rows)
        attach_again(connection, Partition(name, day, day + timedelta(days=1), is_detaching=False))
