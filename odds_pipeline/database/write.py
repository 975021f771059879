"""Writing one cycle: reading current, the diff and the write in one transaction under one lock (I4, I5).

``write_cycle`` is the only way that odds reach the database, for scheduled cycles, refreshes of one event and replays
alike (B-44). It closes the run's row in the same transaction, so a cycle is there whole or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import polars as pl
import psycopg
import stamina
from psycopg import errors

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.answered import (
    asked_listings,
    observed_keys,
    proven_absence,
    refused_keys,
    vanished_keys,
)
from odds_pipeline.database.apply import apply_changes, mark_refused, mark_sighted, mark_unavailable
from odds_pipeline.database.archiving import CycleArchive
from odds_pipeline.database.comparing import Proof, compared, with_times, without_repeats
from odds_pipeline.database.coverage import (
    close_run,
    record_coverage,
    record_errors,
    record_states,
)
from odds_pipeline.database.current_keys import read_current_keys
from odds_pipeline.database.endings import find_endings
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import append_changes
from odds_pipeline.database.listings import bookmaker_ids, choose_primaries, find_listings, resolve_listings
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.database.record import WriteRecord, recorded
from odds_pipeline.database.states import changed_rows
from odds_pipeline.odds.answers import Answers
from odds_pipeline.odds.diff import HISTORY_CHANGES, Change, Diff, together
from odds_pipeline.odds.observation import AnswerStatus
from odds_pipeline.odds.packs import CHANGES
from odds_pipeline.settings import Settings

_LISTING = ["bookmaker", "external_event_id"]


def write_cycle(
    database: Database,
    archive: Archive,
    answers: Answers,
    *,
    run_id: int,
    settings: Settings,
    now: datetime,
    guarded: bool = True,
) -> WriteRecord:
    """Compare one cycle's answers with current, archive and commit what changed, all or nothing.

    ``now`` is the pipeline clock's time, for the run's own rows; the odds carry their answers' times. ``guarded`` off:
    mass disappearance is believed at once (replaying files that say they are complete).

    Raises ``RunGivenUp`` when the run is no longer ``running`` (a watchdog gave it up), ``UnknownBookmaker`` for
    answers of a bookmaker that is not registered, ``ArchiveUnusable``, and ``psycopg.OperationalError`` when three
    tries were not enough. A row that the database refuses costs its answer, which is counted and recorded (R11).
    """
    for attempt in stamina.retry_context(on=psycopg.OperationalError, attempts=3, wait_initial=0.2, wait_max=2.0):
        with (
            attempt,
            database.borrow() as connection,
            CycleArchive(database, archive, answers, run_id=run_id) as archived,
        ):
            return _CycleWriter(database, connection, answers, archived, run_id, settings, now, guarded).write()
    raise AssertionError("a retry context returns or raises")


class _CycleWriter:
    """One transaction's worth of state; each step is a method, ``write`` is their order."""

    def __init__(
        self,
        database: Database,
        connection: psycopg.Connection,
        answers: Answers,
        archived: CycleArchive,
        run_id: int,
        settings: Settings,
        now: datetime,
        guarded: bool,
    ) -> None:
        self.database = database
        self.connection = connection
        self.answers = answers
        self.archived = archived
        self.run_id = run_id
        self.settings = settings
        self.now = now
        self.began = time.perf_counter()
        self.guarded = guarded
        self.seconds: dict[str, float] = {}
        self.set_aside: dict[int, str] = {}

    def write(self) -> WriteRecord:
        with self.connection.transaction():
            with self._timed("lock"):
                take_writer_lock(self.connection)
                if (earlier := recorded(self.connection, self.run_id)) is not None:
                    return earlier
            with self._timed("listings"):
                arrivals = self.answers.answers.select(*_LISTING, "captured_at")
                told = self.answers.listings.join(arrivals, on=_LISTING, how="left", maintain_order="left")
                stored = find_listings(self.connection, told)
            # Read on a connection of its own, while it is worked out here which answers count and what they say.
            with ThreadPoolExecutor(1) as reading:
                current_of_listed = reading.submit(
                    read_current_keys, self.database, stored["listing_id"], markets=self.answers.keys.height
                )
                with self._timed("listings"):
                    slugs = pl.concat([self.answers.answers["bookmaker"], self.answers.discoveries["bookmaker"]])
                    bookmakers = bookmaker_ids(self.connection, slugs.unique().to_list())
                    listings = resolve_listings(
                        self.connection, told, stored, now=self.now, as_of=self.answers.cycle_at
                    )
                with self._timed("answers"):
                    asked = asked_listings(self.answers, listings, stored)
                    answered = asked.filter(~pl.col("is_late"))
                    endings = find_endings(
                        self.connection, self.answers, asked, settings=self.settings, guarded=self.guarded
                    )
                    ended = endings.ended
                    keys = observed_keys(self.connection, self.answers, answered)
                    proof = Proof(
                        proven_absence(self.answers, answered, ended),
                        refused_keys(self.connection, self.answers, answered),
                        vanished_keys(self.connection, self.answers, answered),
                    )
                with self._timed("read"):
                    current = current_of_listed.result()
                    del current_of_listed  # which would keep it
                    unlisted = proof.absence.join(listings, on="listing_id", how="anti")["listing_id"]
                    vanishing = read_current_keys(self.database, unlisted, markets=0) if len(unlisted) else []
            with self._timed("diff"):
                parts = [*compared(current, keys, proof), *compared(vanishing, keys.clear(), proof)]
                observed = keys["listing_id"]
                del keys  # a large cycle's are large, and all that is asked of them from here on is how many
                found, again = without_repeats(together(parts), answered)
            with self._timed("write"):
                changes = with_times(found.changes, answered)
                self._apply(changes)
            # The archive's files are written beside what else the database gets; they count once they are named there.
            self.archived.claim(self.connection)
            with ThreadPoolExecutor(1) as archiving:
                archive_files = archiving.submit(self.archived.write)
                # In a pipeline, PostgreSQL does one step while the next is worked out here.
                with self._timed("close"), self.connection.pipeline():
                    if self.set_aside:
                        answered = answered.filter(~pl.col("listing_id").is_in(list(self.set_aside)))
                        ended = ended.filter(~pl.col("listing_id").is_in(list(self.set_aside)))
                    record_states(self.connection, answered, ended, endings.missing, self.answers.as_of)
                    # Also of the events that listings have left: another listing may be the first there now.
                    choose_primaries(self.connection, stored["event_id"], listings["event_id"])
                    record_coverage(self.connection, self.run_id, self.answers, endings.guard_held, bookmakers)
                    record_errors(
                        self.connection,
                        self.run_id,
                        self.answers,
                        listings,
                        self.set_aside,
                        endings.guard_held,
                        bookmakers,
                        self.now,
                    )
                with self._timed("archive"):
                    days = self._days(changes)
                    self.archived.name(self.connection, archive_files.result(), days)
            record = self._record(
                found,
                changes,
                observed,
                answered,
                late=asked.filter("is_late").height + again,
                guard_held=endings.guard_held,
                days=days,
            )
            # The run ends now, not when the write began: the next cycle is put off by this one's whole length.
            ended_at = self.now + timedelta(seconds=time.perf_counter() - self.began)
            close_run(self.connection, self.run_id, self.answers, asked, record, ended_at)
        return record

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        taken = time.perf_counter() - started
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + taken, 4)

    def _apply(self, changes: pl.DataFrame) -> None:
        """Write everything at once; if the database refuses a row, answer by answer, setting the refused ones aside."""
        if changes.is_empty():
            return
        try:
            with self.connection.transaction():
                for observed in self._apply_part(changes):
                    self.archived.add(observed)
        except (errors.IntegrityError, errors.DataError):
            self.archived.begin_again()
            for (listing_id,), part in changes.group_by("listing_id", maintain_order=True):
                try:
                    with self.connection.transaction():
                        applied = list(self._apply_part(part))
                except (errors.IntegrityError, errors.DataError) as refused:
                    assert isinstance(listing_id, int)
                    self.set_aside[listing_id] = str(refused).splitlines()[0]
                else:
                    for observed in applied:
                        self.archived.add(observed)
        self.archived.add_vanished(
            _of(changes, Change.UNAVAILABLE).filter(~pl.col("listing_id").is_in(list(self.set_aside)))
        )

    def _apply_part(self, changes: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Write these changes; yields the observations among them as they are written."""
        for day in _of(changes, *HISTORY_CHANGES)["captured_at"].dt.date().unique().sort():
            ensure_partitions(self.connection, day, day)
        # An answer's changes may lie in several slices, and those that are gone are found out last: one pack has them.
        appended: list[pl.DataFrame] = []
        for rows, observed in changed_rows(self.database, self.connection, changes, self.answers.observations):
            apply_changes(self.connection, rows, run_id=self.run_id)
            appended.append(rows.changes.with_columns(run_id=pl.lit(self.run_id, pl.Int32)).select(*CHANGES))
            yield observed
        appended.append(mark_unavailable(self.connection, _of(changes, Change.UNAVAILABLE), run_id=self.run_id))
        append_changes(self.connection, pl.concat(appended))
        mark_sighted(self.connection, _of(changes, Change.SIGHTED, Change.RELABELLED)["market_id"])
        mark_refused(self.connection, _of(changes, Change.REFUSED)["market_id"])

    def _days(self, changes: pl.DataFrame) -> set[date]:
        """The UTC days in which history gets rows."""
        written = _of(changes, *HISTORY_CHANGES).filter(~pl.col("listing_id").is_in(list(self.set_aside)))
        return set(written["captured_at"].dt.date().unique())

    def _record(
        self,
        found: Diff,
        changes: pl.DataFrame,
        observed: pl.Series,
        answered: pl.DataFrame,
        *,
        late: int,
        guard_held: set[str],
        days: set[date],
    ) -> WriteRecord:
        confirmed = found.confirmed
        if self.set_aside:
            is_set_aside = pl.col("listing_id").is_in(list(self.set_aside))
            was_touched = is_set_aside & pl.col("row").is_not_null()
            confirmed -= (
                observed.filter(observed.is_in(list(self.set_aside))).len() - changes.filter(was_touched).height
            )
            changes = changes.filter(~is_set_aside)
        counted = Diff(changes, confirmed).counts()
        answers = self.answers.answers
        written = _of(changes, *HISTORY_CHANGES)
        read = answered.filter(pl.col("status").is_in([AnswerStatus.COMPLETE.value, AnswerStatus.STARTED.value]))
        return WriteRecord(
            observations=self.answers.keys.height,
            new=counted[Change.NEW],
            changed=counted[Change.CHANGED],
            returned=counted[Change.RETURNED],
            unavailable=counted[Change.UNAVAILABLE],
            confirmed=confirmed + counted[Change.RELABELLED] + counted[Change.SIGHTED],
            relabelled=changes.filter("is_relabelled").height,
            refused=self.answers.refused.height,
            late=late,
            set_aside=len(self.set_aside),
            upserted_current=written.height + counted[Change.RELABELLED],
            inserted_history=written.height,
            outcomes_stored=int(answers["outcomes_stored"].sum()),
            outcomes_not_offered=int(answers["outcomes_not_offered"].sum()),
            outcomes_refused=int(answers["outcomes_refused"].sum()),
            guard_held=tuple(sorted(guard_held)),
            days=tuple(sorted(days)),
            seconds=dict(self.seconds),
            changed_answers=read.join(written, on="listing_id", how="semi").height,
        )


def _of(changes: pl.DataFrame, *kinds: Change) -> pl.DataFrame:
    """The changes of these kinds."""
    return changes.filter(pl.col("change").is_in([kind.value for kind in kinds]))
