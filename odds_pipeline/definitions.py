"""What Dagster loads (workspace.yaml); nothing else lives here."""

import dagster as dg

from odds_pipeline.assets.coverage import report_offer
from odds_pipeline.assets.dagster_pruning import dagster_pruning as dagster_pruning_asset
from odds_pipeline.assets.day_reports import report_days
from odds_pipeline.assets.legacy import legacy_history
from odds_pipeline.assets.observations import observations
from odds_pipeline.assets.odds import odds_assets
from odds_pipeline.assets.retention import retention as retention_asset
from odds_pipeline.assets.storage_profile import profile as storage_profile_asset
from odds_pipeline.checks.odds import check_odds
from odds_pipeline.clock import Clock, SystemClock
from odds_pipeline.jobs import (
    dagster_pruning,
    day_reports,
    legacy_import,
    odds_cycle,
    offer_reports,
    prepare_days,
    refresh_event,
    retention,
    storage_profile,
)
from odds_pipeline.partitions import history_days
from odds_pipeline.resources import pipeline_resources
from odds_pipeline.sensors.cycle_due import cycle_due
from odds_pipeline.sensors.dead_runs import dead_runs
from odds_pipeline.sensors.legacy_import_due import legacy_import_due
from odds_pipeline.sensors.profile_due import profile_due
from odds_pipeline.sensors.pruning_due import pruning_due
from odds_pipeline.sensors.refresh_requested import refresh_requested
from odds_pipeline.sensors.reports_due import reports_due
from odds_pipeline.sensors.retention_due import retention_due
from odds_pipeline.sensors.run_failures import run_failures
from odds_pipeline.sensors.unprepared_days import unprepared_days
from odds_pipeline.settings import Settings


def build_definitions(settings: Settings | None = None, clock: Clock | None = None) -> dg.Definitions:
    """Fresh definitions. ``settings`` and ``clock``: instead of the environment's and real time.

    Raises pydantic's ``ValidationError`` for a wrong setting, and ``HistoryNotBegun``.
    """
    settings, clock = settings or Settings(), clock or SystemClock()
    days = history_days(settings, today=clock.now().date())
    return dg.Definitions(
        assets=[
            observations,
            odds_assets(days),
            retention_asset,
            report_offer,
            *report_days(days),
            legacy_history,
            storage_profile_asset,
            dagster_pruning_asset,
        ],
        asset_checks=[check_odds],
        jobs=[
            odds_cycle,
            retention,
            prepare_days,
            refresh_event,
            offer_reports,
            day_reports,
            legacy_import,
            storage_profile,
            dagster_pruning,
        ],
        sensors=[
            cycle_due,
            refresh_requested,
            retention_due,
            unprepared_days,
            reports_due,
            run_failures,
            dead_runs,
            legacy_import_due,
            profile_due,
            pruning_due,
        ],
        resources=pipeline_resources(settings, clock),
        # Few short steps: one process each would cost more than the steps themselves.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Read the settings when a code location is loaded, not when this module is imported."""
    return build_definitions()
