"""The partitions of assets: history by UTC day, and what "today" is for a run.

The days of the PostgreSQL table are made in ``database/partitions.py``; here is only what Dagster shows and launches.
"""

from datetime import date, datetime, timedelta

import dagster as dg

#: Days of ``odds/history``. ``end_offset`` makes today a partition although it is not over.
HISTORY_DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_offset=1)


def partition_of(moment: datetime) -> str:
    """The key of the UTC day in which an aware ``moment`` lies."""
    return moment.date().isoformat()


def is_open(partition: str, *, now: datetime, grace: timedelta) -> bool:
    """Whether a cycle may run for this day: it is today, or yesterday within ``grace`` after midnight.

    A launch waits in the queue and may start in the next day: that is what the grace is for.
    """
    return date.fromisoformat(partition) in {now.date(), (now - grace).date()}
