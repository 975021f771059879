"""The sensor that has the report of unmapped market types made anew after cycles, not too often."""

from datetime import UTC, datetime

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.health import last_cycle
from odds_pipeline.jobs import unmapped_report
from odds_pipeline.metadata import UNMAPPED
from odds_pipeline.sensors.unfinished import unfinished_runs
from odds_pipeline.settings import Settings


@dg.sensor(
    job=unmapped_report,
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches the report of unmapped market types when a cycle has ended since the last, old enough one.",
)
def unmapped_due(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.RunRequest | dg.SkipReason:
    """Compare the last report with the last cycle."""
    now = clock.now()
    cycle = last_cycle(database, now=now)
    if cycle is None:
        return dg.SkipReason("no cycle has run yet")
    if unfinished_runs(context.instance, unmapped_report.name):
        return dg.SkipReason("a report is under way")
    event = context.instance.get_latest_materialization_event(UNMAPPED)
    if event is None:
        return dg.SkipReason("the first cycle is under way") if cycle.is_open else dg.RunRequest()
    reported_at = datetime.fromtimestamp(event.timestamp, UTC)
    if cycle.started_at + cycle.length <= reported_at:
        return dg.SkipReason(f"no cycle has ended since the last report at {reported_at:%H:%M:%S} UTC")
    if now < reported_at + settings.report_interval:
        return dg.SkipReason(
            f"the next report is due at {reported_at + settings.report_interval:%H:%M:%S} UTC: "
            f"{settings.report_interval.total_seconds() / 60:g} min after the last"
        )
    return dg.RunRequest()
