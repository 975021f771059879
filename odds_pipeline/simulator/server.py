"""One simulator server: its options, its socket, the web server, and the thread that renders answers ahead."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import msgspec
import uvicorn

from odds_pipeline.clock import Clock
from odds_pipeline.simulator.app import Application, ConnectionProtocol
from odds_pipeline.simulator.captures import CapturedOffer
from odds_pipeline.simulator.latency import Latency, LatencyPreset, answer_times
from odds_pipeline.simulator.schedule import BOOKMAKERS, EPOCH
from odds_pipeline.simulator.world import Offer, Sizes, World

_HOST = "127.0.0.1"
_BACKLOG = 1024


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate. ``port`` 0 takes any free port; ``period_s`` is the time in which 5 % of the markets move.

    ``captures``: serve that folder's answers instead of a world. ``render_ahead``: keep all answers of the current and
    the next period ready, which is worth its work when most of them will be asked for.
    """

    events: int = 200
    seed: int = 1
    port: int = 0
    latency: LatencyPreset | dict[str, Latency] = "none"
    markets: Sizes = "audit"
    period_s: float = 300.0
    captures: str | None = None
    render_ahead: bool = False


class Server:
    """A simulator on loopback; its port is open from the start. Raises ``OSError`` when the port is taken."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._renderer: _Renderer | None = None
        offer: Offer
        if options.captures is not None:
            offer = CapturedOffer(Path(options.captures), clock)
        else:
            world = World(
                seed=options.seed,
                events=options.events,
                clock=clock,
                period=timedelta(seconds=options.period_s),
                sizes=options.markets,
            )
            offer = world
            if options.render_ahead:
                self._renderer = _Renderer(world)
        self.application = Application(
            offer,
            clock=clock,
            latency=answer_times(options.latency),
            seed=options.seed,
            on_advance=self._renderer.wake if self._renderer else lambda: None,
        )

        self._socket = socket.create_server((_HOST, options.port), backlog=_BACKLOG)
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                self.application.asgi(),
                http=ConnectionProtocol,
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_keep_alive=60,
                # A request that was asked to hang must not keep the server from stopping.
                timeout_graceful_shutdown=0,
            )
        )

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._socket.getsockname()[1]}"

    def run(self) -> None:
        """Serve until ``stop`` is called or, in the main thread, until interrupted."""
        if self._renderer:
            self._renderer.start()
        try:
            self._uvicorn.run(sockets=[self._socket])
        finally:
            if self._renderer:
                self._renderer.stop()
            self._socket.close()

    def stop(self) -> None:
        """Make ``run`` return; safe from any thread."""
        self._uvicorn.should_exit = True


def base_urls(url: str) -> dict[str, str]:
    """The bookmakers' base URLs of the simulator at ``url``, by slug."""
    return {slug: f"{url}/{slug}" for slug in BOOKMAKERS}


def environment(url: str) -> dict[str, str]:
    """The environment variables that point the pipeline at the simulator at ``url``."""
    return {f"ODDS_{slug.upper()}__URL": base for slug, base in base_urls(url).items()}


class _Renderer(Thread):
    """Renders the answers of the current period, then those of the next, whenever a new period begins."""

    def __init__(self, world: World) -> None:
        super().__init__(name="simulator-renderer", daemon=True)
        self._world = world
        self._changed = Event()
        self._stopped = False

    def wake(self) -> None:
        """The world's time was moved: begin again with the period that is current now."""
        self._changed.set()

    def stop(self) -> None:
        self._stopped = True
        self._changed.set()
        self.join()

    def run(self) -> None:
        while not self._stopped:
            self._changed.clear()
            if self._render(0) and self._render(1):
                self._changed.wait(self._seconds_to_next_period())

    def _render(self, periods: int) -> bool:
        """Whether all was rendered before something changed."""
        return not any(self._changed.is_set() for _ in self._world.render_ahead(periods))

    def _seconds_to_next_period(self) -> float:
        now = self._world.now()
        return (self._world.period - (now - EPOCH) % self._world.period).total_seconds()
