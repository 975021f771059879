"""What must hold after an attack, read off the database and its archive alone: the invariants I1 to I6.

An attack asks ``assert_invariants_hold`` after every round. What was current at a moment is kept by ``remember`` and
asked for again later, so that the past is compared with what it was, not with another reading of the same rows.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import psycopg

from odds_pipeline.archive.store import Archive
from odds_pipeline.clock import ManualClock
from odds_pipeline.database.archived_files import NamedFile, named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import between, read_history
from odds_pipeline.days.opening import opening_state
from odds_pipeline.days.read import Wanted, state_at
from odds_pipeline.odds.observation import AnswerStatus
from odds_pipeline.odds.packed import UNAVAILABLE, WIDE
from odds_pipeline.odds.replay import HISTORY_ROWS, fingerprint_of
from odds_pipeline.odds.replay import state_at as replayed_at
from odds_pipeline.replaying import replay
from odds_pipeline.settings import Settings

_STATE = ["market_id", "captured_at", "state"]
_LOOKED_AT = 100
"""Of current, fingerprints are looked at of so many markets, drawn each time."""


@dataclass(frozen=True)
class Remembered:
    """What was current at a moment, and the newest run by then."""

    moment: datetime
    last_run: int
    current: pl.DataFrame


def remember(database: Database, moment: datetime) -> Remembered:
    """Current as it is now, ``moment`` by the pipeline clock; to be given to ``assert_invariants_hold`` later."""
    with database.connect() as connection:
        row = connection.execute("SELECT coalesce(max(id), 0) FROM scrape_runs").fetchone()
    assert row is not None
    return Remembered(moment, row[0], _current(database).select(_STATE))


def assert_invariants_hold(
    database: Database,
    archive: Archive,
    draw: random.Random,
    *,
    open_runs: Collection[int] = (),
    past: Sequence[Remembered] = (),
) -> None:
    """I1 to I5 as far as the database and the archive tell; nothing may be written meanwhile.

    ``open_runs``: runs that may still be pending or running: killed, and not given up yet. ``past``: moments to ask for
    again, of which one is drawn. Retired days are read from the archive.
    """
    _Held(database, archive, draw).check(open_runs, past)


def assert_again_changes_nothing(database: Database, archive: Archive, settings: Settings, now: datetime) -> None:
    """I6: the newest cycle's observations, read from the archive and applied once more, change nothing."""
    before, rows = _current(database), _held_rows(database)
    with database.connect() as connection:
        newest = max(named_files(connection, "observations"), key=lambda file: file.run_id or 0)
    assert archive.folder is not None
    done = replay(database, archive, archive.folder / newest.path, settings=settings, clock=ManualClock(now))
    assert (done.cycles, done.history_rows) == (1, 0), done
    assert _current(database).equals(before)
    assert _held_rows(database).equals(rows)


class _Held:
    """History as it is held, with the state before it, and what follows from it."""

    def __init__(self, database: Database, archive: Archive, draw: random.Random) -> None:
        self.database, self.archive, self.draw = database, archive, draw
        self.first_day = _first_day_held(database)
        self.rows = _held_rows(database)
        self.current = _current(database)
        self.opening = pl.DataFrame(schema=dict(HISTORY_ROWS))
        if self.first_day > date.min:
            self.opening = opening_state(database, archive, self.first_day)
        self.replayed = pl.concat([self.opening, self.rows])

    def check(self, open_runs: Collection[int], past: Sequence[Remembered]) -> None:
        self.current_is_replayed_history()
        self.the_past_is_what_it_was(past)
        self.no_row_repeats_the_one_before()
        with self.database.connect() as connection:
            self.runs_are_whole(connection, open_runs)
            self.named_files_are_there(connection)
            self.what_is_gone_was_proven_gone(connection)

    def current_is_replayed_history(self) -> None:
        """I1, availability and fingerprints included: a wrong fingerprint would hide the next change."""
        last = replayed_at(self.replayed).select(_STATE)
        # An event that is cleaned up takes its markets along; it was over.
        cleaned_up = last.join(self.current, on="market_id", how="anti")
        assert cleaned_up.filter(~_is_unavailable()).is_empty(), "what history says is on offer is not in current (I1)"
        assert cleaned_up.is_empty() or self.first_day > date.min, "markets went before any day did"
        last = last.join(cleaned_up, on="market_id", how="anti")
        assert last.join(self.current, on=_STATE, how="anti").is_empty(), "history says last what is not current (I1)"
        assert self.current.join(last, on=_STATE, how="anti").is_empty(), "current is not what history says last (I1)"
        gone_at = pl.when("is_unavailable").then("captured_at")
        assert self.current.filter(pl.col("unavailable_at").ne_missing(gone_at)).is_empty(), "availability (I1)"
        for row in self._some(self.current):
            assert row["fingerprint"] == fingerprint_of(row["state"], row["keys"]), row

    def the_past_is_what_it_was(self, past: Sequence[Remembered]) -> None:
        """I1 at a moment of the past: by replay, by the question that readers ask, and as it was remembered."""
        if self.rows.is_empty():
            return
        nearby = timedelta(seconds=self.draw.choice([0, 0, 1, 30]))
        moment = self.draw.choice(self.rows["captured_at"].unique().sort().to_list()) + nearby
        replayed = replayed_at(self.replayed, moment)
        primary = self.database.read_frame(
            """
            SELECT market.id AS market_id FROM markets AS market
            JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id WHERE listing.is_primary
            """
        )
        shown = state_at(self.database, self.archive, Wanted(), moment, unimported_days=lambda *_: []).rows
        shown = shown.join(primary, on="market_id", how="semi").select("market_id", "captured_at").sort("market_id")
        expected = replayed.join(primary, on="market_id", how="semi").select("market_id", "captured_at")
        assert shown.equals(expected.sort("market_id")), f"what was current at {moment} (I1)"
        if not past:
            return
        remembered = self.draw.choice(past)
        is_before = pl.col("captured_at") <= remembered.moment
        if (
            remembered.moment.date() < self.first_day
            or not self.rows.filter(is_before & (pl.col("run_id") > remembered.last_run)).is_empty()
        ):
            return  # a late row is told of a moment that nobody knew it at
        then = replayed_at(self.replayed, remembered.moment).select(_STATE).sort("market_id")
        # An event that was cleaned up since takes its markets along.
        known = remembered.current.join(self.current, on="market_id", how="semi").sort("market_id")
        assert then.join(self.current, on="market_id", how="semi").equals(known), f"at {remembered.moment} (I1)"

    def no_row_repeats_the_one_before(self) -> None:
        before = pl.col("state").shift().over("market_id")
        ordered = self.replayed.sort("market_id", "captured_at")
        assert ordered.filter(pl.col("state") == before).is_empty(), "two equal rows in a row (I2)"
        assert not self.rows.select("market_id", "captured_at").is_duplicated().any(), "two rows of one moment"

    def runs_are_whole(self, connection: psycopg.Connection, open_runs: Collection[int]) -> None:
        """I4, I5: every row is of a run that committed, which wrote as many as it says; no other left a trace."""
        runs = {
            run: (status, counts)
            for run, status, counts in connection.execute("SELECT id, status, counts FROM scrape_runs").fetchall()
        }
        left_open = {run for run, (status, _) in runs.items() if status in ("pending", "running")}
        assert left_open <= set(open_runs), f"runs left open: {sorted(left_open - set(open_runs))}"
        committed = {run: counts for run, (_, counts) in runs.items() if counts is not None}
        assert not left_open & committed.keys()
        written = dict(self.rows.group_by("run_id").len().iter_rows())
        assert written.keys() <= committed.keys(), "history of a run that did not commit (I4)"
        for run, counts in committed.items():
            if all(date.fromisoformat(day) >= self.first_day for day in counts["days"]):
                assert written.get(run, 0) == counts["inserted_history"], f"run {run} says {counts} (I4)"
        for table in ("scrape_coverage", "archive_files"):
            traces = connection.execute(f"SELECT DISTINCT run_id FROM {table} WHERE run_id IS NOT NULL".encode())
            assert {run for (run,) in traces} <= committed.keys(), f"{table} of a run that did not commit (I4)"

    def named_files_are_there(self, connection: psycopg.Connection) -> None:
        """Every file that counts is whole: the newest two, and some that are drawn."""
        for kind in ("observations", "coverage", "state", "history"):
            files = sorted(named_files(connection, kind), key=lambda file: file.id)
            for file in {*files[-2:], *self.draw.sample(files, min(2, len(files)))}:
                self.archive.require(file.written)

    def what_is_gone_was_proven_gone(self, connection: psycopg.Connection) -> None:
        """I3, in the newest run and in one that is drawn: the coverage that it archived proves each market gone."""
        coverage = {file.run_id: file for file in named_files(connection, "coverage")}
        rows = self.rows.filter(_is_unavailable() & pl.col("run_id").is_in(list(coverage)))
        runs = rows["run_id"].unique().sort().to_list()
        for run in {*runs[-1:], *self.draw.sample(runs, min(1, len(runs)))}:
            self._assert_proven(connection, coverage[run], rows.filter(pl.col("run_id") == run))

    def _assert_proven(self, connection: psycopg.Connection, file: NamedFile, gone: pl.DataFrame) -> None:
        listings = connection.execute(
            """
            SELECT DISTINCT bookmaker.slug, listing.external_event_id, listing.kickoff, gone.at
            FROM unnest(%s::int[], %s::timestamptz[]) AS gone (market_id, at)
            JOIN markets AS market ON market.id = gone.market_id
            JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id
            JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
            """,
            [gone["market_id"].to_list(), gone["captured_at"].to_list()],
        )
        answers = self.archive.read(file.path).select("bookmaker", "external_event_id", "status").iter_rows()
        said = {(bookmaker, event): status for bookmaker, event, status in answers}
        for bookmaker, event, kickoff, gone_at in listings.fetchall():
            if kickoff is not None and gone_at >= kickoff:
                continue  # a match that has kicked off is no longer offered, whatever was answered
            proof = said.get((bookmaker, event), said.get((bookmaker, None)))
            is_proof = proof in (AnswerStatus.COMPLETE, AnswerStatus.STARTED)
            assert is_proof, f"run {file.run_id} retired markets of {bookmaker} {event}, which was {proof} (I3)"

    def _some(self, frame: pl.DataFrame) -> list[dict[str, Any]]:
        places = self.draw.sample(range(frame.height), min(_LOOKED_AT, frame.height))
        return frame[places].to_dicts()


def _is_unavailable() -> pl.Expr:
    """Whether a state is that of a market that is gone."""
    return pl.col("state").bin.slice(0, 1).is_in([bytes([UNAVAILABLE]), bytes([UNAVAILABLE | WIDE])])


def _first_day_held(database: Database) -> date:
    """The first UTC day after those that have left PostgreSQL."""
    with database.connect() as connection:
        retired = [file.last_day for file in named_files(connection, "history")]
    return max(retired) + timedelta(days=1) if retired else date.min


def _held_rows(database: Database) -> pl.DataFrame:
    with database.connect() as connection:
        rows = read_history(connection, between(_first_day_held(database), date.max))
    return rows.sort("market_id", "captured_at")


def _current(database: Database) -> pl.DataFrame:
    """Current whole, sorted by market: ``keys`` are the outcome set's."""
    return database.read_frame(
        """
        SELECT current.market_id, current.captured_at, current.run_id, current.state, current.fingerprint,
               current.unavailable_at, current.last_seen_at, odds_is_unavailable(current.state) AS is_unavailable,
               outcome_set.keys
        FROM current_odds AS current JOIN markets AS market ON market.id = current.market_id
        JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
        ORDER BY current.market_id
        """
    )
