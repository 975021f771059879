"""How long Dagster's own rows are kept: the moments before which each kind of them goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType

from odds_pipeline.settings import Settings

ECHO_AGE = timedelta(hours=1)
"""Who watches a run to its end, and just after it, sees all of it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Moments (aware UTC) before which something goes, unless a rule of the module that deletes it keeps it."""

    logs_before: datetime
    """The step-by-step log of succeeded runs."""
    echoes_before: datetime
    """What stands in the log of succeeded runs and elsewhere too."""
    graphs_before: datetime
    """Materializations, observations and check evaluations, and then the runs that nothing is left of."""
    failed_before: datetime
    """Failed and canceled runs are whole until then, and are treated as succeeded ones after it. Finished backfills."""
    ticks_before: Mapping[str, Mapping[str, datetime]]
    """Ticks by kind of what ticks, and by their status."""

    @classmethod
    def of(cls, settings: Settings, instance: DagsterInstance, *, now: datetime) -> Self:
        """The policy of the settings, and of the instance's own for ticks: what those keep for ever goes with failed
        runs, as a tick that never ended would stay otherwise."""

        def ago(days: int) -> datetime:
            return now - timedelta(days=days)

        return cls(
            logs_before=ago(settings.dagster_log_days),
            echoes_before=now - ECHO_AGE,
            graphs_before=ago(settings.dagster_graph_days),
            failed_before=ago(settings.dagster_failed_days),
            ticks_before={
                kind.value: {
                    status.value: ago(days if days > 0 else settings.dagster_failed_days)
                    for status, days in instance.get_tick_retention_settings(kind).items()
                }
                for kind in (InstigatorType.SENSOR, InstigatorType.SCHEDULE, InstigatorType.AUTO_MATERIALIZE)
            },
        )
