"""What a launch of the odds assets means: a cycle, a rebuild of days or of current, or nothing, said in a sentence.

Untouched, Dagster would run a whole cycle for each past day of a backfill, and mark those days as materialized with
today's odds. So each step asks here first, before any bookmaker is asked for anything.
"""

from collections.abc import Set
from datetime import datetime, timedelta
from enum import Enum, auto

import dagster as dg

from odds_pipeline.metadata import CHANGES, CURRENT, HISTORY
from odds_pipeline.partitions import is_open, partition_of

CYCLE_JOB = "odds_cycle"
_WRITTEN = frozenset({CHANGES, CURRENT, HISTORY})


class Launch(Enum):
    """What a run of the odds assets is to do."""

    CYCLE = auto()
    REBUILD_DAYS = auto()
    REBUILD_CURRENT = auto()


class LaunchRefused(dg.Failure):
    """This selection of assets and partitions means nothing; the message says what to launch instead."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description, allow_retries=False)


def meaning(selected: Set[dg.AssetKey], partitions: tuple[str, str] | None, *, now: datetime) -> Launch:
    """Decide what a run may do.

    ``selected``: all assets of the run; ``partitions``: the first and last day it was launched for, None without any.
    Raises ``LaunchRefused``.
    """
    written = selected & _WRITTEN
    is_scraping = any(key.path[-1] == "observations" for key in selected)
    if written == {CURRENT} and not is_scraping:
        return Launch.REBUILD_CURRENT
    if written == {HISTORY} and not is_scraping:
        if partitions is None:
            raise LaunchRefused(
                "odds/history alone rebuilds days, and this run names none. Launch it for a day or a range of days; "
                f"to append what changes now, launch {CYCLE_JOB} for {partition_of(now)}."
            )
        return Launch.REBUILD_DAYS
    if written == {CURRENT, HISTORY}:
        raise LaunchRefused(
            "odds/current and odds/history without odds/changes of the same run: there is nothing to write. "
            f"Launch {CYCLE_JOB} for {partition_of(now)}, odds/history alone to rebuild days from the archive, or "
            "odds/current alone to rebuild it from history."
        )
    if written != _WRITTEN or not is_scraping:
        raise LaunchRefused(
            "A cycle scrapes, compares and writes in one run: select at least one bookmaker's observations together "
            f"with odds/changes, odds/current and odds/history, or launch {CYCLE_JOB} for {partition_of(now)}."
        )
    return Launch.CYCLE


def require_today(partitions: tuple[str, str] | None, *, now: datetime, grace: timedelta) -> None:
    """Raise ``LaunchRefused`` unless a cycle that begins ``now`` was launched for today.

    Asked before anything is scraped, and not again: what a long cycle has scraped is written however late it is.
    """
    instead = f"Launch {CYCLE_JOB} for {partition_of(now)}"
    if partitions is None:
        raise LaunchRefused(f"A cycle belongs to the day it runs in, and this run names none. {instead}.")
    first, last = partitions
    rebuild = "to rebuild past days from the archive, launch odds/history alone"
    if first != last:
        raise LaunchRefused(f"A cycle scrapes the present; it cannot fill {first} to {last}. {instead}; {rebuild}.")
    if not is_open(first, now=now, grace=grace):
        raise LaunchRefused(f"A cycle scrapes the present; it cannot fill {first}. {instead}; {rebuild}.")


def launched_partitions(context: dg.AssetExecutionContext) -> tuple[str, str] | None:
    """The first and last day that a run was launched for, None if it has no partition."""
    tags = context.run.tags
    if (first := tags.get("dagster/asset_partition_range_start")) is not None:
        return first, tags["dagster/asset_partition_range_end"]
    return (context.partition_key, context.partition_key) if context.has_partition_key else None


def launched_assets(context: dg.AssetExecutionContext) -> Set[dg.AssetKey]:
    """All assets that the run is to materialize, those of other steps included."""
    return context.job_def.asset_layer.selected_asset_keys
