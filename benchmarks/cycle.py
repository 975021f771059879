"""One whole cycle at scale XL against the simulator: wall as a ratio to its floor, processor time by stage, memory.

The floor: all requests of the slowest bookmaker, discovery included, x (mean latency + delay) / parallelism. The
simulator is a process of its own with the latencies that were measured at the real bookmakers; this process scrapes,
compares and writes as the pipeline does, without Dagster around it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from odds_pipeline.archive.store import Archive
from odds_pipeline.clock import SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.scrape.collect import Collected
from odds_pipeline.scrape.cycle import scrape_cycle, write_scraped
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.latency import REALISTIC, LatencyPreset
from odds_pipeline.simulator.simulator import Simulator

from .cycle_stages import STAGES, Stages, staged
from .measure import peak_memory_mb, reset_peak_memory, say, timed
from .scratch import scratch_database, scratch_directory

EVENTS = 1_300
CYCLES = 3
_MIB_IN_MB = 1.048576
_IDLE_SHARE = 0.2
_IDLE_SAMPLES = 3


def run(events: int = EVENTS, latency: LatencyPreset = "realistic", cycles: int = CYCLES) -> None:
    """Measure a cold cycle and warm ones in one process and print."""
    say(f"cycle of {events:,} events at three bookmakers, answers of scale XL, latencies: {latency}")
    with (
        scratch_directory() as directory,
        scratch_database(directory) as database,
        Simulator(events=events, latency=latency, markets="xl", own_process=True) as simulator,
    ):
        assert simulator.pid is not None
        server = psutil.Process(simulator.pid)
        settings = Settings(data_dir=directory)
        settings = settings.model_copy(
            update={slug: settings.of(slug).model_copy(update={"url": url}) for slug, url in simulator.urls.items()}
        )
        for number in range(cycles):
            _wait_until_rendered(server)
            _measure("warm" if number else "cold", database, directory, server, settings)
            simulator.advance()


def _measure(name: str, database: Database, directory: Path, server: psutil.Process, settings: Settings) -> None:
    archive, clock = Archive.from_settings(settings), SystemClock()
    simulated, stored = _cpu_seconds(server), _server_seconds(database)
    with staged() as stages:
        reset_peak_memory()
        with stages.remaining("fetch"):
            (cycle, collected), scraping = timed(
                lambda: scrape_cycle(
                    database,
                    settings.bookmakers,
                    trigger="manual",
                    settings=settings,
                    clock=clock,
                    staging_root=directory / "staging",
                )
            )
        scrape_peak = peak_memory_mb()
        reset_peak_memory()
        with stages.remaining("write"):
            record, writing = timed(lambda: write_scraped(database, archive, cycle, settings=settings, clock=clock))
        write_peak = peak_memory_mb()
    floors = {slug: _floor_s(found, settings, slug) for slug, found in collected.items()}
    slowest = max(floors, key=lambda slug: floors[slug])
    whole = scraping.wall + writing.wall
    say(f"  {name}: {whole:.1f} s = {whole / floors[slowest]:.2f} x floor of {floors[slowest]:.1f} s ({slowest}); "
        f"scrape {scraping.wall:.1f} s, write {writing.wall:.2f} s; "
        f"median spread of a match's answers {collected[slowest].median_spread_s or 0:.2f} s")  # fmt: skip
    say(
        f"    {_sum(collected, 'found'):,} listings, {record.observations:,} markets, "
        f"{record.outcomes_stored:,} outcomes; {record.new:,} new, {record.changed:,} changed; {record.seconds}"
    )
    for slug, found in collected.items():
        say(f"    {slug}: {found.requests:,} requests of mean {found.request_seconds / found.requests * 1000:.0f} ms, "
            f"discovery {found.discovery_seconds:.1f} s, answers {found.answers_seconds:.1f} s, "
            f"floor {floors[slug]:.1f} s, failed {found.failed}")  # fmt: skip
    say(f"    peak memory: scrape {scrape_peak:,.0f} MB, write {write_peak:,.0f} MB "
        f"(aim {800 * _MIB_IN_MB:,.0f} MB); held afterwards {_held_mb():,.0f} MB")  # fmt: skip
    say(f"    besides, on the same cores: simulator {_cpu_seconds(server) - simulated:.1f} s, "
        f"PostgreSQL {_server_seconds(database) - stored:.1f} s")  # fmt: skip
    _say_stages(stages, scraping.cpu + writing.cpu)


def _say_stages(stages: Stages, whole: float) -> None:
    say()
    say(f"    | processor, s | {' | '.join(STAGES)} | all |")
    say(f"    |---|{'---|' * (len(STAGES) + 1)}")
    say(f"    | | {' | '.join(f'{stages.seconds[stage]:.1f}' for stage in STAGES)} | {whole:.1f} |")
    say()


def _floor_s(found: Collected, settings: Settings, slug: str) -> float:
    limits = settings.of(slug)
    return found.requests * (REALISTIC[slug].mean + limits.delay_ms / 1000) / limits.parallelism


def _sum(collected: Mapping[str, Collected], name: str) -> int:
    return sum(getattr(found, name) for found in collected.values())


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _server_seconds(database: Database) -> float:
    """What PostgreSQL has computed since it started, by backends that have ended too."""
    with database.connect() as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    assert postmaster is not None
    ended = postmaster.cpu_times()
    return ended.children_user + ended.children_system + sum(map(_cpu_seconds, [postmaster, *postmaster.children()]))


def _held_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def _wait_until_rendered(server: psutil.Process) -> None:
    """Until the simulator has its answers ready: it then computes next to nothing."""
    idle = 0
    while idle < _IDLE_SAMPLES:
        before = _cpu_seconds(server)
        time.sleep(0.5)
        idle = idle + 1 if _cpu_seconds(server) - before < 0.5 * _IDLE_SHARE else 0
