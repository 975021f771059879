"""A rebuild in a process of its own, for tests that kill it: database, its user's name, archive, days, now."""

from __future__ import annotations

import sys
from datetime import date, datetime

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.days.rebuild import rebuild_days

if __name__ == "__main__":
    url, name, archive_url, first, last, now = sys.argv[1:]
    rebuild_days(
        Database(url, application_name=name),
        Archive(archive_url),
        date.fromisoformat(first),
        date.fromisoformat(last),
        now=datetime.fromisoformat(now),
    )
