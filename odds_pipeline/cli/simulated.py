"""The simulator that ``run`` and ``up`` start when nobody named other bookmakers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from odds_pipeline.clock import SystemClock
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.simulator import Simulator


def needs_simulator(settings: Settings) -> bool:
    """Whether somebody has to start one: no bookmaker is real, and not all have an address already."""
    return settings.source == "simulator" and any(settings.of(slug).url is None for slug in settings.bookmakers)


def simulator_of(settings: Settings, *, offset: timedelta = timedelta()) -> Simulator:
    """The simulator of the settings, in a process of its own so that it does not slow the scraper; not started yet.

    ``offset``: how far its world is from real time.
    """
    return Simulator(
        events=settings.simulator_events,
        seed=settings.simulator_seed,
        port=settings.simulator_port,
        period=settings.cycle_interval,
        clock=SystemClock(offset),
        own_process=True,
    )


def pointed_at(settings: Settings, urls: Mapping[str, str]) -> Settings:
    """The settings with each bookmaker's address taken from ``urls``."""
    sections = {slug: settings.of(slug).model_copy(update={"url": urls[slug]}) for slug in settings.bookmakers}
    return settings.model_copy(update=sections)
