"""The watchdog: runs that show no sign of life are given up, in ``scrape_runs`` and in Dagster alike (B-45).

A run given up can no longer write (I5). Its Dagster run is ended too: else it would count as under way for ever, and
no cycle would be launched again.
"""

from datetime import datetime

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.health import dagster_runs_alive
from odds_pipeline.database.runs import give_up_dead_runs
from odds_pipeline.jobs import odds_cycle, refresh_event
from odds_pipeline.sensors.unfinished import unfinished_runs
from odds_pipeline.settings import Settings


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Gives up scrape runs without a sign of life, and ends their Dagster runs.",
)
def dead_runs(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.SkipReason:
    """Launches nothing: what it did is its reason."""
    now = clock.now()
    given_up = give_up_dead_runs(database, settings=settings, now=now)
    ended = _end_dead_dagster_runs(context.instance, database, dead_before=now - settings.dead_run_after)
    if not given_up and not ended:
        return dg.SkipReason("every open run shows signs of life")
    return dg.SkipReason(
        f"gave up scrape runs {', '.join(map(str, given_up)) or 'none'}; "
        f"ended Dagster runs {', '.join(run_id[:8] for run_id in ended) or 'none'}"
    )


def _end_dead_dagster_runs(instance: dg.DagsterInstance, database: Database, *, dead_before: datetime) -> list[str]:
    """End runs older than ``dead_before`` whose scrape run is neither open nor just committed; return their ids."""
    alive = dagster_runs_alive(database, since=dead_before)
    ended: list[str] = []
    for job in (odds_cycle, refresh_event):
        for record in unfinished_runs(instance, job.name):
            run = record.dagster_run
            is_waiting = run.status == dg.DagsterRunStatus.QUEUED
            if is_waiting or run.run_id in alive or record.create_timestamp >= dead_before:
                continue
            instance.report_run_failed(run, "No sign of life; given up by the watchdog.")
            ended.append(run.run_id)
    return ended
