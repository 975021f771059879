"""A disk that is full, under what a cycle stages and archives, and under PostgreSQL: a clear failure, nothing torn.

The disks are a tmpfs of a few megabytes, which only an account that may mount can make.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from odds_pipeline.archive.store import Archive, ArchiveUnusable
from odds_pipeline.database import migrate
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.runs import give_up_dead_runs
from odds_pipeline.scrape.cycle import scrape_cycle, write_scraped
from odds_pipeline.scrape.staging import StagingUnusable
from odds_pipeline_tests.attacks.holding import assert_again_changes_nothing, assert_invariants_hold
from odds_pipeline_tests.attacks.rounds import told, wait_until
from odds_pipeline_tests.cycle.small_world import SLUGS, SmallWorld, available, query, stored
from odds_pipeline_tests.database.servers import TEST_SETTINGS

SEED = 604
THERE_WAS_ROOM = "committed: there was room"
ONE_MINUTE = timedelta(minutes=1)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """``folder`` is a disk of its own during the block; skips the test where that cannot be had."""
    folder.mkdir()
    options = f"size={megabytes}m,mode=711"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this account may not mount a small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path, *, but_for: int) -> Iterator[None]:
    """During the block the disk has room for so many bytes only."""
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with ballast.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(1, free - but_for))
    try:
        yield
    finally:
        ballast.unlink()


class Disk:
    """Cycles on a disk that is full now and then."""

    def __init__(self, database: Database, archive: Archive, staging: Path, world: SmallWorld) -> None:
        self.database, self.archive, self.staging, self.world = database, archive, staging, world
        self.draw = random.Random(SEED)
        self.outcomes: Counter[str] = Counter()
        self.right_again()

    def cycle(self) -> WriteRecord:
        settings, clock = self.world.settings, self.world.clock
        cycle, _ = scrape_cycle(
            self.database, SLUGS, trigger="manual", settings=settings, clock=clock, staging_root=self.staging
        )
        return write_scraped(self.database, self.archive, cycle, settings=settings, clock=clock)

    def failure(self, *kinds: type[Exception]) -> Exception | None:
        """What a cycle raises, of these kinds; None: it committed."""
        try:
            self.cycle()
        except kinds as failure:
            return failure
        return None

    def last_run(self) -> tuple[object, ...]:
        return query(self.database, "SELECT status, error, counts FROM scrape_runs ORDER BY id DESC LIMIT 1")[0]

    def check(self) -> None:
        open_runs = query(self.database, "SELECT id FROM scrape_runs WHERE status IN ('pending', 'running')")
        assert_invariants_hold(self.database, self.archive, self.draw, open_runs=[run for (run,) in open_runs])

    def right_again(self) -> None:
        """There is room: the next cycle is right, whatever the one before came to."""
        world = self.world
        now = world.clock.advance(world.settings.dead_run_after + ONE_MINUTE)
        give_up_dead_runs(self.database, settings=world.settings, now=now)
        self.cycle()
        assert available(stored(self.database)) == world.truth()
        assert_again_changes_nothing(self.database, self.archive, world.settings, now)
        self.check()
        assert not any(self.staging.iterdir())


@pytest.fixture
def world() -> Iterator[SmallWorld]:
    world = SmallWorld(events=2, seed=27)
    with world.simulator:
        yield world


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 32) as disk:
        yield disk


ROUNDS = [3, pytest.param(40, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_full_data_folder_fails_the_cycle_with_a_sentence(
    database: Database, world: SmallWorld, disk: Path, rounds: int
) -> None:
    """I4: at whatever file it becomes full, of those staged and those archived."""
    cycles = Disk(database, Archive(disk / "archive"), disk / "staging", world)
    for number in range(rounds):
        room = 0 if number == 0 else cycles.draw.randrange(400_000)
        world.advance()
        with told(SEED, number, f"{room} bytes left"):
            with full(disk, but_for=room):
                failure = cycles.failure(StagingUnusable, ArchiveUnusable)
                if failure is not None:
                    assert all(said in str(failure) for said in (str(disk), "No space left on device", "has"))
                    assert cycles.last_run() == ("failed", str(failure), None)
                assert not list(disk.rglob("*.partial")), "half a file"
                cycles.check()
            cycles.outcomes[type(failure).__name__ if failure else THERE_WAS_ROOM] += 1
            cycles.right_again()
    assert cycles.outcomes["StagingUnusable"]
    print(f"seed {SEED}, {rounds} times full:", dict(cycles.outcomes))


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_full_disk_of_postgresql_fails_the_cycle_and_takes_nothing_along(
    server_directory: Path, tmp_path: Path, world: SmallWorld, rounds: int
) -> None:
    """I4: tables that cannot grow, and a log that cannot, which ends the server."""
    with small_disk(server_directory / "disk", 256) as disk:
        settings = TEST_SETTINGS | {"max_wal_size": "32MB", "min_wal_size": "32MB", "wal_recycle": "off"}
        server = EmbeddedServer.ensure(disk, overrides=settings)
        with closing(psycopg.connect(server.url("postgres"), autocommit=True)) as connection:
            connection.execute("CREATE DATABASE full_disk")
        migrate.upgrade(server.url("full_disk"))
        with Database(server.url("full_disk")) as database:
            cycles = Disk(database, Archive(tmp_path / "archive"), tmp_path / "staging", world)
            for number in range(rounds):
                is_log = number % 3 == 1
                room = 0 if number < 2 else cycles.draw.randrange(200_000)
                world.advance()
                with told(SEED, number, f"{room} bytes left{', none for the log' if is_log else ''}"):
                    with full(disk, but_for=room):
                        if is_log:
                            use_up_log(database)
                        failure = cycles.failure(psycopg.OperationalError)
                    if isinstance(failure, psycopg.errors.DiskFull):
                        assert "No space left on device" in str(failure)
                    cycles.outcomes[type(failure).__name__ if failure else THERE_WAS_ROOM] += 1
                    if not server.health().is_serving:
                        server = again(server, settings)
                    cycles.check()
                    cycles.right_again()
        server.leave()
    assert cycles.outcomes["DiskFull"] + cycles.outcomes["OperationalError"]
    print(f"seed {SEED}, {rounds} times full:", dict(cycles.outcomes))


def use_up_log(database: Database) -> None:
    """Begin new files of PostgreSQL's log until it finds no room for one."""
    try:
        with database.connect(autocommit=True) as connection:
            for _ in range(20):
                connection.execute("SELECT pg_logical_emit_message(false, 'attack', 'fills'), pg_switch_wal()")
    except psycopg.OperationalError:
        return
    raise AssertionError("the log never became full")


def again(server: EmbeddedServer, settings: dict[str, str]) -> EmbeddedServer:
    """The server of the same files, once there is room; what was left of the old one is waited for."""
    wait_until(lambda: not server.health().is_serving)
    revived = EmbeddedServer.ensure(server.data_dir, overrides=settings)
    server.leave()
    return revived
