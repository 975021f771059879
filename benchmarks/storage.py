"""What a day of cycles leaves on the disk, measured on a tenth of each scale and extrapolated.

A tenth of the events, every market of them, ``CHANGED_SHARE`` changed in each cycle. The first cycle's rows (first
sightings) are counted apart; the rest is the growth of a day. Dagster's share is what its runs leave behind, which does
not depend on the scale.
"""

from __future__ import annotations

from pathlib import Path

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.write import write_cycle
from odds_pipeline.settings import Settings

from .measure import say
from .offers import CYCLES_A_DAY, SCALES, Scale, prepared, stage
from .scratch import running, scratch_database, scratch_directory, total_size

CYCLES = 40
_SHRUNK = 10
_DAGSTER_BYTES_A_CYCLE = 238_000
"""What a day leaves in Dagster's storage before any of it is pruned, by its cycles (``benchmarks/own_storage.py``): 214
kB of a cycle itself, the rest of reports, profiles and ticks."""

_LIMIT_MB = 200
_SMALLEST_SAVING = 0.95
_LARGEST_GROWTH = 360_000

_HISTORY = "odds_history"
_CURRENT = ("current_odds", "markets", "listing_state", "events", "event_bookmakers", "outcome_sets", "market_sources")
_RUNS = ("scrape_runs", "scrape_errors", "scrape_coverage")
_SETTINGS = Settings()


def run(scale_name: str) -> None:
    """Measure at one scale and print; the limits are those of scale S."""
    scale = SCALES[scale_name]
    with scratch_directory() as directory, scratch_database(directory) as database:
        staging_root = directory / "staging"
        small = scale.shrunk(_SHRUNK)
        first = _cycle(small, staging_root, database, 0)
        _settle(database)
        before = _sizes(database)
        changes = [_cycle(small, staging_root, database, number) for number in range(1, CYCLES + 1)]
        _settle(database)
        _say(scale, small, first, changes, before, _sizes(database))


def _cycle(scale: Scale, staging_root: Path, database: Database, number: int) -> int:
    staging = stage(scale, staging_root, number)
    run_id = running(database, number, _SETTINGS)
    answers = prepared(staging, number)
    record = write_cycle(
        database, Archive(staging_root / "archive"), answers, run_id=run_id, settings=_SETTINGS, now=answers.as_of
    )
    staging.remove()
    return record.inserted_history


def _settle(database: Database) -> None:
    """What autovacuum does within minutes."""
    with database.connect(autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _sizes(database: Database) -> dict[str, int]:
    """Bytes by table, indexes and TOAST included."""
    with database.connect() as connection:
        return {table: total_size(connection, table) for table in (_HISTORY, *_CURRENT, *_RUNS)}


def _say(
    scale: Scale, small: Scale, first: int, changes: list[int], before: dict[str, int], after: dict[str, int]
) -> None:
    up = scale.total / small.total
    a_day = CYCLES_A_DAY / CYCLES
    rows = sum(changes) * up * a_day
    snapshots = scale.total * CYCLES_A_DAY
    grown = {table: (after[table] - before[table]) * a_day for table in after}
    history = grown[_HISTORY] * up
    # Coverage and runs are rows of a run, not of a market: they do not grow with the scale.
    runs = sum(grown[table] for table in _RUNS)
    # What current holds back for rewritten rows is reached once and stays.
    current = sum(after[table] - before[table] for table in _CURRENT) * up
    dagster = _DAGSTER_BYTES_A_CYCLE * CYCLES_A_DAY
    total_mb = (history + runs + current + dagster) / 1e6
    saving = 1 - rows / snapshots
    say(f"storage at scale {scale.name} ({scale.total:,} markets), from {CYCLES} cycles of {small.total:,} markets")
    say(
        f"  history rows a day: {rows:,.0f} against {snapshots:,} as snapshots, {saving:.1%} fewer; "
        f"first sightings {first * up:,.0f} once"
    )
    say(
        f"  bytes a day: history {history / 1e6:.1f} MB ({history / rows:.0f} bytes a row), runs {runs / 1e6:.1f} MB, "
        f"growth of current {current / 1e6:.1f} MB, Dagster {dagster / 1e6:.1f} MB; all in {total_mb:.0f} MB"
    )
    say(f"  held once, by first sightings: {sum(before.values()) * up / 1e6:.0f} MB")
    if scale.name == "S":
        kept = round(saving, 9) >= _SMALLEST_SAVING and round(rows) <= _LARGEST_GROWTH and total_mb < _LIMIT_MB
        say(
            f"  R15 at S: at least {_SMALLEST_SAVING:.0%} fewer rows, at most {_LARGEST_GROWTH:,} a day, "
            f"under {_LIMIT_MB} MB: {'kept' if kept else 'BROKEN'}"
        )
        if not kept:
            raise SystemExit(1)
