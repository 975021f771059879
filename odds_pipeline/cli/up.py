"""``odds-pipeline up``: database, simulator, Dagster's webserver and daemon, until Ctrl-C."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import dagster as dg
import httpx
import psutil
import typer
from rich.console import Console

from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.cli.instance import prepare
from odds_pipeline.cli.interruption import terminated_like_interrupted
from odds_pipeline.cli.simulated import needs_simulator, simulator_of
from odds_pipeline.data_dir import data_directory
from odds_pipeline.database.embedded import EmbeddedServerError
from odds_pipeline.database.engine import DatabaseUrls
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.simulator import Simulator

_HOST = "127.0.0.1"
_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 20.0
_LOG_LINES_SHOWN = 15
_POLL_S = 0.3
_DATABASE_POLL_S = 3.0


class ChildDied(RuntimeError):
    """One of the processes ended by itself; the message holds the end of its log."""


class PortTaken(RuntimeError):
    """Something else listens on the port that the UI was to have."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process that ``up`` keeps."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def obituary(self) -> str:
        """How it ended, with the end of its log."""
        with self.log.open(errors="replace") as lines:
            end = "".join(deque(lines, _LOG_LINES_SHOWN))
        return f"{self.name} ended by itself with exit code {self.process.wait()}; the end of {self.log}:\n{end}"


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Dagster UI, on this machine only.")] = 3000,
) -> None:
    """Start everything and keep it running: the database, the simulator, the Dagster UI, and the daemon.

    The daemon's sensors then run a cycle every few minutes. Ctrl-C stops all of it; the data stays. With
    ODDS_SOURCE=live no simulator is started, and the real bookmakers are asked.

    Example: odds-pipeline up --port 3000
    """
    with one_line_failures():
        keep_up(Settings(), port, Console())


def keep_up(settings: Settings, port: int, console: Console) -> None:
    """Start all processes, print where the UI is, and wait for an interruption.

    Raises ``PortTaken``, and ``ChildDied`` after stopping the rest.
    """
    _require_free(port)
    with terminated_like_interrupted(), ExitStack() as stack:
        with console.status("Starting the database"):
            prepared = prepare(settings)
        environment: dict[str, str] = {}
        # Made here, once: the webserver and the daemon would otherwise race to make Dagster's tables.
        dg.DagsterInstance.get().dispose()
        children: list[Child] = []
        simulator = None
        if needs_simulator(settings):
            with console.status("Starting the simulator"):
                simulator = stack.enter_context(simulator_of(settings))
            environment = simulator.environment
        logs = data_directory(settings) / "logs"
        logs.mkdir(exist_ok=True)
        stack.callback(_stop, children)
        workspace = ["--workspace", str(prepared.workspace)]
        serve = ["dagster_webserver", "--host", _HOST, "--port", str(port), *workspace]
        children.append(_start("the webserver", serve, environment, prepared.workspace.parent, logs / "webserver.log"))
        daemon = ["dagster._daemon", "run", *workspace]
        children.append(_start("the daemon", daemon, environment, prepared.workspace.parent, logs / "daemon.log"))
        with console.status("Starting the Dagster UI"):
            _wait_until_served(port, children, simulator)
        console.print(f"Dagster UI: [bold]http://{_HOST}:{port}[/bold]   Ctrl-C stops everything.")
        console.print(f"Logs: {logs}", soft_wrap=True)
        try:
            _watch(children, simulator, settings, console)
        except KeyboardInterrupt:
            console.print("Stopping")


def _start(name: str, module: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Child:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            env=os.environ | dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for us alone; the children are stopped in order.
            start_new_session=True,
        )
    return Child(name, process, log)


def _watch(children: Sequence[Child], simulator: Simulator | None, settings: Settings, console: Console) -> None:
    """Return never; raise ``ChildDied`` for the first process that ends. The database is started again."""
    looked_at, told = time.monotonic(), ""
    while True:
        _require_alive(children, simulator)
        if settings.database_url is None and time.monotonic() - looked_at > _DATABASE_POLL_S:
            looked_at = time.monotonic()
            # Nobody else would: Dagster's processes ask it what to do, so without it they do nothing.
            try:
                DatabaseUrls.from_settings(settings)
                told = ""
            except EmbeddedServerError as error:
                if str(error) != told:
                    told = str(error)
                    console.print(told, style="red", soft_wrap=True)
        time.sleep(_POLL_S)


def _require_alive(children: Sequence[Child], simulator: Simulator | None) -> None:
    if simulator is not None and not simulator.is_running:
        raise ChildDied("the simulator ended by itself; the rest is stopped")
    for child in children:
        if child.process.poll() is not None:
            raise ChildDied(child.obituary())


def _wait_until_served(port: int, children: Sequence[Child], simulator: Simulator | None) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        _require_alive(children, simulator)
        try:
            httpx.get(f"http://{_HOST}:{port}/server_info", timeout=5).raise_for_status()
            return
        except httpx.HTTPError as error:
            if time.monotonic() > deadline:
                raise ChildDied(f"the Dagster UI does not answer on port {port}: {error}") from None
        time.sleep(_POLL_S)


def _stop(children: Sequence[Child]) -> None:
    """End Dagster's processes in good order, then whatever is left of them and of the workers they started."""
    ours = [child.process for child in children]
    family = _families([process.pid for process in ours])
    for process in ours:
        process.terminate()
    _, alive = psutil.wait_procs(family, timeout=_STOP_TIMEOUT_S)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=_STOP_TIMEOUT_S)


def _families(sessions: Collection[int]) -> list[psutil.Process]:
    """The processes of the children's sessions: their workers too, whose parent may be dead already."""
    family: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                family.append(process)
    return family


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise PortTaken(f"port {port} is taken ({error.strerror}); choose another with --port") from None
