"""The sensor that records failed runs: the run's row is closed, and a typed row in ``scrape_errors`` says why.

The steps record what they raise themselves; this one covers runs that died otherwise: a worker killed, a launch that
never started, a blocking check. It reads Dagster's event log, so it needs nobody to have been alive.
"""

import dagster as dg

from odds_pipeline.assets.launches import LaunchRefused
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.health import runs_of
from odds_pipeline.database.refreshes import became_run
from odds_pipeline.database.runs import error_type, fail_run, open_run
from odds_pipeline.jobs import odds_cycle, refresh_event
from odds_pipeline.sensors.refresh_requested import requested_by


@dg.run_failure_sensor(
    name="run_failures",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Closes the scrape run of a failed Dagster run and records why in scrape_errors.",
)
def run_failures(
    context: dg.RunFailureSensorContext,
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.SkipReason | None:
    """Record one failed run."""
    run = context.dagster_run
    kind, message = _cause(context)
    now = clock.now()
    scrape_runs = runs_of(database, run.run_id)
    if not scrape_runs and run.job_name in (odds_cycle.name, refresh_event.name) and kind != _REFUSED:
        trigger = "scheduled" if "dagster/sensor_name" in run.tags else "manual"
        scrape_runs = [open_run(database, trigger=trigger, now=now, dagster_run_id=run.run_id)]
        if (request_id := requested_by(run)) is not None:
            became_run(database, request_id, scrape_runs[0], now=now)
    closed = [run_id for run_id in scrape_runs if fail_run(database, run_id, error_type=kind, message=message, now=now)]
    if not closed:
        return dg.SkipReason(f"run {run.run_id[:8]} of {run.job_name}: no open scrape run to close ({kind})")
    return None


_REFUSED = error_type(LaunchRefused.__name__)


def _cause(context: dg.RunFailureSensorContext) -> tuple[str, str]:
    """Type and message of the first step's failure, else of the run's."""
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            # Dagster puts the class and its module before the message.
            message = error.message.strip()
            return error_type(error.cls_name or "Failure"), message.partition(f"{error.cls_name}: ")[2] or message
    return "run_failure", context.failure_event.message or "the run failed without a message"
