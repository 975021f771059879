"""The storage profile: where the bytes of a database are, and of everything that belongs to the pipeline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from odds_pipeline.archive.store import Archive
from odds_pipeline.clock import require_utc
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage.archives import archives_of
from odds_pipeline.storage.column_readers import with_readers
from odds_pipeline.storage.growth import growth_by_ages
from odds_pipeline.storage.measured import DatabaseProfile, Part, StorageProfile, Table
from odds_pipeline.storage.offered import events_a_day
from odds_pipeline.storage.outcome_items import with_item_keys
from odds_pipeline.storage.packed_rows import with_changes
from odds_pipeline.storage.policies import kept
from odds_pipeline.storage.relations import catalogued_relations, require_schema
from odds_pipeline.storage.repeats import repeats
from odds_pipeline.storage.samples import growth_of_samples
from odds_pipeline.storage.server import describe_server
from odds_pipeline.storage.session import measuring
from odds_pipeline.storage.sizes import with_sizes
from odds_pipeline.storage.tables import tables_of
from odds_pipeline.storage.turnover import turnover


def profile_database(database: Database, *, name: str, now: datetime, schema: str | None = None) -> DatabaseProfile:
    """Measure one database of PostgreSQL 15 or newer: ``schema``'s tables, or all that are not PostgreSQL's own.

    Writes nothing, so a replica will do, and any role. Reads a bounded number of pages of each table, a small lot in
    each statement; waits 100 ms at most for a table that somebody holds exclusively, and stands in nobody's way for
    longer than a statement of ours lasts, a second at most. Raises ``NoSuchSchema``, and ``psycopg.OperationalError``
    when the server does not answer.
    """
    started = time.monotonic()
    with measuring(database) as connection:
        if schema is not None:
            require_schema(connection, schema)
        server = describe_server(connection)
        relations = with_sizes(connection, catalogued_relations(connection, schema))
        tables = tables_of(connection, relations, now=require_utc(now), is_replica=server.is_replica)
        profile = DatabaseProfile(
            name=name,
            server_version=server.version,
            is_replica=server.is_replica,
            total_bytes=server.total_bytes if schema is None else _of_tables(tables),
            tables=tables,
            wal=server.wal,
            scans_since=server.scans_since,
            extensions=server.extensions,
            can_lz4=server.can_lz4,
            events_a_day=events_a_day(connection, tables, now=now),
        )
        profile = with_readers(connection, replace(profile, repeats=repeats(connection, profile)))
        profile = with_changes(connection, with_item_keys(connection, profile))
    return replace(profile, seconds=time.monotonic() - started)


def _of_tables(tables: Sequence[Table]) -> int:
    return sum(table.total_bytes for table in tables if table.kind != "partition")


def storage_profile(
    odds: Database, *, dagster: Database | None, archive: Archive | None, settings: Settings, now: datetime
) -> StorageProfile:
    """Measure what belongs to the pipeline: both databases and the archive's files that count.

    Growth is that between stored samples where two lie far enough apart, else by the ages of rows. An odds database
    that was never migrated has neither samples nor cycles nor policies. Raises ``psycopg.OperationalError`` when a
    server does not answer.
    """
    databases = [profile_database(odds, name="odds", now=now)]
    is_migrated = databases[0].table("storage_samples") is not None
    if dagster is not None:
        databases.append(profile_database(dagster, name="dagster", now=now))
    archives = archives_of(odds) if archive is not None else None
    unmeasured: dict[Part, bool] = {"dagster": dagster is None, "archive": archives is None}
    sampled = growth_of_samples(odds, now=now) if is_migrated else None
    return StorageProfile(
        measured_at=now,
        databases=tuple(databases),
        archives=archives or (),
        policies=kept(odds, databases[0], archives or (), settings=settings, now=now),
        turnover=turnover(odds, now=now) if is_migrated else None,
        growth=sampled or growth_by_ages(databases, now=now),
        unmeasured=tuple(part for part, is_missing in unmeasured.items() if is_missing),
    )


def foreign_profile(database: Database, *, schema: str | None, now: datetime) -> StorageProfile:
    """Measure a database that is not the pipeline's: ``schema``'s tables, or all. Raises as ``profile_database``."""
    profile = profile_database(database, name=str(database.url.database), now=now, schema=schema)
    return StorageProfile(measured_at=now, databases=(profile,), growth=growth_by_ages([profile], now=now))
