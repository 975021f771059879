"""The state at a day's beginning: the last state of every market before it, and the archive of such states.

It is the newest archived state before, and what history says since. So a market lives on whose last change lies in a
day that PostgreSQL no longer holds (I8).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
import psycopg
import pyarrow.dataset as ds
from psycopg import sql

from odds_pipeline.archive.history import HISTORY_SCHEMA
from odds_pipeline.archive.states import read_state, write_state
from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import (
    NamedFile,
    claim_archive,
    forget_files,
    name_file,
    named_files,
    stale_states,
)
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import between, history_snapshot, outcome_sets, read_history
from odds_pipeline.database.locks import archive_lock, take_writer_lock
from odds_pipeline.database.partitions import ask_whole, list_partitions
from odds_pipeline.days.moved_rows import placed
from odds_pipeline.days.wanted import known_markets
from odds_pipeline.odds.fold import STEPS, fold, steps_of
from odds_pipeline.odds.replay import HISTORY_ROWS

_NEVER = date.min


@dataclass(frozen=True, slots=True)
class MadeState:
    """An archived state: at the beginning of which UTC day, of how many markets, how large, how long it took."""

    day: date
    markets: int
    bytes: int
    seconds: float


class _Base:
    """Where a state begins: an archived one, and the first UTC day whose rows it does not know yet."""

    def __init__(self, connection: psycopg.Connection, day: date) -> None:
        files = named_files(connection, "state", last_day=day)
        fresh = [file for file in files if file.stale_from is None]
        self.file: NamedFile | None = max(fresh or files, key=lambda file: (file.first_day, file.id), default=None)
        self.day = _NEVER if self.file is None else self.file.first_day
        self.since = self.day if self.file is None else self.file.stale_from or self.day

    def read(self, archive: Archive, market_ids: Sequence[int] | None) -> pl.DataFrame:
        if self.file is None:
            return pl.DataFrame(schema=dict(HISTORY_ROWS))
        if market_ids is None:
            archive.require(self.file.written)
        return read_state(archive, self.file.path, market_ids)


def opening_state(
    database: Database,
    archive: Archive,
    day: date,
    *,
    connection: psycopg.Connection | None = None,
    market_ids: Sequence[int] | None = None,
) -> pl.DataFrame:
    """The last state of every market before the UTC ``day`` begins (``HISTORY_ROWS``, sorted by market).

    ``connection``: read as its transaction sees the database, instead of as it is now. ``market_ids``: of these
    markets alone. Raises ``DayHalfDetached``, ``ArchiveDamaged`` and ``ArchiveUnusable``.
    """
    if connection is None:
        with history_snapshot(database) as connection:
            return opening_state(database, archive, day, connection=connection, market_ids=market_ids)
    # Of later days, too: most callers fold on from here.
    ask_whole(connection)()
    base = _Base(connection, day)
    state = base.read(archive, market_ids)
    retired = {file.first_day for file in named_files(connection, "history", base.day, day) if file.first_day < day}
    held = {partition.first_day for partition in list_partitions(connection) if partition.first_day < day}
    for each in sorted(retired | {held_day for held_day in held if held_day >= base.since}):
        rows = _rows(connection, each, market_ids)
        if each in retired:
            rows = _with_retired(connection, archive, each, state, rows, market_ids)
        state = _last(pl.concat([state, rows]))
    return state


def ensure_states(database: Database, archive: Archive, up_to: date) -> list[MadeState]:
    """Archive the state at the beginning of ``up_to``, and of every day before it that PostgreSQL holds rows of.

    States that are there are left alone, unless history got other rows since: those are made anew. Takes the archive's
    lock. Raises ``DayHalfDetached``, ``ArchiveUnusable``, ``ArchiveOfAnother`` and ``ArchiveDamaged``.
    """
    with database.connect() as holder, archive_lock(holder):
        return make_states(database, archive, up_to)


def make_states(database: Database, archive: Archive, up_to: date, *, since: date = date.min) -> list[MadeState]:
    """Like ``ensure_states``, for a caller who holds the archive's lock; ``since``: no states of days before it."""
    with history_snapshot(database) as connection:
        claim_archive(connection, archive)
        wanted = [day for day in states_wanted(connection, up_to) if day >= since]
    return [_make(database, archive, day) for day in wanted]


def states_wanted(connection: psycopg.Connection, up_to: date) -> list[date]:
    """Days, oldest first, at whose beginning there was a state that is not archived as it is now."""
    held = days_held(connection)
    retired = {file.first_day for file in named_files(connection, "history")}
    states = named_files(connection, "state")
    fresh = {file.first_day for file in states if file.stale_from is None}
    stale = {file.first_day for file in states if file.stale_from is not None}
    first = min(held | retired, default=up_to)
    return sorted(({day for day in held | {up_to} if first < day <= up_to} | stale) - fresh)


def days_held(connection: psycopg.Connection) -> set[date]:
    """UTC days of which PostgreSQL holds history rows."""
    return {
        partition.first_day
        for partition in list_partitions(connection)
        if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(partition.name))).fetchone()
        is not None
    }


def _make(database: Database, archive: Archive, day: date) -> MadeState:
    began = time.perf_counter()
    with history_snapshot(database) as connection:
        seen = connection.execute("SELECT max(id) FROM archive_files WHERE kind = 'observations'").fetchone()
        assert seen is not None
        catalogue = _catalogue(connection)
        state = opening_state(database, archive, day, connection=connection)
        there = connection.execute("SELECT array_agg(id) FROM markets").fetchone()
        assert there is not None
    known = pl.DataFrame({"market_id": there[0] or []}, schema={"market_id": pl.Int32})
    state = state.join(known, on="market_id", how="semi")
    file = write_state(archive, day, state)
    with database.connect() as connection, connection.transaction():
        # Cycles wait: one that has written into an earlier day since the state was read must be noticed here.
        take_writer_lock(connection)
        forget_files(connection, [old.id for old in named_files(connection, "state", day, day)])
        name_file(connection, "state", file, day, day)
        rows = connection.execute(
            "SELECT first_day FROM archive_files WHERE kind = 'observations' AND id > %s AND first_day < %s",
            [seen[0] or 0, day],
        )
        late = [first_day for (first_day,) in rows]
        # A remap gives markets other rows, and other meanings to those that they have.
        stale_states(connection, late if _catalogue(connection) == catalogue else [_NEVER])
    return MadeState(day, state.height, file.bytes, round(time.perf_counter() - began, 3))


def _catalogue(connection: psycopg.Connection) -> str | None:
    """The version of the catalogue by which the stored markets are named."""
    row = connection.execute("SELECT catalogue_version FROM pipeline_settings").fetchone()
    return None if row is None else row[0]


def _rows(connection: psycopg.Connection, day: date, market_ids: Sequence[int] | None) -> pl.DataFrame:
    return read_history(connection, between(day, date.fromordinal(day.toordinal() + 1)), market_ids=market_ids)


def _with_retired(
    connection: psycopg.Connection,
    archive: Archive,
    day: date,
    opening: pl.DataFrame,
    rows: pl.DataFrame,
    market_ids: Sequence[int] | None,
) -> pl.DataFrame:
    """The last row of each market in a retired day, those that PostgreSQL holds besides included.

    States are made again from the day's opening. A row counts also where rows imported since, before the day, have made
    it repeat the state before it: it stands in the archive, and current may be it.
    """
    archived = _archived_steps(connection, archive, named_files(connection, "history", day, day), market_ids)
    ids = {*archived["market_id"].unique(), *rows["market_id"].unique()}
    sets = outcome_sets(connection, list(ids))
    steps = pl.concat([archived, steps_of(rows, sets)])
    steps = steps.join(sets, on="market_id", how="semi")
    states = _last(pl.concat([opening, fold(opening, steps, sets)])).select("market_id", "state")
    return _last(steps).join(states, on="market_id").select(*HISTORY_ROWS)


def _archived_steps(
    connection: psycopg.Connection, archive: Archive, files: Sequence[NamedFile], market_ids: Sequence[int] | None
) -> pl.DataFrame:
    """What the files say as STEPS, of the markets that there are today."""
    where = None
    if market_ids is not None:
        formers = connection.execute(
            "SELECT former_id FROM former_markets WHERE market_id = ANY (%s)", [list(market_ids)]
        ).fetchall()
        where = ds.field("market_id").isin([*market_ids, *(former_id for (former_id,) in formers)])
    rows = pl.concat(
        archive.read(file.path, columns=[*STEPS, "is_unavailable"], where=where).cast(pl.Schema(STEPS))
        for file in files
    )
    # Markets that moved since, which is rare: their words are needed to tell where to.
    sets = outcome_sets(connection, rows["market_id"].unique().to_list())
    keys = pl.col("outcomes").list.eval(pl.element().struct.field("key"))
    is_strange = pl.col("keys").is_null() | (keys.list.set_difference("keys").list.len() > 0)
    strange = rows.join(sets, on="market_id", how="left").filter(is_strange)["market_id"].unique()
    moved = known_markets(connection, strange.to_list())
    if moved:
        is_moved = ds.field("market_id").isin(moved)
        words = pl.concat(archive.read(file.path, where=is_moved).cast(pl.Schema(HISTORY_SCHEMA)) for file in files)
        # First, so that of one moment the market's own row counts.
        told = placed(connection, words).select("is_unavailable", *STEPS)
        rows = pl.concat([told.select(rows.columns), rows.filter(~pl.col("market_id").is_in(moved))])
    if market_ids is not None:
        rows = rows.filter(pl.col("market_id").is_in(list(market_ids)))
    vanished = pl.when("is_unavailable").then(pl.lit([], dtype=STEPS["outcomes"])).otherwise("outcomes")
    return rows.with_columns(outcomes=vanished).select(*STEPS)


def _last(rows: pl.DataFrame) -> pl.DataFrame:
    """The last row of each market; of several of one moment the one that stands last."""
    ordered = rows.sort("market_id", "captured_at", maintain_order=True)
    return ordered.unique("market_id", keep="last", maintain_order=True)
