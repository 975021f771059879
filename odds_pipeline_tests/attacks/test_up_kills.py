"""``kill -9`` of what a running ``odds-pipeline up`` stands on: Dagster's code servers, and PostgreSQL.

Nobody helps: the daemon runs the next cycle by itself. Minutes long, so there is no short form.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
import pytest
from psycopg import sql

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.embedded import EmbeddedServer, EmbeddedServerError
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline_tests.attacks.holding import assert_invariants_hold
from odds_pipeline_tests.attacks.rounds import told
from odds_pipeline_tests.cli.running_up import CLEAN, Up, running_up, wait_for
from odds_pipeline_tests.database.servers import directory_for_a_server

SEED = 605
OFTEN = {
    "ODDS_CYCLE_INTERVAL": "00:00:10",
    "ODDS_NEAR_KICKOFF_INTERVAL": "00:00:10",
    "ODDS_CYCLE_MARGIN": "00:00:01",
    "ODDS_DEAD_RUN_AFTER": "00:01:00",
    "ODDS_SIMULATOR_EVENTS": "2",
}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with (
        directory_for_a_server() as data_dir,
        running_up(tmp_path / "up.log", CLEAN | OFTEN | {"ODDS_DATA_DIR": str(data_dir)}) as up,
    ):
        yield up


def code_servers(up: Up) -> list[psutil.Process]:
    """Those of the webserver and of the daemon."""
    found: list[psutil.Process] = []
    for process in psutil.Process(up.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "grpc" in process.cmdline():
                found.append(process)
    return found


def runs(up: Up, condition: LiteralString) -> list[tuple[Any, ...]]:
    """Scrape runs; none while PostgreSQL is away, which is not started from here."""
    query = sql.SQL("SELECT id, status FROM scrape_runs WHERE {} ORDER BY id").format(sql.SQL(condition))
    with (
        suppress(psycopg.OperationalError, EmbeddedServerError),
        closing(psycopg.connect(EmbeddedServer(up.data_dir).url())) as connection,
    ):
        return connection.execute(query).fetchall()
    return []


def assert_holds(up: Up, draw: random.Random) -> None:
    """The daemon goes on meanwhile: with the writer's lock, nothing is committed."""
    with Database(EmbeddedServer(up.data_dir).url()) as database, database.connect() as connection:
        take_writer_lock(connection)
        open_runs = [run for run, _ in runs(up, "completed_at IS NULL")]
        assert_invariants_hold(database, Archive(up.data_dir / "archive"), draw, open_runs=open_runs)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_the_daemon_goes_on_with_cycles_after_kills_of_code_servers_and_of_postgresql(up: Up) -> None:
    """C3, I1 to I5: 20 times the code servers at a random moment, 5 times PostgreSQL under everything."""
    draw = random.Random(SEED)
    wait_for(lambda: runs(up, "status = 'completed'"))
    for number in range(25):
        victim = "PostgreSQL" if number % 5 == 4 else "the code servers"
        with told(SEED, number, victim):
            if draw.random() < 0.7:
                wait_for(lambda: runs(up, "completed_at IS NULL"))
            time.sleep(draw.uniform(0, 2))
            last, _ = runs(up, "true")[-1]
            if victim == "PostgreSQL":
                pid = EmbeddedServer(up.data_dir).health().pid
                assert pid is not None
                psutil.Process(pid).kill()
            else:
                killed = code_servers(up)
                assert killed
                for process in killed:
                    process.kill()
            began = time.monotonic()
            wait_for(lambda last=last: any(run > last for run, _ in runs(up, "status = 'completed'")))
            print(f"round {number}: {victim}; the next cycle was there after {time.monotonic() - began:.0f} s")
            assert_holds(up, draw)
