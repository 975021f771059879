"""What the odds assets say about one committed cycle: counts, seconds, a few rows, and the checks only it can answer.

Used by the cycle and by the refresh of one event, which materializes the same assets.
"""

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import dagster as dg

from odds_pipeline.database.engine import Database
from odds_pipeline.database.glimpses import changed_sample, current_rows, current_sample, history_rows
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.metadata import CHANGES, sample
from odds_pipeline.scrape.cycle import Cycle

CHANGES_CHECKS = [
    dg.AssetCheckSpec(
        "guard_held",
        asset=CHANGES,
        description="No bookmaker's offer vanished to such an extent that its absence is not believed yet.",
    ),
    dg.AssetCheckSpec(
        "refused", asset=CHANGES, description="No market was malformed, and the database refused no answer."
    ),
]


class CycleReport:
    """Metadata of one cycle's materializations, by asset."""

    def __init__(self, database: Database, cycle: Cycle, record: WriteRecord) -> None:
        self._database, self._cycle, self._record = database, cycle, record

    def changes(self) -> dict[str, Any]:
        """Counts by kind of change, seconds by stage, and a few of the rows."""
        record = self._record
        return {
            "dagster/row_count": record.inserted_history,
            "scrape_run": self._cycle.run_id,
            "observations": record.observations,
            "new": record.new,
            "changed": record.changed,
            "returned": record.returned,
            "unavailable": record.unavailable,
            "confirmed": record.confirmed,
            "refused": record.refused,
            "late_answers": record.late,
            "seconds": dg.MetadataValue.json(record.seconds),
            "sample": self._changed,
        }

    def current(self) -> dict[str, Any]:
        """How many markets there are, how many rows were touched for it, and a few of them."""
        rows = current_rows(self._database)
        return {
            "dagster/row_count": rows.all,
            "available": rows.available,
            "unavailable": rows.all - rows.available,
            "upserted": self._record.upserted_current,
            "confirmed_without_write": self._record.confirmed,
            "scrape_run": self._cycle.run_id,
            "seconds": round(sum(self._record.seconds.values()), 3),
            "sample": sample(current_sample(self._database, self._cycle.run_id, since=self._cycle.cycle_at)),
        }

    def history(self, day: str) -> dict[str, Any]:
        """Row counts of one UTC day: all of it, and what this run appended."""
        start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        rows = history_rows(self._database, start, start + timedelta(days=1), run_id=self._cycle.run_id)
        return {
            "dagster/partition_row_count": rows.all,
            "appended": rows.of_run,
            "scrape_run": self._cycle.run_id,
            "seconds": round(sum(self._record.seconds.values()), 3),
            "sample": self._changed,
        }

    def days(self) -> list[str]:
        """The UTC days of history that got rows."""
        return [day.isoformat() for day in self._record.days]

    def checks(self) -> list[dg.AssetCheckResult]:
        """Results of ``CHANGES_CHECKS``."""
        record = self._record
        return [
            dg.AssetCheckResult(
                asset_key=CHANGES,
                check_name="guard_held",
                passed=not record.guard_held,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"bookmakers": ", ".join(record.guard_held) or "none"},
            ),
            dg.AssetCheckResult(
                asset_key=CHANGES,
                check_name="refused",
                passed=not record.set_aside and not record.refused,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"markets_refused": record.refused, "answers_set_aside": record.set_aside},
            ),
        ]

    @cached_property
    def _changed(self) -> dg.MetadataValue:
        return sample(changed_sample(self._database, self._cycle.run_id, since=self._cycle.cycle_at))
