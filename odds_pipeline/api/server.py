"""The web server: one socket, the application behind it, until it is stopped."""

from __future__ import annotations

import socket

import uvicorn

from odds_pipeline.api.app import build_app
from odds_pipeline.api.service import Service

_BACKLOG = 256
_GRACE_S = 10


class AddressTaken(OSError):
    """The host and port cannot be listened on; the message says why."""


class ApiServer:
    """The API on ``host`` and ``port`` (0: any free one), which is open from the start. Raises ``AddressTaken``."""

    def __init__(self, service: Service, *, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise AddressTaken(
                f"{host} port {port} cannot be listened on ({error.strerror}); choose another with --host and --port"
            ) from None
        self._host = f"[{host}]" if ":" in host else host
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                build_app(service),
                log_level="warning",
                access_log=False,
                # Questions under way are answered; those that take longer are cut off.
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self._host}:{self._socket.getsockname()[1]}"

    def run(self) -> None:
        """Serve until ``stop`` is called or, in the main thread, until interrupted."""
        try:
            self._uvicorn.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Make ``run`` return; safe from any thread."""
        self._uvicorn.should_exit = True
