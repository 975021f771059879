"""An archive for each test database, in a folder that goes with the test session."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database


def archive_of(database: Database) -> Archive:
    """The archive of a test's database: always the same one, and no other database's."""
    return Archive(_root() / str(database.url.database))


@cache
def _root() -> Path:
    root = Path(tempfile.mkdtemp(prefix="odds-pipeline-archives-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root
