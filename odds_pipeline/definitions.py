"""What Dagster loads (workspace.yaml); nothing else lives here."""

import dagster as dg

from odds_pipeline.assets.observations import observations
from odds_pipeline.assets.odds import odds_assets
from odds_pipeline.assets.unmapped import unmapped
from odds_pipeline.checks.odds import check_odds
from odds_pipeline.clock import Clock, SystemClock
from odds_pipeline.jobs import history_partitions, odds_cycle, refresh_event, unmapped_report
from odds_pipeline.partitions import history_days
from odds_pipeline.resources import pipeline_resources
from odds_pipeline.sensors.cycle_due import cycle_due
from odds_pipeline.sensors.dead_runs import dead_runs
from odds_pipeline.sensors.partitions_ahead import partitions_ahead
from odds_pipeline.sensors.run_failures import run_failures
from odds_pipeline.sensors.unmapped_due import unmapped_due
from odds_pipeline.settings import Settings


def build_definitions(settings: Settings | None = None, clock: Clock | None = None) -> dg.Definitions:
    """Fresh definitions. ``settings`` and ``clock``: instead of the environment's and real time.

    Raises pydantic's ``ValidationError`` for a wrong setting, and ``HistoryNotBegun``.
    """
    settings, clock = settings or Settings(), clock or SystemClock()
    days = history_days(settings, today=clock.now().date())
    return dg.Definitions(
        assets=[observations, odds_assets(days), unmapped],
        asset_checks=[check_odds],
        jobs=[odds_cycle, refresh_event, history_partitions, unmapped_report],
        sensors=[cycle_due, partitions_ahead, unmapped_due, run_failures, dead_runs],
        resources=pipeline_resources(settings, clock),
        # Few short steps: one process each would cost more than the steps themselves.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Read the settings when a code location is loaded, not when this module is imported."""
    return build_definitions()
