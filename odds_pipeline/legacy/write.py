"""Importing days of an earlier system: its changes become history rows, one timeline with what is stored already.

Each day is one transaction. What a day gives is a pure function of the earlier system's tables, so importing it again
changes nothing. Where our own pipeline knows a listing, its word goes: nothing is imported from its first complete
answer on (``listing_state.first_confirmed_at``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta

import polars as pl
import psycopg
from psycopg.types.json import Jsonb

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import claim_archive, named_files
from odds_pipeline.database.corrections import apply_sent, send
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock, take_writer_lock
from odds_pipeline.days.refold import refold
from odds_pipeline.legacy.changes import DayChanges, changes_of_day
from odds_pipeline.legacy.ends import end_markets, ends_of, note_listings
from odds_pipeline.legacy.fit import fitted
from odds_pipeline.legacy.markets import place_listings, place_markets
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.unimported import imported_days
from odds_pipeline.legacy.untrusted import mark_untrusted
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.settings import Settings

_LISTING = ["bookmaker", "external_event_id"]


@dataclass(frozen=True, slots=True)
class ImportedDay:
    """What importing one day did.

    ``rows_read``, ``changes``, ``untrusted``, ``refused``: as the dry run says them. Of the changes, ``superseded``
    were left out because our own pipeline knew their listing by then, ``left_out`` because they are untrusted.
    ``added``, ``removed``, ``replaced``: rows of history, nothing when the day was imported before; ``seconds``: how
    long it took; ``has_shrunk``: the day was left as it is, because the earlier system holds fewer rows of it than when
    it was imported; ``tables``: what became of the rows of each table (``COUNT_SCHEMA``).
    """

    day: date
    run_id: int
    rows_read: int
    changes: int
    untrusted: int
    refused: int
    superseded: int
    left_out: int
    added: int
    removed: int
    replaced: int
    seconds: float
    has_shrunk: bool
    tables: pl.DataFrame = field(compare=False, repr=False)


def import_days(
    database: Database,
    archive: Archive,
    source: LegacySource,
    first: date,
    last: date,
    *,
    settings: Settings,
    now: datetime,
    dagster_run_id: str | None = None,
    progress: Callable[[ImportedDay], None] | None = None,
) -> list[ImportedDay]:
    """Import each of the UTC days, both included, that the earlier system has data of; oldest first.

    Later days that were imported before are imported again when an older one brought anything new: they may say that
    a market is gone which was not known then. ``now`` is the pipeline clock's time: an event whose kick-off lies before
    it is no longer offered. A failure leaves the days before it imported. Raises what reading the source raises, and
    ``UnknownBookmaker``.
    """
    imported: list[ImportedDay] = []
    mapper = Mapper.load()
    known = imported_days(database, source.name)
    for day in source.days():
        is_asked_for = first <= day <= last
        stands_on_new_rows = day > last and day in known and any(earlier.added for earlier in imported)
        if is_asked_for or stands_on_new_rows:
            found = changes_of_day(source, day, mapper=mapper)
            done = import_day(
                database,
                archive,
                source.name,
                day,
                found,
                settings=settings,
                now=now,
                dagster_run_id=dagster_run_id,
            )
            imported.append(done)
            if progress is not None:
                progress(done)
    return imported


def import_day(
    database: Database,
    archive: Archive,
    source: str,
    day: date,
    found: DayChanges,
    *,
    settings: Settings,
    now: datetime,
    dagster_run_id: str | None = None,
) -> ImportedDay:
    """Import one day of ``source`` (its name), of which ``found`` says what changed."""
    with database.connect() as connection:
        claim_archive(connection, archive)
        with archive_lock(connection), connection.transaction():
            take_writer_lock(connection)
            return _DayImport(database, connection, archive, source, day, found, settings, now, dagster_run_id).write()


class _DayImport:
    """One transaction's worth of state; ``write`` is the order of its steps."""

    def __init__(
        self,
        database: Database,
        connection: psycopg.Connection,
        archive: Archive,
        source: str,
        day: date,
        found: DayChanges,
        settings: Settings,
        now: datetime,
        dagster_run_id: str | None,
    ) -> None:
        self.database = database
        self.connection = connection
        self.archive = archive
        self.source = source
        self.day = day
        self.found = found
        self.leave_out = settings.legacy_untrusted == "leave_out"
        self.now = now
        self.dagster_run_id = dagster_run_id
        self.began = time.perf_counter()

    def write(self) -> ImportedDay:
        before = self.connection.execute(
            "SELECT run_id, rows_read FROM imported_days WHERE (source, day) = (%s, %s)", [self.source, self.day]
        ).fetchone()
        if before is not None and before[1] > self._count("rows"):
            return self._imported(before[0], has_shrunk=True)
        changes = self._of_listings()
        is_ours = (pl.col("captured_at") >= pl.col("first_confirmed_at")).fill_null(value=False)
        unknown_to_us = changes.filter(~is_ours)
        kept = unknown_to_us.filter("is_trusted") if self.leave_out else unknown_to_us
        placed = place_markets(self.database, self.connection, kept)
        note_listings(self.connection, placed.changes, now=self.now)
        ends = ends_of(self.database, self.connection, self.archive, placed)
        run_id = before[0] if before is not None else self._open_run(kept["listing_id"].n_unique())
        fit = fitted(self.database, self.connection, self.archive, placed, ends, day=self.day, run_id=run_id)
        send(self.connection, fit.difference)
        written = apply_sent(self.connection)
        mark_untrusted(self.connection, fit.rows, placed.changes, day=self.day)
        later = end_markets(self.connection, ends, after=self.day, run_id=run_id)
        touched = pl.concat([fit.difference["market_id"], later["market_id"]]).unique().sort()
        # The day itself is folded; what follows it now stands on another state.
        refold(self.connection, self.database, self.archive, touched.to_list(), since=self.day + timedelta(days=1))
        imported = self._imported(
            run_id,
            superseded=changes.height - unknown_to_us.height,
            left_out=unknown_to_us.height - kept.height,
            added=sum(changed.added for changed in written) + later.height,
            removed=sum(changed.removed for changed in written),
            replaced=sum(changed.replaced for changed in written),
        )
        if before is None or not touched.is_empty():
            self._close(imported)
        return imported

    def _of_listings(self) -> pl.DataFrame:
        """The changes with their listing and what is known of it."""
        observations = self.found.observations.join(self._cleaned_up(), on=_LISTING, how="anti", maintain_order="left")
        listings = place_listings(self.connection, observations, now=self.now)
        return observations.join(listings, on=_LISTING, how="left", maintain_order="left")

    def _cleaned_up(self) -> pl.DataFrame:
        """Listings (bookmaker, external_event_id) that PostgreSQL has forgotten and of which the day is archived.

        They would come back as others, and be archived a second time.
        """
        archived = [pl.DataFrame(schema=dict.fromkeys(_LISTING, pl.String))]
        for file in named_files(self.connection, "history", self.day, self.day):
            rows = self.archive.read(file.path, columns=["bookmaker_slug", "external_event_id"])
            archived.append(rows.unique().select(bookmaker="bookmaker_slug", external_event_id="external_event_id"))
        listings = pl.concat(archived).unique()
        known = self.connection.execute(
            """
            SELECT bookmaker.slug, listing.external_event_id FROM event_bookmakers AS listing
            JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
            WHERE listing.external_event_id = ANY(%s)
            """,
            [listings["external_event_id"].to_list()],
        ).fetchall()
        return listings.join(pl.DataFrame(known, schema=listings.schema, orient="row"), on=_LISTING, how="anti")

    def _imported(
        self,
        run_id: int,
        *,
        superseded: int = 0,
        left_out: int = 0,
        added: int = 0,
        removed: int = 0,
        replaced: int = 0,
        has_shrunk: bool = False,
    ) -> ImportedDay:
        return ImportedDay(
            day=self.day,
            run_id=run_id,
            rows_read=self._count("rows"),
            changes=self._count("changed") + self._count("gone"),
            untrusted=self._count("untrusted"),
            refused=self._count("refused"),
            superseded=superseded,
            left_out=left_out,
            added=added,
            removed=removed,
            replaced=replaced,
            seconds=round(time.perf_counter() - self.began, 3),
            has_shrunk=has_shrunk,
            tables=self.found.counts,
        )

    def _count(self, column: str) -> int:
        return int(self.found.counts[column].sum())

    def _open_run(self, events: int) -> int:
        """A run of its own for the day, under which its rows stand."""
        row = self.connection.execute(
            """
            INSERT INTO scrape_runs (status, trigger, started_at, cycle_at, dagster_run_id, events_scraped, created_at)
            VALUES ('completed', 'backfill', %s, %s::date, %s, %s, %s) RETURNING id
            """,
            [self.now, self.day, self.dagster_run_id, events, self.now],
        ).fetchone()
        assert row is not None
        return row[0]

    def _close(self, imported: ImportedDay) -> None:
        numbers = {each.name: getattr(imported, each.name) for each in fields(imported) if each.name != "tables"}
        told = {"source": self.source, "day": self.day.isoformat(), "tables": imported.tables.to_dicts()}
        self.connection.execute(
            "UPDATE scrape_runs SET completed_at = %s, counts = %s WHERE id = %s",
            [self.now + timedelta(seconds=imported.seconds), Jsonb(numbers | told), imported.run_id],
        )
        self.connection.execute(
            """
            INSERT INTO imported_days
                (source, day, run_id, rows_read, changes, untrusted, refused, superseded, left_out, imported_at)
            VALUES (%(source)s, %(day)s, %(run_id)s, %(rows_read)s, %(changes)s, %(untrusted)s, %(refused)s,
                    %(superseded)s, %(left_out)s, %(now)s)
            ON CONFLICT (source, day) DO UPDATE
            SET rows_read = excluded.rows_read, changes = excluded.changes, untrusted = excluded.untrusted,
                refused = excluded.refused, superseded = excluded.superseded, left_out = excluded.left_out,
                imported_at = excluded.imported_at
            """,
            numbers | {"source": self.source, "now": self.now},
        )
