"""The sensor that has Dagster's storage pruned at its interval, and again soon when there was more than time for."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.jobs import dagster_pruning
from odds_pipeline.metadata import DAGSTER_PRUNING
from odds_pipeline.sensors.ahead import is_ahead
from odds_pipeline.sensors.unfinished import unfinished_runs
from odds_pipeline.settings import Settings

_GO_ON_AFTER = timedelta(minutes=5)
"""Pause before the next one when there is more to do."""

_AGAIN_AFTER = timedelta(hours=1)
"""Pause after a run that failed, at most the interval."""


@dg.sensor(
    job=dagster_pruning,
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches the pruning of Dagster's own storage every ODDS_DAGSTER_PRUNE_INTERVAL.",
)
def pruning_due(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
) -> dg.RunRequest | dg.SkipReason:
    """At most one run at once. No ``run_key``: Dagster would never try again what has failed."""
    if unfinished_runs(context.instance, dagster_pruning.name):
        return dg.SkipReason("a pruning is under way")
    now = clock.now()
    waits = [
        wait
        for wait in (
            _after_pruning(context.instance, settings.dagster_prune_interval, now),
            _after_launch(context.instance, settings.dagster_prune_interval, now),
        )
        if wait is not None
    ]
    if waits:
        due, why = max(waits)
        if now < due:
            return dg.SkipReason(f"the next pruning is due at {due:%H:%M:%S} UTC: {why}")
    return dg.RunRequest()


def _after_pruning(instance: dg.DagsterInstance, interval: timedelta, now: datetime) -> tuple[datetime, str] | None:
    """When the next is due after the newest one, whoever made it."""
    records = instance.fetch_materializations(DAGSTER_PRUNING, limit=1).records
    if not records or (materialization := records[0].asset_materialization) is None:
        return None
    pruned_at = datetime.fromtimestamp(records[0].timestamp, UTC)
    if is_ahead(pruned_at, now):
        return None
    is_complete = materialization.metadata.get("is_complete")  # missing in one that was reported by hand
    if is_complete is not None and is_complete.value:
        return pruned_at + interval, f"the last one was at {pruned_at:%H:%M:%S} UTC"
    return pruned_at + min(_GO_ON_AFTER, interval), f"the last one, at {pruned_at:%H:%M:%S} UTC, left something over"


def _after_launch(instance: dg.DagsterInstance, interval: timedelta, now: datetime) -> tuple[datetime, str] | None:
    """When the next is due after the newest launch, if that failed."""
    newest = instance.get_run_records(dg.RunsFilter(job_name=dagster_pruning.name), limit=1)
    if not newest or newest[0].dagster_run.is_success:
        return None
    launched_at = newest[0].create_timestamp
    if is_ahead(launched_at, now):
        return None
    return launched_at + min(_AGAIN_AFTER, interval), f"the run of {launched_at:%H:%M:%S} UTC failed"
