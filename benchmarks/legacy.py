"""Importing an earlier system: two million rows of ``market_odds`` with the known faults, and what comes of them.

The dry run must count what the import does, a second import must change nothing, and history must say at a thousand
random moments what the offer of a trusted market really was; a figure is printed only when all of that holds.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.days.read import Wanted, state_at
from odds_pipeline.legacy.plan import plan
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.write import ImportedDay, import_days
from odds_pipeline.settings import Settings
from odds_pipeline_tests.legacy.earlier_system import FIRST_DAY, EarlierSystem, MarketKey, State, make_earlier_system

from .measure import peak_memory_mb, reset_peak_memory, say, timed
from .scratch import scratch_database, scratch_directory, total_size

LEAST_ROWS = 2_000_000
EVENTS = 440
DAYS = 13
QUESTIONS = 1_000
_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_LAST_DAY = FIRST_DAY + timedelta(days=2 * DAYS)


def run() -> None:
    """Make the earlier system, import it, ask."""
    with scratch_directory() as directory, scratch_database(directory) as database:
        archive = Archive(directory / "archive")
        system = _earlier_system(database)
        source = LegacySource(database, "earlier")
        counts, seconds = timed(lambda: plan(source, FIRST_DAY, _LAST_DAY))
        say(f"dry run: {counts['rows'].sum():,} rows read in {seconds.wall:.1f} s")
        _import(database, archive, source, counts)
        _ask(database, archive, system)


def _earlier_system(database: Database) -> EarlierSystem:
    def make() -> EarlierSystem:
        with database.connect() as connection:
            return make_earlier_system(
                connection,
                schema="earlier",
                events=EVENTS,
                days=DAYS,
                interval=timedelta(hours=2),
                lines=8,
                apart_from=timedelta(days=10),
                snapshots_until=timedelta(days=11),
            )

    system, seconds = timed(make)
    say(f"made in {seconds.wall:.0f} s: {', '.join(f'{count:,} {table}' for table, count in system.rows.items())}")
    assert system.rows["market_odds"] >= LEAST_ROWS, system.rows
    return system


def _import(database: Database, archive: Archive, source: LegacySource, counts: pl.DataFrame) -> None:
    def import_all() -> list[ImportedDay]:
        return import_days(database, archive, source, FIRST_DAY, _LAST_DAY, settings=Settings(), now=_NOW)

    reset_peak_memory()
    days, seconds = timed(import_all)
    read, changes, added = (sum(getattr(day, name) for day in days) for name in ("rows_read", "changes", "added"))
    say(
        f"import: {read:,} rows read, {changes:,} changes, {added:,} history rows in {seconds.wall:.1f} s "
        f"({read / seconds.wall:,.0f} rows a second; peak memory {peak_memory_mb():,.0f} MB); under the writer's lock "
        f"{max(day.seconds for day in days):.1f} s a day at most"
    )
    planned = counts.group_by("day").agg(
        pl.col("rows", "refused", "untrusted").sum(), changes=(pl.col("changed") + pl.col("gone")).sum()
    )
    counted = {(day.day, day.rows_read, day.refused, day.untrusted, day.changes) for day in days}
    assert counted == set(planned.select("day", "rows", "refused", "untrusted", "changes").rows()), "the dry run agrees"
    again, seconds = timed(import_all)
    assert not any(day.added + day.removed + day.replaced for day in again), "twice changes nothing"
    assert rebuild_current(database).repaired == 0, "current is where history ends"
    with database.connect() as connection:
        size = total_size(connection, "odds_history")
    say(f"again: nothing changed, {seconds.wall:.1f} s; {size / added:.0f} bytes a history row, indexes included")


def _ask(database: Database, archive: Archive, system: EarlierSystem) -> None:
    with database.connect() as connection:
        listings = {
            (slug, external): (event_id, kickoff)
            for slug, external, event_id, kickoff in connection.execute(
                """
                SELECT bookmaker.slug, listing.external_event_id, listing.event_id, listing.kickoff
                FROM event_bookmakers AS listing JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
                """
            )
        }
    questions = list(system.truth.questions(QUESTIONS, seed=11, until=datetime(2026, 2, 14, tzinfo=UTC)))

    def answer_all() -> list[tuple[MarketKey, datetime]]:
        wrong: list[tuple[MarketKey, datetime]] = []
        for market, moment, state in questions:
            event_id, kickoff = listings[market[:2]]
            truth = None if moment >= kickoff else state
            if _answer(database, archive, market, event_id, moment) != _exact(truth):
                wrong.append((market, moment))
        return wrong

    wrong, seconds = timed(answer_all)
    assert wrong == [], wrong[:5]
    each = 1000 * seconds.wall / len(questions)
    say(f"{len(questions):,} random moments of trusted markets: all right, {each:.1f} ms each")


def _answer(database: Database, archive: Archive, market: MarketKey, event_id: int, moment: datetime) -> State | None:
    slug, external, market_id, line = market
    wanted = Wanted(event_ids=[event_id], bookmakers=[slug], betpawa_market_ids=[market_id], line=line)
    rows = state_at(database, archive, wanted, moment, unimported_days=_none_missing).rows
    rows = rows.filter(pl.col("external_event_id") == external)
    if rows.is_empty() or rows["is_unavailable"][0]:
        return None
    return frozenset((each["key"], each["odds"] if each["is_active"] else None) for each in rows["outcomes"][0])


def _exact(state: State | None) -> State | None:
    thousandth = Decimal("0.001")
    return None if state is None else frozenset((key, odds and odds.quantize(thousandth)) for key, odds in state)


def _none_missing(_first: date, _last: date) -> list[date]:
    return []
