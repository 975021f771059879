"""How large everything was, kept in ``storage_samples``: taken from a profile, read back, the growth between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

import polars as pl
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from odds_pipeline.clock import require_utc
from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import Growth, StorageProfile

_TIME = pl.Datetime("us", "UTC")

#: One row per sample, oldest first. A part that was not measured is null; ``total_bytes`` is then without it.
SAMPLES: Mapping[str, pl.DataType] = {
    "sampled_at": _TIME,
    "total_bytes": pl.Int64(),
    "odds_bytes": pl.Int64(),
    "dagster_bytes": pl.Int64(),
    "archive_bytes": pl.Int64(),
    "wal_bytes": pl.Int64(),
    "wal_since": _TIME,
}

GROWTH_OVER = timedelta(days=7)
"""How far back growth looks."""
GROWTH_FROM = timedelta(hours=1)
"""How far two samples must lie apart to tell of growth."""

# Samples tell of growth only between those of the same parts: an earlier system's have none of them, and a profile that
# was taken without Dagster's database or the archive lacks their bytes.
_NEWEST: LiteralString = """
    SELECT id, sampled_at, total_bytes, odds_bytes, dagster_bytes, archive_bytes, table_sizes FROM storage_samples
    WHERE odds_bytes IS NOT NULL AND sampled_at <= %(now)s ORDER BY sampled_at DESC, id DESC LIMIT 1
"""
_BETWEEN: LiteralString = """
    SELECT id, sampled_at, total_bytes, odds_bytes, dagster_bytes, archive_bytes, table_sizes FROM storage_samples
    WHERE odds_bytes IS NOT NULL AND (dagster_bytes IS NOT NULL OR NOT %(with_dagster)s)
      AND (archive_bytes IS NOT NULL OR NOT %(with_archive)s)
      AND sampled_at BETWEEN %(since)s AND %(until)s
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A row of ``storage_samples``; a part beside the odds database that was not measured is None."""

    id: int
    sampled_at: datetime
    total_bytes: int
    odds_bytes: int
    dagster_bytes: int | None
    archive_bytes: int | None
    table_sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SamplePair:
    """Two samples, of which the later one's parts were all measured in the earlier one too."""

    earlier: Sample
    later: Sample

    @property
    def before(self) -> int:
        """Bytes of the earlier one, of the parts that both have."""
        return self._bytes(self.earlier)

    @property
    def after(self) -> int:
        """Bytes of the later one."""
        return self._bytes(self.later)

    @property
    def apart(self) -> timedelta:
        """The time between them."""
        return self.later.sampled_at - self.earlier.sampled_at

    @property
    def by_table(self) -> Mapping[str, int]:
        """Bytes gained or lost by table, the largest gain first; tables that stayed as they were are left out."""
        before, after = self.earlier.table_sizes, self.later.table_sizes
        gained = {
            table: after.get(table, 0) - before.get(table, 0)
            for table in before.keys() | after.keys()
            if table.partition(".")[0] in self._parts
        }
        ranked = sorted(gained.items(), key=lambda item: (-item[1], item[0]))
        return {table: size for table, size in ranked if size}

    @property
    def _parts(self) -> frozenset[str]:
        return frozenset(part for part, size in _by_part(self.later).items() if size is not None)

    def _bytes(self, sample: Sample) -> int:
        return sum(size or 0 for part, size in _by_part(sample).items() if part in self._parts)


def _by_part(sample: Sample) -> Mapping[str, int | None]:
    return {"odds": sample.odds_bytes, "dagster": sample.dagster_bytes, "archive": sample.archive_bytes}


def take_sample(database: Database, profile: StorageProfile) -> Sample:
    """Keep the sizes of a profile of our own storage as a row of ``storage_samples``; return it."""
    odds, dagster = profile.database("odds"), profile.database("dagster")
    if odds is None:
        raise ValueError("a sample is taken of our own storage; this profile has no database named odds")
    sizes = {each.path_of(table): table.total_bytes for each in profile.databases for table in each.whole_tables}
    sizes |= {f"archive.{each.kind}": each.bytes for each in profile.archives}
    values = {
        "sampled_at": require_utc(profile.measured_at),
        "total_bytes": profile.total_bytes,
        "odds_bytes": odds.total_bytes,
        "dagster_bytes": dagster.total_bytes if dagster else None,
        "archive_bytes": None if "archive" in profile.unmeasured else sum(each.bytes for each in profile.archives),
        "table_sizes": Jsonb(sizes),
        "wal_bytes": odds.wal.bytes if odds.wal else None,
        "wal_since": odds.wal.since if odds.wal else None,
    }
    with database.borrow() as connection, connection.cursor(row_factory=class_row(Sample)) as cursor:
        sample = cursor.execute(
            """
            INSERT INTO storage_samples (sampled_at, total_bytes, odds_bytes, dagster_bytes, archive_bytes, table_sizes,
                                         wal_bytes, wal_since)
            VALUES (%(sampled_at)s, %(total_bytes)s, %(odds_bytes)s, %(dagster_bytes)s, %(archive_bytes)s,
                    %(table_sizes)s, %(wal_bytes)s, %(wal_since)s)
            RETURNING id, sampled_at, total_bytes, odds_bytes, dagster_bytes, archive_bytes, table_sizes
            """,
            values,
        ).fetchone()
    assert sample is not None
    return sample


def samples(database: Database, *, since: datetime) -> pl.DataFrame:
    """The samples from ``since`` on, in ``SAMPLES``. Costs a read of their index and rows: 24 a day at most."""
    frame = database.read_frame(
        """
        SELECT sampled_at, total_bytes, odds_bytes, dagster_bytes, archive_bytes, wal_bytes, wal_since
        FROM storage_samples WHERE sampled_at >= $1 ORDER BY sampled_at, id
        """,
        [require_utc(since)],
    )
    return frame.select(pl.col(name).cast(kind) for name, kind in SAMPLES.items())


def newest_pair(database: Database, *, now: datetime, apart: timedelta) -> SamplePair | None:
    """The newest sample and the newest before it that is at least ``apart`` older; None while there are no two."""
    return _pair(database, now=now, since=None, apart=apart)


def growth_of_samples(database: Database, *, now: datetime) -> Growth | None:
    """Bytes gained per day over the longest stretch of the last 7 days that two samples span.

    From end to end: what retention takes away within the stretch is taken off. None while no two samples of the same
    parts lie an hour apart.
    """
    pair = _pair(database, now=now, since=now - GROWTH_OVER, apart=GROWTH_FROM)
    if pair is None:
        return None
    days = pair.apart / timedelta(days=1)
    return Growth(
        said_by="samples",
        since=pair.earlier.sampled_at,
        until=pair.later.sampled_at,
        bytes_a_day=(pair.after - pair.before) / days,
        by_table={table: gained / days for table, gained in pair.by_table.items()},
    )


def _pair(database: Database, *, now: datetime, since: datetime | None, apart: timedelta) -> SamplePair | None:
    """The newest sample with the oldest one from ``since`` on; without ``since``, with the newest one before it."""
    with database.borrow() as connection, connection.cursor(row_factory=class_row(Sample)) as cursor:
        later = cursor.execute(_NEWEST, {"now": now}).fetchone()
        if later is None:
            return None
        asked = {
            "since": since or datetime.min.replace(tzinfo=later.sampled_at.tzinfo),
            "until": later.sampled_at - apart,
            "with_dagster": later.dagster_bytes is not None,
            "with_archive": later.archive_bytes is not None,
        }
        order: LiteralString = "ORDER BY sampled_at DESC, id DESC" if since is None else "ORDER BY sampled_at, id"
        earlier = cursor.execute(f"{_BETWEEN} {order} LIMIT 1", asked).fetchone()
    return None if earlier is None else SamplePair(earlier, later)
