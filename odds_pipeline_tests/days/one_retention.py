"""One run of retention in a process of its own, for tests that kill it: URL, application name, archive, now."""

from __future__ import annotations

import sys
from datetime import datetime

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.days.retention import retain
from odds_pipeline.settings import Settings

SETTINGS = Settings(retention_days=1, run_retention_days=1)

if __name__ == "__main__":
    url, name, archive_url, now = sys.argv[1:]
    retain(
        Database(url, application_name=name),
        Archive(archive_url),
        settings=SETTINGS,
        now=datetime.fromisoformat(now),
        trigger="scheduled",
    )
