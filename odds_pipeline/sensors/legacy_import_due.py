"""The sensor that finds days of an earlier system not imported, and has them imported if the settings say so."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import takewhile

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.jobs import legacy_import
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.unimported import unimported_days
from odds_pipeline.sensors.unfinished import unfinished_runs
from odds_pipeline.settings import Settings


@dg.sensor(
    job=legacy_import,
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Imports the days of an earlier system with ODDS_LEGACY_IMPORT=true; else says what there is.",
)
def legacy_import_due(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.RunRequest | dg.SkipReason:
    """Look for days that are over; the oldest that follow one another are one run."""
    source = LegacySource.from_settings(settings)
    yesterday = clock.now().date() - timedelta(days=1)
    days = unimported_days(database, source, last=yesterday)
    if not days:
        found = "every day that is over is imported of" if source.days() else "no odds of an earlier system found in"
        return dg.SkipReason(f"{found} {source.name}")
    if not settings.legacy_import:
        return dg.SkipReason(
            f"{len(days)} days of {source.name} are not imported, {days[0]} to {days[-1]}: `odds-pipeline legacy plan` "
            "says what they would give; ODDS_LEGACY_IMPORT=true has them imported"
        )
    if unfinished_runs(context.instance, legacy_import.name):
        return dg.SkipReason("an import is under way")
    first, last = _consecutive(days)
    return dg.RunRequest(
        tags={
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        }
    )


def _consecutive(days: Sequence[date]) -> tuple[date, date]:
    """The first and last of the days that follow the first one without a gap."""
    following = takewhile(lambda pair: pair[1] - days[0] == timedelta(days=pair[0]), enumerate(days))
    return days[0], [day for _, day in following][-1]
