"""``Simulator``: a running simulator for tests and commands, in a thread or in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from odds_pipeline.clock import Clock, SystemClock
from odds_pipeline.simulator.faults import Fault
from odds_pipeline.simulator.latency import Latency, LatencyPreset
from odds_pipeline.simulator.server import Options, Server, base_urls, environment
from odds_pipeline.simulator.world import Sizes

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0


class SimulatorFailed(RuntimeError):
    """The simulator's process did not start; the message says what it wrote."""


class Simulator:
    """The three bookmakers on loopback while the ``with`` block lasts.

    ``own_process`` keeps its work away from the caller's interpreter; then only a ``SystemClock`` can be passed on.
    ``latency`` is a preset, or answer times by bookmaker. ``period`` is the time in which 5 % of the markets move;
    ``captures`` serves a folder of real answers instead.

    >>> with Simulator(events=20) as simulator:
    ...     simulator.urls["betpawa"]
    ...     simulator.add_fault(Fault(kind=FaultKind.HTML, bookmaker="sportybet", target="event", times=1))
    ...     simulator.advance()
    """

    def __init__(
        self,
        *,
        events: int = 200,
        seed: int = 1,
        port: int = 0,
        latency: LatencyPreset | Mapping[str, Latency] = "none",
        markets: Sizes = "audit",
        period: timedelta = timedelta(minutes=5),
        captures: Path | None = None,
        clock: Clock | None = None,
        own_process: bool = False,
        render_ahead: bool | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._own_process = own_process
        if own_process and not isinstance(self._clock, SystemClock):
            raise ValueError("a simulator in a process of its own runs on a SystemClock")
        self._options = Options(
            events=events,
            seed=seed,
            port=port,
            latency=latency if isinstance(latency, str) else dict(latency),
            markets=markets,
            period_s=period.total_seconds(),
            captures=None if captures is None else str(captures),
            render_ahead=own_process if render_ahead is None else render_ahead,
        )
        self._server: Server | None = None
        self._thread: Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._control: httpx.Client | None = None
        self.url = ""
        """Where it listens; empty until it was started."""

    @property
    def urls(self) -> dict[str, str]:
        """The base URL of each bookmaker, by slug."""
        return base_urls(self.url)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point the pipeline here."""
        return environment(self.url)

    @property
    def pid(self) -> int | None:
        """The process id of a simulator in a process of its own, None in a thread."""
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped, and its process, if it has one of its own, has not died."""
        if self._process is not None:
            return self._process.poll() is None
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> Self:
        """Start serving. Raises ``OSError`` (port taken), ``CapturesError``, ``SimulatorFailed``."""
        if self._own_process:
            self.url = self._start_process()
        else:
            self._server = Server(self._options, self._clock)
            self._thread = Thread(target=self._server.run, name="simulator", daemon=True)
            self._thread.start()
            self.url = self._server.url
        self._control = httpx.Client(base_url=f"{self.url}/control", timeout=_START_TIMEOUT_S, trust_env=False)
        return self

    def stop(self) -> None:
        """Stop serving; open requests are broken off."""
        if self._control is not None:
            self._control.close()
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
        if self._process is not None:
            self._stop_process(self._process)
        self._server = self._thread = self._process = self._control = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def advance(self, periods: int = 1) -> datetime:
        """Move the world on by whole periods and return its time."""
        return datetime.fromisoformat(self._ask("POST", "/advance", {"periods": periods})["now"])

    def state(self) -> dict[str, Any]:
        """``now`` (the world's time), and by bookmaker ``events`` listed and ``requests`` answered so far."""
        return self._ask("GET", "/state")

    def add_fault(self, fault: Fault) -> None:
        """Let answers go wrong from now on."""
        self._ask("POST", "/faults", msgspec.to_builtins(fault))

    def clear_faults(self) -> None:
        """Let everything go right again."""
        self._ask("DELETE", "/faults")

    def _ask(self, method: str, path: str, document: Any = None) -> Any:
        if self._control is None:
            raise RuntimeError("the simulator is not running; use it as a context manager")
        answer = self._control.request(method, path, json=document)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _start_process(self) -> str:
        offset = self._clock.offset if isinstance(self._clock, SystemClock) else timedelta()
        options = msgspec.json.encode(self._options).decode()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "odds_pipeline.simulator", options, str(offset.total_seconds())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C goes to the owner, which stops this when it has no more use for it.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline().decode().strip()
        if not line.startswith("http://"):
            said = self._process.stderr.read().decode().strip().splitlines()
            self._stop_process(self._process)
            self._process = None
            raise SimulatorFailed(f"the simulator did not start: {said[-1] if said else 'it said nothing'}")
        return line

    @staticmethod
    def _stop_process(process: subprocess.Popen[bytes]) -> None:
        """The process ends when its standard input does, so it never outlives its owner either."""
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
