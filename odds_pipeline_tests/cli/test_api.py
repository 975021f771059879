"""``odds-pipeline api`` as a user starts it: says where it is, answers, and ends in good order when it is told to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from odds_pipeline_tests.database.servers import directory_for_a_server

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("ODDS_")}
CLI = [sys.executable, "-m", "odds_pipeline.cli"]


@contextmanager
def running(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command on any free port, and where it says that it is."""
    process = subprocess.Popen(
        [*CLI, "api", "--port", "0"],
        env=CLEAN | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A child of a test run may have inherited that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:[0-9]+", said)
        if found is None:
            raise AssertionError(said + process.communicate()[1])
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_it_is_told_to_stop(migrated_database: str, told: signal.Signals) -> None:
    with running({"ODDS_DATABASE_URL": migrated_database}) as (process, url):
        assert httpx.get(f"{url}/health", timeout=60).json()["status"] == "ok"
        assert httpx.get(f"{url}/events", timeout=60).json() == {"rows": [], "next": None}
        process.send_signal(told)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (130, "")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health", timeout=60)


def test_the_embedded_database_is_stopped_with_it() -> None:
    with directory_for_a_server() as directory:
        environment = {"ODDS_DATA_DIR": str(directory)}
        subprocess.run([*CLI, "migrate"], env=CLEAN | environment, check=True, capture_output=True)
        with running(environment) as (process, url):
            assert httpx.get(f"{url}/health", timeout=60).json()["status"] == "ok"
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        assert not (Path(directory) / "postgres/cluster/postmaster.pid").exists()


def refusal(environment: dict[str, str], *arguments: str) -> str:
    """The one line on standard error with which the command refuses to start."""
    done = subprocess.run(
        [*CLI, "api", *arguments], env=CLEAN | environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_what_keeps_it_from_starting_is_said_in_a_line(empty_database: str, migrated_database: str) -> None:
    assert "run odds-pipeline migrate" in refusal({"ODDS_DATABASE_URL": empty_database}, "--port", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "choose another" in refusal({"ODDS_DATABASE_URL": migrated_database}, "--port", port)
