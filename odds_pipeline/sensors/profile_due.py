"""The sensor that has storage profiled at its interval, whether or not there are cycles."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.jobs import storage_profile
from odds_pipeline.metadata import STORAGE_PROFILE
from odds_pipeline.sensors.ahead import is_ahead
from odds_pipeline.sensors.unfinished import unfinished_runs
from odds_pipeline.settings import Settings


def why_not(moments: Sequence[datetime], *, now: datetime, interval: timedelta) -> str | None:
    """Why no profile is to be launched now; None when one is.

    ``moments``: of the newest materialization and of the newest launch, whatever became of it, so that a profile that
    fails is not launched over and over. One that is ahead does not count.
    """
    last = max((moment for moment in moments if not is_ahead(moment, now)), default=None)
    if last is None or now >= last + interval:
        return None
    minutes = interval / timedelta(minutes=1)
    return f"due at {last + interval:%H:%M:%S} UTC, {minutes:g} min after the last one"


@dg.sensor(
    job=storage_profile,
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches a storage profile every ODDS_PROFILE_INTERVAL, whether or not there are cycles.",
)
def profile_due(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
) -> dg.RunRequest | dg.SkipReason:
    """At most one run at once. No ``run_key``: Dagster would never try a profile again that has failed."""
    if unfinished_runs(context.instance, storage_profile.name):
        return dg.SkipReason("a profile is under way")
    reason = why_not(list(_moments(context.instance)), now=clock.now(), interval=settings.profile_interval)
    return dg.RunRequest() if reason is None else dg.SkipReason(reason)


def _moments(instance: dg.DagsterInstance) -> Iterator[datetime]:
    """A profile may have been launched as this job, or as the asset alone."""
    for run in instance.get_run_records(dg.RunsFilter(job_name=storage_profile.name), limit=1):
        yield run.create_timestamp
    for record in instance.fetch_materializations(STORAGE_PROFILE, limit=1).records:
        yield datetime.fromtimestamp(record.timestamp, UTC)
