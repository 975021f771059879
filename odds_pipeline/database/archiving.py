"""What a cycle leaves in the observation archive: collected while it is written, named by the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import TracebackType
from typing import Self

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.archive.observations import CycleFiles
from odds_pipeline.archive.store import Archive, ArchivedFile
from odds_pipeline.database.archived_files import Kind, claim_archive, name_file, stale_states
from odds_pipeline.database.engine import Database
from odds_pipeline.odds.answers import Answers
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA


class CycleArchive:
    """The two archive files of one run, as a context manager that leaves nothing in the archive unless it finishes."""

    def __init__(self, database: Database, archive: Archive, answers: Answers, *, run_id: int) -> None:
        self._database, self._archive, self._answers, self._run_id = database, archive, answers, run_id
        self._files = CycleFiles(archive, cycle_at=answers.cycle_at, run_id=run_id)
        self._pending = self._files.observations()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pending.__exit__(kind, error, trace)

    def add(self, rows: pl.DataFrame) -> None:
        """Take in observations (``OBSERVATION_SCHEMA``) that were applied."""
        self._pending.append(rows)

    def add_vanished(self, gone: pl.DataFrame) -> None:
        """Take in markets (market_id, captured_at) that were marked unavailable, as rows without outcomes."""
        if not gone.is_empty():
            self._pending.append(self._vanished(gone))

    def begin_again(self) -> None:
        """Let go of everything taken in: it was rolled back."""
        self._pending.__exit__(None, None, None)
        self._pending = self._files.observations()

    def claim(self, connection: psycopg.Connection) -> None:
        """Make sure that the archive is this database's own. Raises ``ArchiveUnusable``, ``ArchiveOfAnother``."""
        claim_archive(connection, self._archive)

    def write(self) -> dict[Kind, ArchivedFile]:
        """Write both files of an archive that is claimed, which nothing names yet; uses no connection of the caller's.

        Raises ``ArchiveUnusable``.
        """
        return {
            "observations": self._pending.finish(),
            "coverage": self._files.write_coverage(self._answers.coverage),
        }

    def name(self, connection: psycopg.Connection, files: Mapping[Kind, ArchivedFile], days: set[date]) -> None:
        """Let the files count from the commit on. ``days``: UTC days in which history got rows."""
        first, last = (pick(days or {self._answers.cycle_at.date()}) for pick in (min, max))
        for kind, file in files.items():
            name_file(connection, kind, file, first, last, run_id=self._run_id)
        stale_states(connection, days)

    def _vanished(self, gone: pl.DataFrame) -> pl.DataFrame:
        query = sql.SQL(
            """
            SELECT market.id AS market_id, bookmaker.slug AS bookmaker, listing.external_event_id,
                   listing.sportradar_id, sport.name AS sport, tournament.country, tournament.name AS tournament,
                   listing.home_team, listing.away_team, listing.kickoff,
                   type.betpawa_market_id, label.name AS betpawa_market_name,
                   source.source_market_id, source.source_specifier,
                   market.line::text, market.handicap_home::text, market.handicap_away::text, label.handicap_type
            FROM markets AS market
            JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id
            JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
            JOIN tournaments AS tournament ON tournament.id = listing.tournament_id
            JOIN sports AS sport ON sport.id = tournament.sport_id
            JOIN market_types AS type ON type.id = market.market_type_id
            JOIN market_labels AS label ON label.id = market.label_id
            JOIN market_sources AS source ON source.id = market.source_id
            WHERE market.id = ANY ({})
            """
        )
        words = self._database.read_frame(query.format(sql.Literal(gone["market_id"].to_list())))
        told = words.join(gone.select("market_id", "captured_at"), on="market_id").with_columns(
            cycle_at=pl.lit(self._answers.cycle_at), outcomes=pl.lit([]), market_groups=None
        )
        return told.select(pl.col(name).cast(kind) for name, kind in OBSERVATION_SCHEMA.items())
