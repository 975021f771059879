"""The sensor that has PostgreSQL's partitions of history made before the days that need them (B-52)."""

from datetime import timedelta

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import missing_days
from odds_pipeline.jobs import history_partitions
from odds_pipeline.sensors.unfinished import unfinished_runs
from odds_pipeline.settings import Settings


@dg.sensor(
    job=history_partitions,
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches the making of history's partitions when one of the days ahead has none.",
)
def partitions_ahead(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.RunRequest | dg.SkipReason:
    """Look at today and the days ahead."""
    today = clock.now().date()
    last = today + timedelta(days=settings.partition_days_ahead)
    with database.connect() as connection:
        missing = missing_days(connection, today, last)
    if not missing:
        return dg.SkipReason(f"every day from {today} to {last} has its partition")
    if unfinished_runs(context.instance, history_partitions.name):
        return dg.SkipReason("a run that makes the missing partitions is under way")
    return dg.RunRequest()
