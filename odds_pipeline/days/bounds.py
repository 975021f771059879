"""Up to when everything is kept: the policy of retention, as dates and moments of UTC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

import psycopg

from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is older may go. ``first_kept``: the first UTC day whose history stays in PostgreSQL.

    The others are midnights of UTC, so that a policy means the same all day long: kick-offs of finished events, ends of
    runs, times of errors and of storage samples, ends of alerts.
    """

    first_kept: date
    matches: datetime
    runs: datetime
    errors: datetime
    samples: datetime

    @classmethod
    def of(cls, settings: Settings, now: datetime) -> Self:
        """The bounds at an aware ``now``, the pipeline clock's."""
        today = now.astimezone(UTC).date()

        def ago(days: int) -> datetime:
            return midnight(today - timedelta(days=days))

        return cls(
            first_kept=today - timedelta(days=settings.retention_days),
            matches=ago(settings.match_retention_days),
            runs=min(ago(settings.run_retention_days), ago(settings.retention_days)),
            errors=ago(settings.error_retention_days),
            samples=ago(settings.sample_retention_days),
        )

    def keeping(self, day: date) -> Self:
        """The bounds when history of ``day`` could not be retired: its words, runs and sources stay too."""
        return replace(self, first_kept=min(self.first_kept, day), runs=min(self.runs, midnight(day)))


def as_held(connection: psycopg.Connection, bounds: Bounds) -> Bounds:
    """The bounds that keep what PostgreSQL still holds; under the writer's lock nothing can be added meanwhile.

    A day that was retired comes back when a row comes late for it, and stays until the next run.
    """
    partitions = list_partitions(connection)
    return bounds.keeping(partitions[0].first_day) if partitions else bounds


def midnight(day: date) -> datetime:
    """The beginning of a UTC day."""
    return datetime.combine(day, time(), UTC)
