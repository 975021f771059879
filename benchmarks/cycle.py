"""One whole cycle against the simulator, as a ratio to the time that the slowest bookmaker's answers take.

The floor: all requests of the slowest bookmaker, discovery included, x (mean latency + delay) / parallelism. The
simulator is a process of its own with the latencies that were measured at the real bookmakers; this process scrapes,
compares and writes as the pipeline does, without Dagster around it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import psutil

from odds_pipeline.archive.store import Archive
from odds_pipeline.clock import SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.scrape.collect import Collected
from odds_pipeline.scrape.cycle import scrape_cycle, write_scraped
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.latency import REALISTIC
from odds_pipeline.simulator.simulator import Simulator

from .measure import peak_memory_mb, reset_peak_memory, say, timed
from .scratch import scratch_database, scratch_directory

EVENTS = 1_300
_IDLE_SHARE = 0.2
_IDLE_SAMPLES = 3


def run() -> None:
    """Measure a cold and two warm cycles and print."""
    say(f"cycle of {EVENTS:,} events at three bookmakers, with their real latencies and the settings' parallelism")
    with (
        scratch_directory() as directory,
        scratch_database(directory) as database,
        Simulator(events=EVENTS, latency="realistic", own_process=True) as simulator,
    ):
        assert simulator.pid is not None
        server = psutil.Process(simulator.pid)
        for name in ("cold", "warm", "warm"):
            _wait_until_rendered(server)
            reset_peak_memory()
            _measure(name, database, server, simulator, Settings(data_dir=directory))
            simulator.advance()


def _measure(name: str, database: Database, server: psutil.Process, simulator: Simulator, settings: Settings) -> None:
    assert settings.data_dir is not None
    settings = settings.model_copy(
        update={slug: settings.of(slug).model_copy(update={"url": url}) for slug, url in simulator.urls.items()}
    )
    simulated = _cpu_seconds(server)
    (cycle, collected), scraping = timed(
        lambda: scrape_cycle(
            database,
            settings.bookmakers,
            trigger="manual",
            settings=settings,
            clock=SystemClock(),
            staging_root=settings.data_dir / "staging",  # type: ignore[operator]
        )
    )
    simulated = _cpu_seconds(server) - simulated
    record, writing = timed(
        lambda: write_scraped(database, Archive.from_settings(settings), cycle, settings=settings, clock=SystemClock())
    )
    floors = {slug: _floor_s(found, settings, slug) for slug, found in collected.items()}
    slowest = max(floors, key=lambda slug: floors[slug])
    whole = scraping.wall + writing.wall
    spread = collected[slowest].median_spread_s
    say(f"  {name}: {whole:.1f} s = {whole / floors[slowest]:.2f} x floor of {floors[slowest]:.1f} s ({slowest}); "
        f"scrape {scraping.wall:.1f} s, write {writing.wall:.2f} s")  # fmt: skip
    say(f"    median spread of a match's answers {spread:.2f} s; peak memory {peak_memory_mb():,.0f} MB; "
        f"processor: scrape {scraping.cpu:.1f} s, write {writing.cpu:.1f} s, simulator {simulated:.1f} s")  # fmt: skip
    say(
        f"    {_sum(collected, 'found'):,} listings, {record.observations:,} markets, "
        f"{record.outcomes_stored:,} outcomes; {record.new:,} new, {record.changed:,} changed; {record.seconds}"
    )
    for slug, found in collected.items():
        say(f"    {slug}: {found.requests:,} requests of mean {found.request_seconds / found.requests * 1000:.0f} ms, "
            f"discovery {found.discovery_seconds:.1f} s, answers {found.answers_seconds:.1f} s, "
            f"floor {floors[slug]:.1f} s, failed {found.failed}")  # fmt: skip


def _floor_s(found: Collected, settings: Settings, slug: str) -> float:
    limits = settings.of(slug)
    return found.requests * (REALISTIC[slug].mean + limits.delay_ms / 1000) / limits.parallelism


def _sum(collected: Mapping[str, Collected], name: str) -> int:
    return sum(getattr(found, name) for found in collected.values())


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _wait_until_rendered(server: psutil.Process) -> None:
    """Until the simulator has its answers ready: it then computes next to nothing."""
    idle = 0
    while idle < _IDLE_SAMPLES:
        before = _cpu_seconds(server)
        time.sleep(0.5)
        idle = idle + 1 if _cpu_seconds(server) - before < 0.5 * _IDLE_SHARE else 0
