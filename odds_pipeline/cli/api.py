"""``odds-pipeline api``: the questions over HTTP until interrupted."""

from __future__ import annotations

from typing import Annotated

import typer

from odds_pipeline.api.server import ApiServer
from odds_pipeline.api.service import open_service
from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.cli.interruption import terminated_like_interrupted
from odds_pipeline.clock import SystemClock
from odds_pipeline.settings import Settings


def api(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 8000,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. Anybody who can reach it can read everything: reading needs no password."
        ),
    ] = "127.0.0.1",
) -> None:
    """Answer questions over HTTP, on this machine only unless --host says otherwise, until Ctrl-C.

    PostgreSQL lets its sessions read and nothing else. Only with ODDS_REFRESH_TOKEN set can an event be refreshed, by
    whoever sends that token. docs/api.md has every question with examples; / and /openapi.json describe them.

    Example: odds-pipeline api --port 8000, then: curl http://127.0.0.1:8000/events?limit=5
    """
    with one_line_failures(), terminated_like_interrupted(), open_service(Settings(), SystemClock()) as service:
        server = ApiServer(service, host=host, port=port)
        typer.echo(f"The API: {server.url}   Ctrl-C stops it.")
        server.run()
