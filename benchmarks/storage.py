"""What a day of cycles leaves on the disk, in every tier, measured on a tenth of each scale and extrapolated.

A tenth of the events, every market of them, ``CHANGED_SHARE`` changed in each cycle. The first cycle's rows (first
sightings) are counted apart; the rest is the growth of a day. The archive's files of a cycle are measured at the
scale's own number of rows, because small files are mostly footers; and of a simulated world, whose words and prices are
like real ones. Dagster's share is what its runs leave behind, which does not depend on the scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.database.write import write_cycle
from odds_pipeline.days.compact import compact_days
from odds_pipeline.settings import Settings

from .measure import median, say
from .offers import CHANGED_SHARE, CYCLES_A_DAY, SCALES, Scale, cycle_at, prepared, stage
from .scratch import running, scratch_database, scratch_directory, total_size, wal_position
from .simulated import FileBytes, file_bytes

CYCLES = 40
_CYCLES_OF = {"XL": 12}
_IDLE_CYCLES = 4
_SHRUNK = 10
_DAGSTER_BYTES_A_CYCLE = 134_000
"""What a cycle leaves in Dagster's storage after its first pruning, with its share of reports, profiles and indexes
(``benchmarks/own_storage.py``); what is pruned before that comes on top, for some hours."""

_ARCHIVED_BYTES_A_ROW = 9.6
"""Of a whole simulated day in the history archive, with its first sightings (``benchmarks/own_storage.py``)."""

_STATE_BYTES_A_MARKET = 8.2
"""Of the state of a simulated market."""

_LIMIT_MB = 200
_SMALLEST_SAVING = 0.95
_LARGEST_GROWTH = 360_000

_HISTORY = "odds_history"
_CURRENT = ("current_odds", "markets", "listing_state", "events", "event_bookmakers", "outcome_sets", "market_sources")
_RUNS = ("scrape_runs", "scrape_errors", "scrape_coverage", "archive_files")
_SETTINGS = Settings()
_DAY = cycle_at(0).date()


@dataclass(frozen=True, slots=True)
class _Cycle:
    """What one cycle wrote: history rows, bytes of write-ahead log."""

    rows: int
    wal: int


@dataclass(frozen=True, slots=True)
class _Closed:
    """Bytes of a day's history in PostgreSQL as it was written, and once the day is over."""

    loose: int
    packed: int


@dataclass(frozen=True, slots=True)
class _Measured:
    """What cycles of a tenth of the scale left: by table before and after those that changed something, in bytes."""

    first: _Cycle
    changes: list[_Cycle]
    idle: list[_Cycle]
    before: dict[str, int]
    after: dict[str, int]
    closed: _Closed


def run(scale_name: str) -> None:
    """Measure at one scale and print; the limits are those of scale S."""
    scale = SCALES[scale_name]
    small = scale.shrunk(_SHRUNK)
    with scratch_directory() as directory, scratch_database(directory) as database:
        files = file_bytes(directory, database)
    with scratch_directory() as directory, scratch_database(directory) as database:
        found = _measured(small, directory, database, _CYCLES_OF.get(scale_name, CYCLES))
    _say(scale, small, found, files)


def _measured(small: Scale, directory: Path, database: Database, cycles: int) -> _Measured:
    first = _cycle(small, directory, database, 0)
    _settle(database)
    before = _sizes(database)
    changes = [_cycle(small, directory, database, number) for number in range(1, cycles + 1)]
    _settle(database)
    after = _sizes(database)
    idle = [_cycle(small, directory, database, cycles + n, moved_until=cycles) for n in range(1, _IDLE_CYCLES + 1)]
    _require_counted(database)
    return _Measured(first, changes, idle, before, after, _close(database))


def _cycle(
    scale: Scale,
    directory: Path,
    database: Database,
    number: int,
    *,
    moved_until: int | None = None,
) -> _Cycle:
    staging = stage(scale, directory / "staging", number, moved_until=moved_until)
    run_id = running(database, number, _SETTINGS)
    answers = prepared(staging, number)
    with database.connect(autocommit=True) as connection:
        began = wal_position(connection)
        record = write_cycle(
            database, _archive(directory), answers, run_id=run_id, settings=_SETTINGS, now=answers.as_of
        )
        wal = wal_position(connection) - began
    staging.remove()
    return _Cycle(record.inserted_history, wal)


def _archive(directory: Path) -> Archive:
    return Archive(directory / "archive")


def _settle(database: Database) -> None:
    """What autovacuum does within minutes."""
    with database.connect(autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _sizes(database: Database) -> dict[str, int]:
    """Bytes by table, indexes and TOAST included."""
    with database.connect() as connection:
        return {table: total_size(connection, table) for table in (_HISTORY, *_CURRENT, *_RUNS)}


def _require_counted(database: Database) -> None:
    """Stop unless the view shows as many rows as the runs say that they wrote."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM market_odds_history), sum((counts ->> 'inserted_history')::bigint)::bigint "
            "FROM scrape_runs WHERE counts IS NOT NULL"
        ).fetchone()
    assert row is not None
    if row[0] != row[1]:
        raise SystemExit(f"the view shows {row[0]:,} rows of history, the cycles wrote {row[1]:,}")


def _close(database: Database) -> _Closed:
    """End the day, as retention does."""
    with database.connect(autocommit=True) as connection:
        partition = next(each for each in list_partitions(connection) if each.first_day == _DAY)
        connection.execute("VACUUM ANALYZE")
        loose = total_size(connection, partition.name)
        compact_days(database, before=_DAY + timedelta(days=1))
        connection.execute("VACUUM ANALYZE")
        return _Closed(loose, total_size(connection, partition.name))


def _say(scale: Scale, small: Scale, found: _Measured, files: FileBytes) -> None:
    up = scale.total / small.total
    a_day = CYCLES_A_DAY / len(found.changes)
    written = sum(cycle.rows for cycle in found.changes)
    rows, snapshots = written * up * a_day, scale.total * CYCLES_A_DAY
    saving = 1 - rows / snapshots
    grown = {table: (found.after[table] - found.before[table]) * a_day for table in found.after}
    as_written = grown[_HISTORY] / a_day / written
    packed = as_written * found.closed.packed / found.closed.loose
    a_cycle, answers = scale.total * CHANGED_SHARE, scale.events * len(scale.markets)
    observed, covered = files.observations(a_cycle), files.coverage(answers)
    states = scale.total * _STATE_BYTES_A_MARKET
    parts = {
        "history, packed once the day is over": packed * rows,
        # Coverage and runs are rows of a run, not of a market: they do not grow with the scale.
        "runs, their coverage, names of files": sum(grown[table] for table in _RUNS),
        # What current holds back for rewritten rows is reached once and stays.
        "growth of current": sum(found.after[table] - found.before[table] for table in _CURRENT) * up,
        "observation archive": observed * CYCLES_A_DAY,
        "coverage archive": covered * CYCLES_A_DAY,
        "state archive": states,
        "Dagster": _DAGSTER_BYTES_A_CYCLE * CYCLES_A_DAY,
    }
    total_mb = sum(parts.values()) / 1e6
    say(f"storage at scale {scale.name}, from {len(found.changes)} cycles of {small.total:,} markets")
    say(f"| | {scale.name} |\n|---|---|")
    _row("markets", f"{scale.total:,}")
    _row("history rows a day, beside first sightings", f"{rows:,.0f}")
    _row("as snapshots", f"{snapshots:,}")
    _row("fewer", f"{saving:.1%}")
    _row(
        "bytes of a history row, as written / packed / archived",
        f"{as_written:.1f} / {packed:.1f} / {_ARCHIVED_BYTES_A_ROW:.1f}",
    )
    _row("bytes of a change in the observation archive", f"{observed / a_cycle:.1f}")
    _row("bytes of an answer in the coverage archive", f"{covered / answers:.1f}")
    wal = [median([cycle.wal for cycle in cycles]) * up / 1e6 for cycles in (found.changes, found.idle)]
    _row("WAL of a cycle, 5 % changed / idle", f"{wal[0]:.2f} MB / {wal[1]:.2f} MB")
    for name, size in parts.items():
        _row(name, f"{size / 1e6:.1f} MB")
    _row("**all in, a day**", f"**{total_mb:.0f} MB**")
    later_mb = _ARCHIVED_BYTES_A_ROW * rows / 1e6
    _row("of which stays for good, once the day is retired", f"{later_mb:.0f} MB")
    _row("held once (current, markets, words, first sightings)", f"{sum(found.before.values()) * up / 1e6:.0f} MB")
    if scale.name == "S":
        kept = round(saving, 9) >= _SMALLEST_SAVING and round(rows) <= _LARGEST_GROWTH and total_mb < _LIMIT_MB
        say(
            f"R15 at S: at least {_SMALLEST_SAVING:.0%} fewer rows, at most {_LARGEST_GROWTH:,} a day, "
            f"under {_LIMIT_MB} MB: {'kept' if kept else 'BROKEN'}"
        )
        if not kept:
            raise SystemExit(1)


def _row(name: str, value: str) -> None:
    say(f"| {name} | {value} |")
