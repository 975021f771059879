"""One whole cycle in a process of its own, for tests that kill it: ``python -m`` this with the arguments as JSON."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import msgspec

from odds_pipeline.clock import ManualClock
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.bookmakers.sites import quick_settings
from odds_pipeline_tests.cycle.small_world import run_cycle


class Arguments(msgspec.Struct, frozen=True):
    """Where the cycle finds its database, staging folder and bookmakers, and what time it believes it is."""

    database_url: str
    application_name: str
    staging_root: str
    bookmaker_urls: dict[str, str]
    now: datetime


def main() -> None:
    arguments = msgspec.json.decode(sys.argv[1], type=Arguments)
    database = Database(arguments.database_url, application_name=arguments.application_name)
    settings = quick_settings(arguments.bookmaker_urls, timeout_s=60.0)
    run_cycle(database, Path(arguments.staging_root), settings, ManualClock(arguments.now))


if __name__ == "__main__":
    main()
