"""Where this machine's data lives: the embedded database, files under way, logs.

``ODDS_DATA_DIR`` says so outright. Without it the place is ``.data`` in the project; when PostgreSQL cannot live there
(a clone under root's own home, which the unprivileged server account cannot enter, or a file system that does not keep
owners and modes) it is a directory of its own per project, outside it. A place that already holds a database is kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from odds_pipeline.service_account import ServiceAccount, service_account
from odds_pipeline.settings import Settings

CLUSTER = Path("postgres") / "cluster"
"""Where a data directory holds PostgreSQL's own files, relative to it."""


class UnusableDataDirectory(Exception):
    """The data directory cannot be made, or PostgreSQL cannot live in it; the message says why and what to do."""


def project_directory() -> Path:
    """The checkout this package runs from; the current directory when it was installed without one."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def data_directory(settings: Settings) -> Path:
    """The data directory, made if missing: absolute, without symbolic links.

    Raises ``UnusableDataDirectory``; an explicit ``ODDS_DATA_DIR`` is never replaced by another place.
    """
    if settings.data_dir is not None:
        return usable(settings.data_dir)
    places = [project_directory() / ".data", fallback_directory(project_directory())]
    for place in places:
        if (place / CLUSTER / "PG_VERSION").is_file():
            return usable(place)
    try:
        return usable(places[0])
    except UnusableDataDirectory as error:
        try:
            return usable(places[1])
        except UnusableDataDirectory:
            raise error from None


def fallback_directory(project: Path) -> Path:
    """The place for a project whose own directory cannot hold the database: named after its path."""
    name = f"{project.name}-{hashlib.sha256(os.fsencode(project)).hexdigest()[:10]}"
    if os.geteuid() == 0:
        return Path("/var/lib/odds-pipeline") / name
    share = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(share) / "odds-pipeline" / name


def usable(directory: Path) -> Path:
    """Make ``directory`` if it is missing, check that PostgreSQL can live in it, and return it resolved.

    Directories made here can be entered, not listed, by other accounts; those that exist keep their modes. Raises
    ``UnusableDataDirectory``.
    """
    account = service_account()
    directory = directory.expanduser().absolute()
    made = _make(directory)
    directory = directory.resolve()
    why = _why_not(directory, account)
    if why is not None:
        for path in made:
            path.rmdir()
        raise UnusableDataDirectory(
            f"PostgreSQL cannot keep its data in {directory}: {why}; set ODDS_DATA_DIR to another directory"
        )
    return directory


def _make(directory: Path) -> list[Path]:
    """Make ``directory`` and its missing parents; return those made, deepest first."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    made: list[Path] = []
    try:
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            path.chmod(0o711)
            made.insert(0, path)
    except OSError as error:
        raise UnusableDataDirectory(
            f"the data directory {directory} cannot be made: {error.strerror}; set ODDS_DATA_DIR to another directory"
        ) from error
    return made


def _why_not(directory: Path, account: ServiceAccount | None) -> str | None:
    if account is not None and not account.can_enter(directory):
        return f"the account {account.name}, which runs PostgreSQL for root, cannot enter it"
    try:
        probe = Path(tempfile.mkdtemp(prefix=".probe-", dir=directory))
    except OSError as error:
        return f"{error.strerror} (it belongs to the user id {directory.stat().st_uid})"
    try:
        if account is not None:
            os.chown(probe, account.uid, account.gid)
        probe.chmod(0o700)
        found = probe.stat()
        if (found.st_uid, found.st_mode & 0o777) != (account.uid if account else os.geteuid(), 0o700):
            return "its file system does not keep owners and modes"
    except OSError as error:
        return f"its file system does not let owners and modes be set ({error.strerror})"
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    return None
