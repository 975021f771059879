"""The partitions of assets: history by UTC day, and what "today" is for a run.

The days of the PostgreSQL table are made in ``database/partitions.py``; here is only what Dagster shows and launches.
"""

from datetime import date, datetime, timedelta

import dagster as dg

from odds_pipeline.settings import Settings

#: Days of ``legacy/history``: from the first that the snapshot tables have partitions for, whatever is kept of history,
#: because earlier systems are older; today included, because one may still be at work beside ours.
LEGACY_DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_offset=1)


class HistoryNotBegun(ValueError):
    """The first day of history according to the settings lies in the future."""


def first_history_day(settings: Settings, *, today: date) -> date:
    """The first day that Dagster shows: ``history_start``, else as many days back as history is kept.

    Raises ``HistoryNotBegun``.
    """
    first = settings.history_start or today - timedelta(days=settings.retention_days)
    if first > today:
        raise HistoryNotBegun(f"ODDS_HISTORY_START is {first}, which lies in the future; give today or an earlier day")
    return first


def history_days(settings: Settings, *, today: date) -> dg.DailyPartitionsDefinition:
    """The UTC days of ``odds/history``, today included although it is not over. Raises ``HistoryNotBegun``."""
    return dg.DailyPartitionsDefinition(first_history_day(settings, today=today).isoformat(), end_offset=1)


def partition_of(moment: datetime) -> str:
    """The key of the UTC day in which an aware ``moment`` lies."""
    return moment.date().isoformat()


def begun_day(now: datetime, *, grace: timedelta) -> date:
    """The day that began last and whose eve is over: no cycle may begin for it any more."""
    return (now - grace).date()


def is_open(partition: str, *, now: datetime, grace: timedelta) -> bool:
    """Whether a cycle may run for this day: it is today, or yesterday within ``grace`` after midnight.

    A launch waits in the queue and may start in the next day: that is what the grace is for.
    """
    return date.fromisoformat(partition) in {now.date(), begun_day(now, grace=grace)}
