"""When the next cycle is due, and the sensor that launches it.

The interval counts from start to start, is tighter while kick-offs are near, and gives way to a cycle that took longer:
cycles never overlap (B-46).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.health import LastCycle, last_cycle, next_kickoff, runs_of
from odds_pipeline.jobs import odds_cycle
from odds_pipeline.partitions import partition_of
from odds_pipeline.sensors.unfinished import unfinished_runs
from odds_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Due:
    """When the next cycle may start, and why then."""

    at: datetime
    reason: str


def due(
    last: LastCycle | None,
    *,
    now: datetime,
    kickoff: datetime | None,
    settings: Settings,
    attempted_at: datetime | None = None,
) -> Due:
    """When the next cycle may start.

    ``kickoff``: the nearest one ahead. ``attempted_at``: the last launch, which may have failed before it could open a
    run; it counts as a start, so that a cycle that cannot begin is not launched over and over.
    """
    starts = [moment for moment in (last.started_at if last else None, attempted_at) if moment is not None]
    if not starts:
        return Due(now, "no cycle has run yet")
    started = max(starts)
    is_near = kickoff is not None and kickoff - now <= settings.near_kickoff_window
    interval = settings.near_kickoff_interval if is_near else settings.cycle_interval
    regular = started + interval
    rested = last.started_at + last.length + settings.cycle_margin if last else regular
    if rested > regular and last is not None:
        return Due(
            rested,
            f"the last cycle took {last.length.total_seconds():.0f} s, longer than the interval allows; "
            f"{settings.cycle_margin.total_seconds():.0f} s of pause after it",
        )
    why = f"a kick-off is near ({kickoff:%H:%M} UTC)" if is_near else "no kick-off is near"
    return Due(regular, f"{interval.total_seconds():.0f} s after the last start, as {why}")


@dg.sensor(
    job=odds_cycle,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches a cycle when one is due; says why when it does not.",
)
def cycle_due(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """No ``run_key``: Dagster remembers one for ever, failed runs included, and would never try that cycle again."""
    unfinished = unfinished_runs(context.instance, odds_cycle.name)
    if unfinished:
        record = unfinished[0]
        yield dg.SkipReason(
            f"a cycle is {record.dagster_run.status.value.lower()} since {record.create_timestamp:%H:%M:%S} UTC "
            f"(run {record.dagster_run.run_id[:8]}); two never run at once"
        )
        return
    now = clock.now()
    next_cycle = due(
        last_cycle(database, now=now),
        now=now,
        kickoff=next_kickoff(database, now=now),
        settings=settings,
        attempted_at=_vain_attempt(context, database),
    )
    if next_cycle.at > now:
        yield dg.SkipReason(f"the next cycle is due at {next_cycle.at:%H:%M:%S} UTC: {next_cycle.reason}")
        return
    yield dg.RunRequest(partition_key=partition_of(now))


def _vain_attempt(context: dg.SensorEvaluationContext, database: Database) -> datetime | None:
    """When this sensor last launched a run, if that run never came to open a scrape run."""
    own = dg.RunsFilter(job_name=odds_cycle.name, tags={"dagster/sensor_name": context.sensor_name})
    latest = context.instance.get_run_records(own, limit=1)
    if not latest or runs_of(database, latest[0].dagster_run.run_id):
        return None
    return latest[0].create_timestamp
