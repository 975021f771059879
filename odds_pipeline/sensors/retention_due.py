"""The sensor that has retention applied once a UTC day, and again an hour after a run in which something was amiss.

At once when a day is half detached: until retention puts that right, questions about it are refused.
"""

from datetime import UTC, datetime, time, timedelta

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days.retention import last_run
from odds_pipeline.jobs import retention
from odds_pipeline.sensors.ahead import is_ahead
from odds_pipeline.sensors.unfinished import unfinished_runs
from odds_pipeline.settings import Settings

_AGAIN_AFTER = timedelta(hours=1)


@dg.sensor(
    job=retention,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches retention once a day, soon after midnight UTC; an hour after a run that failed, again.",
)
def retention_due(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.RunRequest | dg.SkipReason:
    """Look at the last run, whoever started it."""
    now = clock.now()
    # Cycles that began before midnight may still write into the day that has ended.
    today = (now - settings.midnight_grace).date()
    if unfinished_runs(context.instance, retention.name):
        return dg.SkipReason("a run of retention is under way")
    last = last_run(database)
    if last is None or is_ahead(last.started_at, now) or last.started_at.date() < today:
        return dg.RunRequest()
    if last.status == "completed":
        if _is_half_detached(database):
            return dg.RunRequest()
        due = datetime.combine(today + timedelta(days=1), time(), UTC) + settings.midnight_grace
        return dg.SkipReason(
            f"the last run began at {last.started_at:%Y-%m-%d %H:%M} UTC; the next is due at {due:%Y-%m-%d %H:%M}"
        )
    if now < last.started_at + _AGAIN_AFTER:
        return dg.SkipReason(
            f"the last run failed ({last.error_message}); the next try is due at "
            f"{last.started_at + _AGAIN_AFTER:%H:%M:%S} UTC"
        )
    return dg.RunRequest()


def _is_half_detached(database: Database) -> bool:
    with database.borrow() as connection:
        return any(partition.is_detaching for partition in list_partitions(connection))
