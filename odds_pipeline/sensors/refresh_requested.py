"""The sensor that launches the refreshes of single events that were asked for over HTTP."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.refreshes import RefreshRequest, launched, waiting_refreshes
from odds_pipeline.jobs import refresh_event

_RUN_KEY = "dagster/run_key"


@dg.sensor(
    job=refresh_event,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches the refresh of an event when one was asked for over HTTP.",
)
def refresh_requested(
    context: dg.SensorEvaluationContext, clock: dg.ResourceParam[Clock], database: dg.ResourceParam[Database]
) -> Sequence[dg.RunRequest] | dg.SkipReason:
    """One run for each request, whatever dies in between.

    A request counts as launched when Dagster has its run, not when the run was asked for; until then it is asked for at
    each tick, and the run's key keeps Dagster from launching it twice.
    """
    waiting = waiting_refreshes(database)
    has_run = [request for request in waiting if _is_in_dagster(context.instance, request)]
    if has_run:
        launched(database, [request.id for request in has_run], now=clock.now())
    to_launch = [request for request in waiting if request not in has_run]
    if not to_launch:
        return dg.SkipReason("every refresh that was asked for is launched")
    return [
        dg.RunRequest(
            run_key=_key(request),
            run_config={"ops": {"refresh": {"config": {"event_id": request.event_id, "request_id": request.id}}}},
        )
        for request in to_launch
    ]


def requested_by(run: dg.DagsterRun) -> int | None:
    """The request that a run of ``refresh_event`` serves; None when somebody launched it by hand, or it is another."""
    config: dict[str, Any] = dict(run.run_config)
    return config.get("ops", {}).get("refresh", {}).get("config", {}).get("request_id")


def _key(request: RefreshRequest) -> str:
    return f"refresh-{request.id}"


def _is_in_dagster(instance: dg.DagsterInstance, request: RefreshRequest) -> bool:
    return bool(
        instance.get_run_records(dg.RunsFilter(job_name=refresh_event.name, tags={_RUN_KEY: _key(request)}), limit=1)
    )
