"""``odds-pipeline run`` as a user starts it: a process of its own, the embedded database, the simulator."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import yaml
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG

from odds_pipeline.cli.run import REPOSITORY
from odds_pipeline.cli.simulated import needs_simulator, pointed_at
from odds_pipeline.data_dir import project_directory
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.settings import BookmakerSettings, Settings

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("ODDS_", "DAGSTER"))}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "odds_pipeline.cli", "run", *arguments],
        env=CLEAN | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_run_that_is_interrupted_ends_quietly_and_leaves_no_run_open(server_directory: Path):
    """B-45: as the last cycle of a terminal that is closed, with no daemon to notice."""
    command = [sys.executable, "-m", "odds_pipeline.cli", "run", "--cycles", "1000", "--events", "40"]
    environment = CLEAN | {"ODDS_DATA_DIR": str(server_directory)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        wait_for_a_running_cycle(server_directory)
        started.send_signal(signal.SIGINT)
        _, complaints = started.communicate(timeout=60)
    assert (started.returncode, complaints) == (130, "")
    with EmbeddedServer.ensure(server_directory) as server, psycopg.connect(server.url()) as connection:
        rows = connection.execute("SELECT status, count(*) FROM scrape_runs GROUP BY status").fetchall()
    assert dict(rows).keys() <= {"completed", "failed"}


def wait_for_a_running_cycle(directory: Path) -> None:
    """Until a cycle asks for events: its staging folder has files."""
    deadline = time.monotonic() + 60
    while not any((directory / "staging").glob("*/*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_run_on_a_database_of_its_own_and_again_on_the_same_one(server_directory: Path):
    """B-57, B-48: an empty data directory is enough; the second run continues, and nothing is there twice."""
    home = {"ODDS_DATA_DIR": str(server_directory)}
    first = run("--cycles", "2", "--events", "4", **home)
    assert (first.returncode, first.stderr) == (0, "")
    rows = [line.split() for line in first.stdout.splitlines() if "completed" in line]
    assert [row[:2] for row in rows] == [["1", "completed"], ["2", "completed"]]
    assert int(rows[0][5].replace(",", "")) > 0, "all markets of the first cycle are new"
    assert rows[0][5] == rows[0][7], "each of them is a history row"
    assert int(rows[1][4].replace(",", "")) > 0, "the world moved on between the cycles"
    assert "http://127.0.0.1:3000" in first.stdout

    second = run("--cycles", "1", "--events", "4", **home)
    assert (second.returncode, second.stderr) == (0, "")
    (row,) = [line.split() for line in second.stdout.splitlines() if "completed" in line]
    assert row[:2] == ["3", "completed"]
    assert int(row[5].replace(",", "")) < int(rows[0][5].replace(",", "")) / 2, "known markets are not new again"

    with EmbeddedServer.ensure(server_directory) as server, psycopg.connect(server.url()) as connection:
        assert _twice(connection) == 0
        triggers = connection.execute("SELECT trigger, dagster_run_id IS NOT NULL FROM scrape_runs").fetchall()
        with psycopg.connect(server.url("dagster")) as dagster:
            labels = dagster.execute("SELECT value FROM run_tags WHERE key = %s", [*REPOSITORY]).fetchall()
    assert triggers == [("manual", True)] * 3
    assert labels == [(label,) for label in REPOSITORY.values()] * 3, "the timeline of the UI shows the runs"


def test_the_runs_belong_to_the_code_location_that_the_ui_shows():
    (location,) = yaml.safe_load((project_directory() / "workspace.yaml").read_text())["load_from"]
    name = location["python_module"]["location_name"]
    assert {REPOSITORY_LABEL_TAG: f"{SINGLETON_REPOSITORY_NAME}@{name}"} == REPOSITORY


def _twice(connection: psycopg.Connection) -> int:
    row = connection.execute(
        """
        SELECT count(*) FROM (
            SELECT state, lag(state) OVER (PARTITION BY market_id ORDER BY captured_at) AS before
            FROM odds_history_changes
        ) AS steps WHERE state = before
        """
    ).fetchone()
    assert row is not None
    return row[0]


def test_a_cycle_that_fails_is_one_clear_line_and_a_failing_exit_code(migrated_database: str, server_directory: Path):
    with psycopg.connect(migrated_database) as connection:
        connection.execute("ALTER TABLE outcome_sets RENAME TO elsewhere")
    failed = run(
        "--cycles",
        "1",
        "--events",
        "2",
        ODDS_DATABASE_URL=migrated_database,
        ODDS_DATA_DIR=str(server_directory),
    )
    assert failed.returncode == 1
    assert re.fullmatch(r"Error: the cycle failed.*outcome_sets.*\n", failed.stderr), failed.stderr


def test_a_wrong_setting_is_named(server_directory: Path):
    failed = run(ODDS_DATA_DIR=str(server_directory), ODDS_GUARD_SHARE="2")
    assert failed.returncode == 1
    assert failed.stderr == "Error: a setting is wrong: guard_share: Input should be less than or equal to 1\n"


def test_a_database_that_does_not_answer_is_said_without_its_password(server_directory: Path):
    failed = run(ODDS_DATA_DIR=str(server_directory), ODDS_DATABASE_URL="postgresql://me:secret@127.0.0.1:1/odds")
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: PostgreSQL at postgresql://me:***@127.0.0.1:1/odds cannot be used")
    assert "secret" not in failed.stderr


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        (Settings(), True),
        (Settings(source="live"), False),
        (Settings(bookmakers=("betpawa",), betpawa=BookmakerSettings(url="http://127.0.0.1:1/betpawa")), False),
        (Settings(betpawa=BookmakerSettings(url="http://127.0.0.1:1/betpawa")), True),
    ],
    ids=["by default", "live", "all named", "some named"],
)
def test_a_simulator_is_started_unless_the_bookmakers_are_real_or_named(settings: Settings, needed: bool):
    assert needs_simulator(settings) is needed


def test_pointing_at_a_simulator_changes_addresses_only():
    urls = {slug: f"http://127.0.0.1:1/{slug}" for slug in ("betpawa", "sportybet", "bet9ja")}
    before = Settings()
    after = pointed_at(before, urls)
    assert after.bet9ja.url == urls["bet9ja"]
    assert after.bet9ja.parallelism == before.bet9ja.parallelism
    assert json.loads(after.model_dump_json(exclude={"betpawa", "sportybet", "bet9ja"})) == json.loads(
        before.model_dump_json(exclude={"betpawa", "sportybet", "bet9ja"})
    )
