"""One cycle from end to end: open a run, scrape, then write what was scraped. A refresh of one event goes the same way.

The two halves are separate calls because Dagster shows them as separate steps; the staging files and the row in
``scrape_runs`` are all that passes between them (B-44).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg

from odds_pipeline.archive.store import Archive
from odds_pipeline.bookmakers.registry import bookmaker
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.listings import register_bookmakers
from odds_pipeline.database.locks import sign_session, try_cycle_lock
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.refreshes import became_run
from odds_pipeline.database.remap import remap_if_learnt
from odds_pipeline.database.runs import Trigger, beat, failing_run, open_run, start_run
from odds_pipeline.database.write import write_cycle
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.answers import prepare
from odds_pipeline.odds.observation import Listing
from odds_pipeline.scrape.collect import Collected, collect
from odds_pipeline.scrape.staging import Staging, sweep
from odds_pipeline.settings import Settings

_BEAT_EVERY_S = 15.0


class CycleUnderWay(RuntimeError):
    """Another cycle is scraping; two never run at once (B-46)."""


class NothingScraped(LookupError):
    """There are no scraped answers to write: the run scraped nothing, or was written or given up before."""


class NoSuchEvent(LookupError):
    """The event is unknown, or no enabled bookmaker lists it."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """A run that has scraped and waits to be written."""

    run_id: int
    cycle_at: datetime
    staging: Staging


def scrape_cycle(
    database: Database,
    slugs: Sequence[str],
    *,
    trigger: Trigger,
    settings: Settings,
    clock: Clock,
    staging_root: Path,
    dagster_run_id: str | None = None,
) -> tuple[Cycle, dict[str, Collected]]:
    """Scrape the whole offer of the bookmakers ``slugs`` into staging files, under a new run.

    Raises ``CycleUnderWay``. Whatever else is raised, an interruption included, has closed the run as failed.
    """
    # A session that was lost has lost its lock, and nothing else: the answers are written all the same.
    with closing(database.connect()) as lock:
        if not try_cycle_lock(lock):
            raise CycleUnderWay("another cycle is scraping right now; the next one can start when it has ended")
        sweep(staging_root, keep=_open_runs(database))
        return _scrape(
            database,
            slugs,
            trigger=trigger,
            settings=settings,
            clock=clock,
            staging_root=staging_root,
            dagster_run_id=dagster_run_id,
            lock=lock,
        )


def find_scraped(database: Database, dagster_run_id: str, *, staging_root: Path) -> Cycle:
    """The cycle that a Dagster run has scraped and not written yet. Raises ``NothingScraped``."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT id, cycle_at FROM scrape_runs WHERE dagster_run_id = %s AND status = 'running'", [dagster_run_id]
        ).fetchone()
    if row is None:
        raise NothingScraped(f"run {dagster_run_id} has no scraped answers that wait to be written")
    run_id, cycle_at = row
    return Cycle(run_id, cycle_at, Staging(staging_root, run_id))


def write_scraped(
    database: Database, archive: Archive, cycle: Cycle, *, settings: Settings, clock: Clock
) -> WriteRecord:
    """Compare a scraped cycle with current, archive and commit it, all or nothing; its staging files are gone then.

    Raises what ``write_cycle`` raises, after closing the run as failed.
    """
    with failing_run(database, cycle.run_id, clock=clock):
        slugs = cycle.staging.bookmakers()
        if not slugs:
            raise NothingScraped(f"run {cycle.run_id} staged nothing in {cycle.staging.folder}")
        beat(database, cycle.run_id, now=clock.now())
        answers = prepare(
            cycle.staging.scan_observations(*slugs),
            pl.concat([cycle.staging.read_coverage(slug) for slug in slugs]),
            cycle_at=cycle.cycle_at,
        )
        record = write_cycle(database, archive, answers, run_id=cycle.run_id, settings=settings, now=clock.now())
    cycle.staging.remove()
    return record


def refresh_event(
    database: Database,
    archive: Archive,
    event_id: int,
    *,
    settings: Settings,
    clock: Clock,
    staging_root: Path,
    dagster_run_id: str | None = None,
    request_id: int | None = None,
) -> tuple[Cycle, dict[str, Collected], WriteRecord]:
    """Ask every enabled bookmaker that lists one event for it now, and write the answers as a cycle would.

    ``request_id``: the request that this serves, if it was asked for from outside. Raises ``NoSuchEvent``.
    """
    listings = _listings_of(database, event_id, settings.bookmakers)
    cycle, collected = _scrape(
        database,
        sorted({listing.bookmaker for listing in listings}),
        trigger="webhook",
        settings=settings,
        clock=clock,
        staging_root=staging_root,
        dagster_run_id=dagster_run_id,
        only_event=listings,
        request_id=request_id,
    )
    return cycle, collected, write_scraped(database, archive, cycle, settings=settings, clock=clock)


def _scrape(
    database: Database,
    slugs: Sequence[str],
    *,
    trigger: Trigger,
    settings: Settings,
    clock: Clock,
    staging_root: Path,
    dagster_run_id: str | None,
    lock: psycopg.Connection | None = None,
    only_event: Sequence[Listing] | None = None,
    request_id: int | None = None,
) -> tuple[Cycle, dict[str, Collected]]:
    mapper = Mapper.load()
    cycle_at = clock.now()
    asked = [bookmaker(slug, settings) for slug in slugs]
    run_id = open_run(database, trigger=trigger, now=cycle_at, dagster_run_id=dagster_run_id)
    heartbeat = _Heartbeat(database, run_id, clock)
    with failing_run(database, run_id, clock=clock):
        if lock is not None:
            sign_session(lock, run_id)
        register_bookmakers(database, {each.slug: each.name for each in asked})
        remap_if_learnt(database, mapper, now=cycle_at, run_id=run_id, alive=heartbeat)
        if request_id is not None:
            became_run(database, request_id, run_id, now=cycle_at)
        start_run(database, run_id, now=cycle_at, settings=settings)
        staging = Staging(staging_root, run_id)
        collected = asyncio.run(
            collect(
                asked,
                run_id=run_id,
                cycle_at=cycle_at,
                settings=settings,
                mapper=mapper,
                clock=clock,
                staging=staging,
                only_event=only_event,
                progress=lambda _: heartbeat(),
            )
        )
        beat(database, run_id, now=clock.now(), timings=_timings(collected))
    return Cycle(run_id, cycle_at, staging), collected


class _Heartbeat:
    """Says every few seconds that the run is alive, as long as it is called: with every answer that comes."""

    def __init__(self, database: Database, run_id: int, clock: Clock) -> None:
        self._database, self._run_id, self._clock = database, run_id, clock
        self._last = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._last >= _BEAT_EVERY_S:
            self._last = time.monotonic()
            beat(self._database, self._run_id, now=self._clock.now())


def _timings(collected: dict[str, Collected]) -> dict[str, Any]:
    return {
        slug: {
            "discovery": round(found.discovery_seconds, 3),
            "answers": round(found.answers_seconds, 3),
            "requests": found.requests,
            "retries": found.retries,
        }
        for slug, found in collected.items()
    }


def _open_runs(database: Database) -> list[int]:
    """Runs that may still need their staging files."""
    with database.connect() as connection:
        rows = connection.execute("SELECT id FROM scrape_runs WHERE status IN ('pending', 'running')").fetchall()
    return [run_id for (run_id,) in rows]


def _listings_of(database: Database, event_id: int, slugs: Sequence[str]) -> list[Listing]:
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT bookmaker.slug, listing.external_event_id, listing.sportradar_id, sport.name, tournament.country,
                   tournament.name, listing.home_team, listing.away_team, listing.kickoff
            FROM event_bookmakers AS listing
            JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
            JOIN tournaments AS tournament ON tournament.id = listing.tournament_id
            JOIN sports AS sport ON sport.id = tournament.sport_id
            WHERE listing.event_id = %s AND bookmaker.slug = ANY(%s)
            """,
            [event_id, list(slugs)],
        ).fetchall()
    if not rows:
        raise NoSuchEvent(f"no enabled bookmaker lists event {event_id}")
    names = Listing.__struct_fields__
    return [Listing(**dict(zip(names, row, strict=True))) for row in rows]
