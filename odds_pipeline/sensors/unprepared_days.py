"""The sensor that has made what the days of history need: partitions ahead (B-52), and the states they began with."""

from datetime import timedelta

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import missing_days
from odds_pipeline.days.opening import states_wanted
from odds_pipeline.jobs import prepare_days
from odds_pipeline.partitions import begun_day
from odds_pipeline.sensors.unfinished import unfinished_runs
from odds_pipeline.settings import Settings


@dg.sensor(
    job=prepare_days,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches the preparation of days when one ahead lacks its partition, or one that has begun its state.",
)
def unprepared_days(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.RunRequest | dg.SkipReason:
    """Look at the days ahead, and at those whose state may be archived: cycles no longer begin before them."""
    now = clock.now()
    last = now.date() + timedelta(days=settings.partition_days_ahead)
    begun = begun_day(now, grace=settings.midnight_grace)
    with database.connect() as connection:
        missing = missing_days(connection, now.date(), last) or states_wanted(connection, begun)
    if not missing:
        return dg.SkipReason(f"every day until {last} has its partition, and every one until {begun} its state")
    if unfinished_runs(context.instance, prepare_days.name):
        return dg.SkipReason("a run that prepares days is under way")
    return dg.RunRequest()
