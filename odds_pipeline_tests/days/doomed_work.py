"""What processes do with days until a test kills them (``doomed.py``)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import URL

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.days.compact import compact_days
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.days.retention import retain
from odds_pipeline.settings import Settings
from odds_pipeline_tests.doomed import DOOMED

SETTINGS = Settings(retention_days=1, run_retention_days=1)
"""Of every run of retention in tests that kill it."""


def rebuild(url: URL, archive_url: str, first: date, last: date, now: datetime) -> None:
    """Rebuild these days."""
    rebuild_days(Database(url, application_name=DOOMED), Archive(archive_url), first, last, now=now)


def retention(url: URL, archive_url: str, now: datetime) -> None:
    """One run of retention."""
    database = Database(url, application_name=DOOMED)
    retain(database, Archive(archive_url), settings=SETTINGS, now=now, trigger="scheduled")


def compact(url: URL, before: date) -> None:
    """Put the days before this one in order."""
    compact_days(Database(url, application_name=DOOMED), before=before)
