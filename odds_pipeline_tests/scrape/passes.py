"""A whole pass against sites on loopback: the servers, the settings and the staged result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from odds_pipeline.bookmakers.registry import enabled
from odds_pipeline.clock import SystemClock
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import Listing
from odds_pipeline.scrape.collect import Collected, Progress, collect
from odds_pipeline.scrape.staging import Staging
from odds_pipeline_tests.bookmakers.loopback import Loopback
from odds_pipeline_tests.bookmakers.sites import Site, quick_settings

CYCLE = datetime(2030, 3, 2, 12, 0, tzinfo=UTC)
MAPPER = Mapper.load()


@dataclass(frozen=True)
class Passed:
    """What one pass left behind."""

    collected: dict[str, Collected]
    staging: Staging
    servers: dict[str, Loopback]
    progress: list[Progress]

    def coverage(self, bookmaker: str) -> dict[str | None, dict[str, Any]]:
        """Coverage rows by external event id; the discovery's under None."""
        return {row["external_event_id"]: row for row in self.staging.read_coverage(bookmaker).iter_rows(named=True)}

    def observations(self, bookmaker: str) -> pl.DataFrame:
        return self.staging.scan_observations(bookmaker).collect()


def scrape(
    folder: Path,
    *sites: Site,
    only_event: Iterable[Listing] | None = None,
    limits: Mapping[str, Mapping[str, Any]] | None = None,
    wrap: Callable[[Sequence[Any]], Sequence[Any]] = lambda bookmakers: bookmakers,
    **changes: Any,
) -> Passed:
    """Collect from ``sites`` over HTTP. ``limits`` are per bookmaker, ``changes`` for all of them."""

    async def run() -> Passed:
        async with AsyncExitStack() as stack:
            servers = {site.slug: await stack.enter_async_context(Loopback(site.answer)) for site in sites}
            settings = quick_settings({slug: server.url for slug, server in servers.items()}, **changes)
            sections = {
                slug: settings.of(slug).model_copy(update=dict((limits or {}).get(slug, {}))) for slug in servers
            }
            settings = settings.model_copy(update={**sections, "bookmakers": tuple(servers)})
            staging, progress = Staging(folder, 7), list[Progress]()
            collected = await collect(
                wrap(enabled(settings)),
                run_id=7,
                cycle_at=CYCLE,
                settings=settings,
                mapper=MAPPER,
                clock=SystemClock(),
                staging=staging,
                only_event=only_event,
                progress=progress.append,
            )
            return Passed(collected, staging, servers, progress)

    return asyncio.run(run())
