"""The embedded PostgreSQL: found running or started, shared by processes, stopped by the last that leaves.

**Lifetime.** Every process that needs the database calls ``EmbeddedServer.ensure`` and is then one of its users until
it calls ``leave`` or ends. The server is a process of its own: nobody's death takes it along. The last user to leave
stops it; one that is killed leaves it running, and the next ``ensure`` finds it. A process that was only handed the URL
uses the server on behalf of the one that handed it over, and must end before that one leaves.

**Safety.** Starting, joining and stopping happen under an exclusive file lock; users are counted by shared file locks,
which the kernel frees when their holder dies. A server counts as running when it answers. What a crash leaves behind
(a half-made cluster, a pid file whose process is gone or became another program, server processes without their
postmaster) is cleared before a start; PostgreSQL then recovers by itself.

**Access** is a unix socket in a directory that only the account running PostgreSQL (and root) can enter, so there is no
port and no password. Layout of ``<data directory>/postgres``: ``cluster`` (PostgreSQL's files), ``socket``, ``log``,
``postgresql.conf`` and ``pg_hba.conf`` (written at every start), two lock files.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psutil
import psycopg

from odds_pipeline.data_dir import CLUSTER, UnusableDataDirectory, usable
from odds_pipeline.database.cluster import SUPERUSER, Cluster, ForeignCluster
from odds_pipeline.database.create import CannotCreateDatabase, create_if_missing
from odds_pipeline.database.file_locks import LockTimeout, SharedClaim, exclusive_lock, is_claimed
from odds_pipeline.database.postmaster import clear_crash, is_server_of, launch, read_pid_file
from odds_pipeline.database.programs import ProgramFailed
from odds_pipeline.service_account import NoServiceAccount

DATABASES = ("odds", "dagster")

START_TIMEOUT_S = 300.0
"""Recovery after a crash replays up to ``max_wal_size`` of log before the server answers."""
STOP_TIMEOUT_S = 60.0

_POLL_S = 0.02
_log = logging.getLogger(__name__)


class EmbeddedServerError(Exception):
    """The embedded PostgreSQL cannot be started, reached or stopped; the message says why."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the server answers now; ``detail`` is its version, or why it does not answer."""

    is_serving: bool
    detail: str
    pid: int | None


class EmbeddedServer:
    """One process's use of the embedded server of a data directory; made by ``ensure``.

    As a context manager it leaves at the end of the block; else the process leaves when it ends.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._cluster = Cluster(data_dir / CLUSTER.parent)
        self._users = self._cluster.home / "users.lock"
        self._claim: SharedClaim | None = None

    @classmethod
    def ensure(cls, data_dir: Path, *, overrides: Mapping[str, str] | None = None) -> EmbeddedServer:
        """Join the server of ``data_dir``, starting it (and making it, with its databases) when need be.

        ``overrides``: PostgreSQL settings instead of ``SERVER_SETTINGS``, used if this call is the one to start it.
        Raises ``EmbeddedServerError``.
        """
        with _one_error(data_dir):
            server = cls(usable(data_dir))
            server._cluster.account()  # whose it is, before a lock of theirs is refused with less to say
            server._cluster.home.mkdir(exist_ok=True)
            if server._cluster.home.stat().st_uid == os.geteuid():
                server._cluster.home.chmod(0o711)
            with server._alone():
                claim = SharedClaim(server._users)
                try:
                    server._bring_up(overrides or {})
                except BaseException:
                    claim.release()
                    raise
                server._claim = claim
        atexit.register(server.leave)
        return server

    def url(self, database: str = DATABASES[0]) -> str:
        """The libpq URL of a database of this server: for psycopg, SQLAlchemy and ADBC alike.

        Raises ``EmbeddedServerError`` when the server is not running.
        """
        postmaster = read_pid_file(self._cluster.path)
        if postmaster is None or postmaster.socket_directory is None:
            raise EmbeddedServerError(f"the embedded PostgreSQL of {self.data_dir} is not running")
        host = quote(str(postmaster.socket_directory), safe="/")
        # With its port, or a PGPORT in somebody's environment would change it.
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={postmaster.port}"

    def health(self) -> Health:
        """Ask the server over a new connection; a server that is down is an answer, not an error."""
        try:
            with self._connect() as connection:
                version = connection.info.server_version
        except (EmbeddedServerError, psycopg.Error, OSError) as error:
            return Health(False, str(error).strip(), None)
        postmaster = read_pid_file(self._cluster.path)
        pid = postmaster.pid if postmaster else None
        return Health(True, f"PostgreSQL {version // 10000}.{version % 10000}", pid)

    def leave(self) -> None:
        """Stop using the server; the last user to leave stops it. Raises ``EmbeddedServerError``."""
        if self._claim is None:
            return
        atexit.unregister(self.leave)
        with _one_error(self.data_dir), self._alone():
            self._claim.release()
            self._claim = None
            if not is_claimed(self._users):
                self._shut_down()

    def stop(self) -> None:
        """Stop the server now, whoever else uses it (their connections break), and leave.

        Raises ``EmbeddedServerError``.
        """
        with _one_error(self.data_dir), self._alone():
            self._shut_down()
        self.leave()

    def __enter__(self) -> EmbeddedServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process starts, joins or stops this server meanwhile."""
        with exclusive_lock(self._cluster.home / "start.lock", timeout_s=START_TIMEOUT_S + STOP_TIMEOUT_S):
            yield

    def _bring_up(self, overrides: Mapping[str, str]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        launched: int | None = None
        while True:
            try:
                with self._connect() as connection:
                    for name in DATABASES:
                        create_if_missing(connection, name)
                    return
            except (EmbeddedServerError, psycopg.OperationalError) as error:
                problem = str(error).strip()
            # One that runs without answering is starting, recovering, or stopping: the last is started again.
            if not self._is_running(launched):
                if launched is not None:
                    raise EmbeddedServerError(f"it ended while starting: {self._cluster.end_of_log()}")
                launched = self._launch(overrides)
            elif time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"it has not answered for {START_TIMEOUT_S:.0f} s: {problem}\n{self._cluster.end_of_log()}"
                )
            time.sleep(_POLL_S)

    def _launch(self, overrides: Mapping[str, str]) -> int:
        left_behind = read_pid_file(self._cluster.path)
        if left_behind is not None:
            _log.warning("the embedded PostgreSQL of %s was not shut down; it recovers now", self.data_dir)
            clear_crash(left_behind, name=self._cluster.name)
        programs = self._cluster.prepare(overrides)
        return launch(programs, self._cluster.path, configuration=self._cluster.configuration, log=self._cluster.log)

    def _is_running(self, launched: int | None) -> bool:
        postmaster = read_pid_file(self._cluster.path)
        pids = [pid for pid in (launched, postmaster and postmaster.pid) if pid is not None]
        return any(is_server_of(pid, self._cluster.path) for pid in pids)

    def _shut_down(self) -> None:
        postmaster = read_pid_file(self._cluster.path)
        if postmaster is not None:
            postmaster.stop(timeout_s=STOP_TIMEOUT_S)
            if postmaster.socket_directory and not postmaster.socket_directory.is_relative_to(self._cluster.home):
                with suppress(OSError):  # made in the temporary directory for a path that clients cannot use
                    postmaster.socket_directory.rmdir()

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10)
        served = connection.execute("SHOW data_directory").fetchone()
        if served != (str(self._cluster.path),):
            # A copy of another data directory, made with its pid file while its server ran.
            connection.close()
            raise EmbeddedServerError(f"its pid file leads to the server of {served and served[0]}")
        return connection


def stop_abandoned(data_dir: Path) -> bool:
    """Stop the server of ``data_dir`` if nobody uses it (its users were killed); whether it is stopped now."""
    server = EmbeddedServer(data_dir.resolve())
    if not server._cluster.home.is_dir():
        return True
    with _one_error(data_dir), server._alone():
        if is_claimed(server._users):
            return False
        server._shut_down()
        return True


@contextmanager
def _one_error(data_dir: Path) -> Iterator[None]:
    """Whatever goes wrong below is an ``EmbeddedServerError`` that names the data directory."""
    try:
        yield
    except (
        CannotCreateDatabase,
        EmbeddedServerError,
        ForeignCluster,
        LockTimeout,
        NoServiceAccount,
        OSError,
        ProgramFailed,
        UnusableDataDirectory,
        psutil.Error,
        psycopg.Error,
    ) as error:
        raise EmbeddedServerError(f"the embedded PostgreSQL of {data_dir} cannot be used: {error}") from error
