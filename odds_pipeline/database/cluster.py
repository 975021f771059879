"""The files of an embedded cluster: made by ``initdb``, configured at every start, its socket where clients find it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from odds_pipeline.database.programs import MAJOR_VERSION, Programs, find_programs
from odds_pipeline.database.server_settings import HOST_BASED_AUTHENTICATION, configuration
from odds_pipeline.service_account import ServiceAccount, service_account

SUPERUSER = "postgres"

_LONGEST_SOCKET_PATH = 103
"""Bytes of a unix socket's path that every system allows (Linux 107, macOS 103)."""


class ForeignCluster(Exception):
    """The cluster belongs to an account that we are not and may not become."""


class Cluster:
    """The cluster under ``home`` (``<data directory>/postgres``) and the account that it belongs to."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "cluster"
        self.configuration = home / "postgresql.conf"
        self.log = home / "log" / "start.log"

    @property
    def name(self) -> str:
        """``cluster_name``: in the title of each server process, by which a crash's left-overs are known."""
        return "odds-pipeline-" + self._hash

    @property
    def exists(self) -> bool:
        return (self.path / "PG_VERSION").exists()

    def account(self) -> ServiceAccount | None:
        """Whom PostgreSQL runs as (None: ourselves): the cluster's owner, once there is a cluster.

        Raises ``ForeignCluster`` and ``NoServiceAccount``.
        """
        if not self.path.exists():
            return service_account()
        owner = self.path.stat()
        if owner.st_uid != 0 and os.geteuid() == 0:
            return ServiceAccount(f"uid {owner.st_uid}", owner.st_uid, owner.st_gid)
        if owner.st_uid == os.geteuid() != 0:
            return None
        raise ForeignCluster(
            f"{self.path} belongs to the user id {owner.st_uid}: run as its owner (root may, unless it is root's), or "
            f"set ODDS_DATA_DIR to another directory"
        )

    def prepare(self, overrides: Mapping[str, str]) -> Programs:
        """Make the cluster if it is missing, write its configuration, and return the programs that serve it.

        Only while the server is down, and under its lock. Raises ``ProgramFailed``,
        ``ForeignCluster``, ``NoServiceAccount`` and ``OSError``.
        """
        account = self.account()
        self._give_to(account, self.log.parent, mode=0o700)
        if not self.exists:
            self._make(find_programs(account, home=self.home, major=MAJOR_VERSION), overrides)
        major = int((self.path / "PG_VERSION").read_text())
        socket_directory = self._socket_directory(account)
        for left_behind in socket_directory.glob(".s.PGSQL.*"):
            # The lock beside a socket names a pid too, which may be a stranger's after a crash.
            left_behind.unlink()
        text = configuration(socket_directory, cluster_name=self.name, overrides=overrides)
        self._write(self.configuration, text)
        self._write(self.home / "pg_hba.conf", HOST_BASED_AUTHENTICATION)
        self.log.unlink(missing_ok=True)
        return find_programs(account, home=self.home, major=major)

    def end_of_log(self) -> str:
        """The last lines that the server wrote, for an error message."""
        logs = sorted(self.log.parent.glob("*.log"), key=lambda path: path.stat().st_mtime)
        lines = [line for path in logs[-2:] for line in path.read_text(errors="replace").splitlines()]
        return "\n".join([*lines[-8:], f"(log: {self.log.parent})"])

    @property
    def _hash(self) -> str:
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]

    def _make(self, programs: Programs, overrides: Mapping[str, str]) -> None:
        # Renamed when done: what a kill in the middle leaves is never taken for a cluster.
        unfinished = self.path.with_name("cluster.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self._give_to(programs.account, unfinished, mode=0o700)
        programs.run(
            "initdb",
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            "--auth=trust",  # who may connect is said by pg_hba.conf
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *(["--no-sync"] if overrides.get("fsync") == "off" else []),
            cwd=self.home,
        )
        unfinished.rename(self.path)

    def _socket_directory(self, account: ServiceAccount | None) -> Path:
        """A directory of the account's alone: beside the cluster, or elsewhere if clients cannot use that path."""
        if _fits(directory := self.home / "socket"):
            self._give_to(account, directory, mode=0o700)
            return directory
        for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
            directory = Path(parent) / self.name
            if _fits(directory):
                break
        try:
            self._give_to(account, directory, mode=0o700)
        except ForeignCluster:  # somebody else took the name first: one that cannot be foreseen
            directory = Path(tempfile.mkdtemp(prefix="odds-", dir=directory.parent))
            self._give_to(account, directory, mode=0o700)
        return directory

    def _give_to(self, account: ServiceAccount | None, directory: Path, *, mode: int) -> None:
        """Make ``directory`` the account's; one that is somebody else's, or a link, raises ``ForeignCluster``."""
        uid = account.uid if account else os.geteuid()
        try:
            directory.mkdir(mode=mode)
        except FileExistsError:
            found = directory.lstat()
            if directory.is_symlink() or found.st_uid not in (uid, os.geteuid()):
                raise ForeignCluster(f"{directory} belongs to the user id {found.st_uid}") from None
        if account is not None:
            os.chown(directory, account.uid, account.gid, follow_symlinks=False)
        directory.chmod(mode)

    def _write(self, path: Path, text: str) -> None:
        draft = path.with_name(path.name + ".draft")
        draft.write_text(text)
        draft.chmod(0o644)
        draft.replace(path)


def _fits(directory: Path) -> bool:
    # A comma separates hosts to libpq, also within a path.
    return len(os.fsencode(directory / ".s.PGSQL.5432")) <= _LONGEST_SOCKET_PATH and "," not in str(directory)
