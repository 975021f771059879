"""The unprivileged account that runs PostgreSQL when we are root, which PostgreSQL itself refuses to run as.

An ordinary user needs none of this: everything then runs as that user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT_NAME = "odds-pipeline"
_SUBSTITUTES = ("postgres", "nobody")
_TRIES = 5


class NoServiceAccount(Exception):
    """Running as root, with no unprivileged account to run PostgreSQL as and no way to make one."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A system account that child processes may be started as."""

    name: str
    uid: int
    gid: int

    @property
    def process_options(self) -> dict[str, Any]:
        """Keyword arguments of ``subprocess`` that start a child as this account, without root's groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, directory: Path) -> bool:
        """Whether a process of this account reaches ``directory``: tried, since modes alone do not tell (ACLs)."""
        for _ in range(_TRIES):
            shown = subprocess.run(
                ["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                **self.process_options,
            )
            # A child that a signal ended says nothing: in Dagster's servers some end before they run anything, because
            # gRPC's threads do not survive a fork.
            if shown.returncode >= 0:
                return shown.returncode == 0
        return True


def service_account() -> ServiceAccount | None:
    """The account to run PostgreSQL as; None when we are an ordinary user and run it as ourselves.

    As root, a system account ``odds-pipeline`` is made once; where none can be made (``/etc`` read-only, no
    ``useradd``), ``postgres`` or ``nobody`` serves. Raises ``NoServiceAccount`` when there is none of them.
    """
    if os.geteuid() != 0:
        return None
    account = _existing(ACCOUNT_NAME)
    if account is None:
        _make_account()
        for name in (ACCOUNT_NAME, *_SUBSTITUTES):
            account = account or _existing(name)
    if account is None:
        raise NoServiceAccount(
            f"PostgreSQL does not run as root, and the system account {ACCOUNT_NAME!r} could not be made; make it "
            f"(useradd --system {ACCOUNT_NAME}), start as an ordinary user, or set ODDS_DATABASE_URL"
        )
    return account


def account_of(uid: int) -> ServiceAccount:
    """The account with this user id. Raises ``NoServiceAccount`` when the system knows none."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as error:
        raise NoServiceAccount(f"no account has the user id {uid}, which PostgreSQL needs to look up") from error
    return ServiceAccount(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _existing(name: str) -> ServiceAccount | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return ServiceAccount(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make_account() -> None:
    """Try to make the account; whether that worked is seen by looking it up (another process may be faster)."""
    if useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        command = [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", ACCOUNT_NAME]
    elif adduser := shutil.which("adduser", path="/usr/sbin:/sbin:/usr/bin:/bin"):  # BusyBox
        command = [adduser, "-S", "-D", "-H", "-s", "/bin/false", ACCOUNT_NAME]
    else:
        return
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, cwd="/", check=False)
