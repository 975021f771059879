"""What can be launched: the cycle, what its days need, the refresh of one event, and the jobs of other assets.

The tag ``odds/job`` is what the run queue limits by (dagster.yaml): two cycles never run at once. Pools are not used:
a run that was killed would keep its place in one until a daemon frees it, and the writer's lock is there all the same.
"""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from odds_pipeline.archive.store import Archive
from odds_pipeline.assets.cycle_report import CycleReport
from odds_pipeline.assets.launches import CYCLE_JOB
from odds_pipeline.bookmakers.registry import REGISTRY
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.days.opening import ensure_states
from odds_pipeline.metadata import (
    CHANGES,
    COVERAGE,
    CURRENT,
    DAGSTER_PRUNING,
    HISTORY,
    LEGACY_HISTORY,
    MARGINS,
    RETENTION,
    STORAGE_PROFILE,
    TIME_TO_KICKOFF,
    UNMAPPED,
    observations_key,
)
from odds_pipeline.partitions import begun_day
from odds_pipeline.resources import StagingRoot
from odds_pipeline.scrape import cycle as cycles
from odds_pipeline.settings import Settings


def _tags(job: str) -> Mapping[str, str]:
    return {"odds/job": job}


odds_cycle = dg.define_asset_job(
    CYCLE_JOB,
    selection=dg.AssetSelection.assets(*map(observations_key, REGISTRY), CHANGES, CURRENT, HISTORY),
    tags=_tags("cycle"),
    description="Scrape every bookmaker, compare with current, commit the changes. Launch it for today.",
)

offer_reports = dg.define_asset_job(
    "offer_reports",
    selection=dg.AssetSelection.assets(UNMAPPED, COVERAGE),
    tags=_tags("report"),
    description="Report what is on offer now: who lists which matches, and market types that the catalogue lacks.",
)


day_reports = dg.define_asset_job(
    "day_reports",
    selection=dg.AssetSelection.assets(MARGINS, TIME_TO_KICKOFF),
    tags=_tags("report"),
    description="Report margins, and moves towards kick-off. Launch it for a day or a range of days.",
)


legacy_import = dg.define_asset_job(
    "legacy_import",
    selection=dg.AssetSelection.assets(LEGACY_HISTORY),
    tags=_tags("import"),
    description="Import days of an earlier system into history. Launch it for a day or a range of days.",
)


retention = dg.define_asset_job(
    "retention",
    selection=dg.AssetSelection.assets(RETENTION),
    tags=_tags("retention"),
    description="Move the days that are no longer kept to the archive, and delete what is older than the policy.",
)


storage_profile = dg.define_asset_job(
    "storage_profile",
    selection=dg.AssetSelection.assets(STORAGE_PROFILE),
    tags=_tags("storage"),
    description="Look where the bytes are, keep a sample of the sizes, and open or end alerts about storage.",
)


dagster_pruning = dg.define_asset_job(
    "dagster_pruning",
    selection=dg.AssetSelection.assets(DAGSTER_PRUNING),
    tags=_tags("pruning"),
    description="Delete what Dagster has kept of old runs for longer than the policy.",
)


class RefreshEvent(dg.Config):
    """Which match to ask for (``events.id``), and for whom: ``refresh_requests.id``, if it was asked for over HTTP."""

    event_id: int
    request_id: int | None = None


@dg.op(description="Ask every bookmaker that lists the event for it, and write the answers as a cycle does.")
def refresh(
    context: dg.OpExecutionContext,
    config: RefreshEvent,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
    archive: dg.ResourceParam[Archive],
    staging: dg.ResourceParam[StagingRoot],
) -> None:
    """The same scrape and the same write as a cycle's, for one event (B-44)."""
    try:
        cycle, collected, record = cycles.refresh_event(
            database,
            archive,
            config.event_id,
            settings=settings,
            clock=clock,
            staging_root=staging.path,
            dagster_run_id=context.run_id,
            request_id=config.request_id,
        )
    except cycles.NoSuchEvent as unknown:
        raise dg.Failure(f"{unknown}; give an id of the table events", allow_retries=False) from unknown
    report = CycleReport(database, cycle, record)
    context.log_event(dg.AssetMaterialization(CHANGES, metadata=report.changes()))
    context.log_event(dg.AssetMaterialization(CURRENT, metadata=report.current()))
    for day in report.days():
        context.log_event(dg.AssetMaterialization(HISTORY, partition=day, metadata=report.history(day)))
    silent = sorted(slug for slug, found in collected.items() if found.is_failed)
    context.log.info(
        f"event {config.event_id}: {record.inserted_history} changes; no answer from {', '.join(silent) or 'nobody'}"
        if silent
        else f"event {config.event_id}: {record.inserted_history} changes"
    )


@dg.job(tags=_tags("refresh"))
def refresh_event() -> None:
    """Refresh one event now. Config: `ops: {refresh: {config: {event_id: 1}}}`."""
    refresh()


@dg.op(description="Make the missing partitions from today on, and the missing states of the days that have begun.")
def prepare(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
    archive: dg.ResourceParam[Archive],
) -> None:
    """What is there is left alone, but for states of days before which history has changed."""
    now = clock.now()
    today = now.date()
    with database.connect() as connection:
        made = ensure_partitions(connection, today, today + timedelta(days=settings.partition_days_ahead))
    context.log.info(f"partitions made: {', '.join(made) or 'none were missing'}")
    for state in ensure_states(database, archive, begun_day(now, grace=settings.midnight_grace)):
        context.log.info(
            f"state at the beginning of {state.day}: {state.markets} markets, {state.bytes} bytes, {state.seconds} s"
        )


@dg.job(tags=_tags("days"))
def prepare_days() -> None:
    """Make what the days of history need: PostgreSQL's partitions ahead, and the archived state each day began with."""
    prepare()
