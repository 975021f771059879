"""Where tests keep the databases and archives that they make: in memory where there is plenty, else on the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

import psutil

ARCHIVES, DATA = "odds-pipeline-archives-", "odds-pipeline-data-"
"""Prefixes of directories."""

_MEMORY = Path("/dev/shm")
_LEAST_BYTES = 3 << 30
"""All workers of a session together use a third of it."""
_ABANDONED_S = 24 * 3600


@cache
def scratch_root() -> Path:
    """The directory for directories of tests.

    In memory a database is copied in a tenth of the time that a disk takes, and nothing waits for a file to be synced;
    what dies with a process dies there too, and nothing else does.
    """
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return Path(tempfile.gettempdir())
    found = os.statvfs(_MEMORY)
    room = min(found.f_bavail * found.f_frsize, psutil.virtual_memory().available)
    # Servers are run from copies of their programs there, too.
    return Path(tempfile.gettempdir()) if room < _LEAST_BYTES or found.f_flag & os.ST_NOEXEC else _MEMORY


def scratch_directory(prefix: str) -> Path:
    """A new directory, which the account that runs PostgreSQL can enter; the caller removes it.

    Not in pytest's temporary directory: as root that is closed to that account.
    """
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=scratch_root())).resolve()
    directory.chmod(0o711)
    return directory


def sweep_scratch() -> None:
    """Remove archives and data of sessions that were killed more than a day ago."""
    for prefix in (ARCHIVES, DATA):
        for directory in scratch_root().glob(prefix + "*"):
            if time.time() - directory.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(directory, ignore_errors=True)
