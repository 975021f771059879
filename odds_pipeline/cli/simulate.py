"""``odds-pipeline simulate``: the three bookmakers on loopback until interrupted."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.clock import SystemClock
from odds_pipeline.simulator.server import Options, Server, base_urls, environment


class LatencyChoice(StrEnum):
    """How long the bookmakers take to answer."""

    NONE = "none"
    REALISTIC = "realistic"


class MarketsChoice(StrEnum):
    """How many markets a match has."""

    AUDIT = "audit"
    XL = "xl"
    FULL = "full"


def simulate(
    events: Annotated[int, typer.Option(min=1, help="Matches listed at any moment.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another world.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 0,
    latency: Annotated[
        LatencyChoice, typer.Option(help="Answer at once, or as slowly as the real bookmakers.")
    ] = LatencyChoice.NONE,
    markets: Annotated[
        MarketsChoice,
        typer.Option(help="As many markets as on the average match, as 680,000 on 1,300 matches, or as on a big one."),
    ] = MarketsChoice.AUDIT,
    captures: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Serve the captured answers in DIR/<bookmaker>/*.json instead of a simulated world.",
        ),
    ] = None,
    period: Annotated[float, typer.Option(min=0.1, help="Seconds in which 5 % of the markets move.")] = 300.0,
) -> None:
    """Serve the three bookmakers' APIs on loopback, and say how to point the pipeline at them.

    The world depends on seed and time only, so a restart continues it. Faults, and steps in time, are asked for under
    /control; docs/simulator.md has the list.

    Example: odds-pipeline simulate --events 50 --latency realistic
    """
    with one_line_failures():
        options = Options(
            events=events,
            seed=seed,
            port=port,
            latency="realistic" if latency is LatencyChoice.REALISTIC else "none",
            markets=markets.value,
            period_s=period,
            captures=None if captures is None else str(captures),
            render_ahead=True,
        )
        server = Server(options, SystemClock())
        typer.echo("The bookmakers:")
        for slug, base in base_urls(server.url).items():
            typer.echo(f"  {slug:<10} {base}")
        typer.echo(f"  {'control':<10} {server.url}/control")
        typer.echo("\nTo point the pipeline at them:")
        for name, value in environment(server.url).items():
            typer.echo(f"  export {name}={value}")
        typer.echo("\nCtrl-C stops it.")
        server.run()
