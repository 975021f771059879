"""Profiles, samples and judgements of storage whose sizes a test says, and reviews of its alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.settings import Settings
from odds_pipeline.storage.alerts import Reviewed, review_alerts
from odds_pipeline.storage.judged import Judgement, Plan, Projection
from odds_pipeline.storage.measured import ArchiveKind, DatabaseProfile, Part, StorageProfile, Table
from odds_pipeline.storage.samples import growth_of_samples, take_sample
from odds_pipeline_tests.database.rows import insert

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MB, GB = 1_000_000, 1_000_000_000
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def profile(
    at: datetime, odds: Mapping[str, int], *, dagster: int | None = 0, archive: int | None = 0
) -> StorageProfile:
    """A profile of these tables of the odds database, Dagster's event log and the observations; in bytes.

    None: not measured.
    """
    databases = [_database("odds", odds)]
    if dagster is not None:
        databases.append(_database("dagster", {"event_logs": dagster}))
    archives = (ArchiveKind("observations", 1, archive, 1, at.date(), at.date()),) if archive else ()
    parts: dict[Part, int | None] = {"dagster": dagster, "archive": archive}
    unmeasured: tuple[Part, ...] = tuple(part for part, size in parts.items() if size is None)
    return StorageProfile(at, tuple(databases), archives, unmeasured=unmeasured)


def _database(name: str, tables: Mapping[str, int]) -> DatabaseProfile:
    return DatabaseProfile(
        name=name,
        server_version="18.4",
        is_replica=False,
        total_bytes=sum(tables.values()),
        tables=tuple(
            Table(
                schema="public",
                name=each,
                kind="table",
                rows=1,
                rows_from="counted",
                heap_bytes=size,
                toast_bytes=0,
                index_bytes=0,
            )
            for each, size in tables.items()
        ),
    )


def judgement(profile: StorageProfile, settings: Settings) -> Judgement:
    """What alerts need of one: the days until the disk is full."""
    growth = profile.growth
    rate = None if growth is None else growth.bytes_a_day
    days = (1e9 * settings.disk_gb - profile.total_bytes) / rate if rate is not None and rate > 0 else None
    return Judgement((), (), (), Plan((), 0, 0, 0, 0), Projection(days, None, rate, None, None))


@dataclass
class Storage:
    """A migrated database whose own sizes are made up: each ``look`` is a profile, its sample and its review."""

    database: Database
    settings: Settings

    def look(self, at: datetime, odds: int, *, dagster: int | None = 20 * MB, archive: int | None = 0) -> Reviewed:
        """What a profile at this moment brings about."""
        seen = profile(at, {"odds_history": odds}, dagster=dagster, archive=archive)
        take_sample(self.database, seen)
        seen = replace(seen, growth=growth_of_samples(self.database, now=at))
        return review_alerts(self.database, seen, judgement(seen, self.settings), settings=self.settings, now=at)

    def maintain(self, at: datetime, *, retains: bool = True) -> None:
        """A day as it should be: a cycle, days ahead, and retention."""
        with self.database.connect() as connection:
            insert(connection, "scrape_runs", trigger="scheduled", status="completed", started_at=at, created_at=at)
            ensure_partitions(connection, at.date(), at.date() + self.settings.partition_days_ahead * DAY)
            if retains:
                retained(self.database, at)


def retained(database: Database, at: datetime, status: str = "completed", error: str | None = None) -> None:
    """A run of retention that ended at that moment."""
    with database.connect() as connection:
        insert(
            connection,
            "cleanup_runs",
            started_at=at,
            completed_at=at,
            trigger="scheduled",
            status=status,
            odds_retention_days=14,
            match_retention_days=14,
            error_message=error,
        )
