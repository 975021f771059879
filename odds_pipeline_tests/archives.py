"""An archive for each test database, in a folder that goes with the test session."""

from __future__ import annotations

import atexit
import os
import shutil
from functools import cache
from pathlib import Path

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.scratch import ARCHIVES, scratch_directory, sweep_scratch

_ROOT = "TEST_ARCHIVES"


def archive_of(database: Database) -> Archive:
    """The archive of a test's database: always the same one, and no other database's."""
    return Archive(_root() / str(database.url.database))


@cache
def _root() -> Path:
    # In the environment, so that processes which a test starts find the same archives.
    if _ROOT not in os.environ:
        sweep_scratch()
        os.environ[_ROOT] = str(scratch_directory(ARCHIVES))
        atexit.register(shutil.rmtree, os.environ[_ROOT], ignore_errors=True)
    return Path(os.environ[_ROOT])
