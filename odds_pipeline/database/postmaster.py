"""The server process of a cluster: reading its pid file, launching it, stopping it, and what a crash leaves behind."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from odds_pipeline.database.programs import ProgramFailed, Programs

_ORPHAN_GRACE_S = 2.0
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What ``postmaster.pid`` says: true while the process that wrote it lives."""

    pid: int
    cluster: Path
    port: str
    socket_directory: Path | None
    """None until the server has come so far."""

    def is_running(self) -> bool:
        return is_server_of(self.pid, self.cluster)

    def stop(self, *, timeout_s: float) -> None:
        """End it: disconnecting clients at first, without waiting for a checkpoint after ``timeout_s``.

        Nothing committed is lost either way. Raises ``psutil.TimeoutExpired`` when it survives both.
        """
        for request in (signal.SIGINT, signal.SIGQUIT):
            try:
                process = psutil.Process(self.pid)
                if self.is_running():
                    process.send_signal(request)
            except psutil.NoSuchProcess:
                return
            # Not psutil's wait, for which a process is there until its parent has taken note of its end: that is up to
            # the machine's init, and a container's may never do so.
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                if not self.is_running():
                    return
                time.sleep(_POLL_S)
        raise psutil.TimeoutExpired(timeout_s, self.pid, "postgres")


def read_pid_file(cluster: Path) -> Postmaster | None:
    """The postmaster that the cluster's pid file names, running or not; None without a (whole) pid file.

    Lines of the file (PostgreSQL's miscadmin.h): pid, data directory, start time, port, socket directory, address,
    shared memory, status.
    """
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    port, socket_directory = (lines[3].strip(), lines[4].strip()) if len(lines) > 4 else ("", "")
    return Postmaster(pid, cluster, port, Path(socket_directory) if socket_directory else None)


def is_server_of(pid: int, cluster: Path) -> bool:
    """Whether the process is a PostgreSQL server of ``cluster``, not a stranger to whom its pid was given again."""
    try:
        process = psutil.Process(pid)
        command = process.cmdline()
        if process.status() == psutil.STATUS_ZOMBIE or not command or Path(command[0]).name != "postgres":
            return False
        if str(cluster) in command:
            return True
        # Started by hand under another name of the same directory: the postmaster works in its cluster.
        return Path(process.cwd()).samefile(cluster)
    except (psutil.Error, OSError):
        return False


def launch(programs: Programs, cluster: Path, *, configuration: Path, log: Path) -> int:
    """Start the server, detached from us, and return its pid; it does not answer yet. Raises ``ProgramFailed``.

    A shell starts it in the background and ends, so that the server is nobody's child: it survives us, and leaves no
    zombie that would keep its pid taken.
    """
    arguments = ["-D", str(cluster), "-c", f"config_file={configuration}"]
    try:
        started = subprocess.run(
            ["/bin/sh", "-c", '"$@" </dev/null >>"$0" 2>&1 & echo $!', str(log), programs.path("postgres"), *arguments],
            capture_output=True,
            cwd=cluster,
            start_new_session=True,
            check=True,
            **programs.process_options,
        )
        return int(started.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise ProgramFailed(f"{programs.path('postgres')} cannot be started: {error}") from error


def clear_crash(postmaster: Postmaster, *, name: str) -> None:
    """Clear what a server that is not running any more left behind, so that the next one may start.

    ``name``: its ``cluster_name``. Server processes that outlive their postmaster keep the cluster locked until their
    query ends: they get a moment, then they are killed. A pid file whose pid belongs to a stranger by now would stop
    the next server, which cannot tell strangers from its own kind: it is removed.
    """
    began = time.monotonic()
    while orphans := [process for process in psutil.process_iter() if _is_named(process, name)]:
        waited = time.monotonic() - began
        if waited > 2 * _ORPHAN_GRACE_S:
            break  # not even killed: the next server says what holds it up
        if waited > _ORPHAN_GRACE_S:
            for process in orphans:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        time.sleep(_POLL_S)
    if psutil.pid_exists(postmaster.pid) and not postmaster.is_running():
        (postmaster.cluster / "postmaster.pid").unlink(missing_ok=True)


def _is_named(process: psutil.Process, name: str) -> bool:
    try:
        return " ".join(process.cmdline()).startswith(f"postgres: {name}: ")
    except psutil.Error:
        return False
