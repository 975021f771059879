"""``odds-pipeline up`` as a user starts it: the real webserver, the real daemon, and launches through both."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from odds_pipeline.database.embedded import EmbeddedServer

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("ODDS_", "DAGSTER"))}
_TIMEOUT_S = 240

_REPOSITORY = {"repositoryLocationName": "odds_pipeline", "repositoryName": "__repository__"}

_LAUNCH_RUN = """
mutation($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}
"""
_LAUNCH_BACKFILL = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}
"""
_RUNS = """
query($tags: [ExecutionTag!]) {
  runsOrError(filter: {tags: $tags}) {
    ... on Runs { results { runId status tags { key value } } }
  }
}
"""
_FAILURES = """
query($runId: ID!) {
  logsForRun(runId: $runId) {
    ... on EventConnection { events { ... on ExecutionStepFailureEvent { error { message causes { message } } } } }
  }
}
"""


@dataclass
class Up:
    """A running ``up``."""

    process: subprocess.Popen[str]
    port: int
    data_dir: Path

    def ask(self, query: str, **variables: Any) -> Any:
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/graphql", json={"query": query, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def rows(self, query: Any) -> list[tuple[Any, ...]]:
        with EmbeddedServer.ensure(self.data_dir) as server, psycopg.connect(server.url()) as connection:
            return connection.execute(query).fetchall()

    def materialize(self, assets: list[list[str]], day: str | None = None) -> dict[str, Any]:
        """Launch assets as one run, as the UI does; the run once it is over."""
        tags = [{"key": "launch", "value": uuid4().hex}]
        launched = self.ask(
            _LAUNCH_RUN,
            params={
                "selector": _REPOSITORY
                | {"pipelineName": "__ASSET_JOB", "assetSelection": [{"path": path} for path in assets]},
                "mode": "default",
                "executionMetadata": {
                    "tags": tags + ([{"key": "dagster/partition", "value": day}] if day is not None else [])
                },
            },
        )["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        (run,) = self._over(tags, expected=1)
        return run

    def backfill_assets(self, assets: list[list[str]], days: list[str], *, runs: int) -> list[dict[str, Any]]:
        """Launch a backfill of assets for days; its ``runs`` runs once they are over."""
        return self._backfill(
            {"assetSelection": [{"path": path} for path in assets], "partitionNames": days}, runs=runs
        )

    def backfill_job(self, job: str, days: list[str]) -> dict[str, dict[str, Any]]:
        """Launch a backfill of a job for days; its runs by day once they are over."""
        selector = {"partitionSetName": f"{job}_partition_set", "repositorySelector": _REPOSITORY}
        found = self._backfill({"selector": selector, "partitionNames": days}, runs=len(days))
        # One asset of the job has single-run backfills, so even one day arrives as a range.
        first_day = "dagster/asset_partition_range_start"
        return {next(tag["value"] for tag in run["tags"] if tag["key"] == first_day): run for run in found}

    def _backfill(self, params: dict[str, Any], *, runs: int) -> list[dict[str, Any]]:
        launched = self.ask(_LAUNCH_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return self._over([{"key": "dagster/backfill", "value": launched["backfillId"]}], expected=runs)

    def _over(self, tags: list[dict[str, str]], *, expected: int) -> list[dict[str, Any]]:
        def over() -> list[dict[str, Any]]:
            runs = self.ask(_RUNS, tags=tags)["runsOrError"]["results"]
            is_over = len(runs) == expected and all(run["status"] in ("SUCCESS", "FAILURE") for run in runs)
            return runs if is_over else []

        return wait_for(over)

    def failure(self, run_id: str) -> str:
        return str(self.ask(_FAILURES, runId=run_id)["logsForRun"]["events"])


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {_TIMEOUT_S} s")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    from odds_pipeline_tests.conftest import directory_for_a_server

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("up") / "up.log"
    with directory_for_a_server() as data_dir, log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "odds_pipeline.cli", "up", "--port", str(port)],
            env=CLEAN | {"ODDS_DATA_DIR": str(data_dir), "ODDS_SIMULATOR_EVENTS": "3"},
            stdout=output,
            stderr=output,
            text=True,
            # A child of a test run may have inherited that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        try:
            wait_for(lambda: "Dagster UI:" in log.read_text() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield Up(process, port, data_dir)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def test_the_daemon_runs_cycles_by_itself(up: Up):
    """C1, C3: from workspace.yaml and dagster.yaml, without anybody launching anything."""
    ((trigger, status),) = wait_for(
        lambda: up.rows("SELECT trigger, status FROM scrape_runs WHERE completed_at IS NOT NULL")
    )
    assert (trigger, status) == ("scheduled", "completed")


def test_each_launch_from_the_ui_does_what_the_table_says(up: Up):
    """The rows of the table of launches, through the real webserver, run queue and daemon."""
    wait_for(lambda: up.rows("SELECT FROM scrape_runs WHERE completed_at IS NOT NULL"))
    today = datetime.now(UTC).date().isoformat()
    past = [(datetime.now(UTC).date() - timedelta(days=back)).isoformat() for back in (3, 2)]

    cycles = up.backfill_job("odds_cycle", [past[0], today])
    assert cycles[today]["status"] == "SUCCESS"
    assert cycles[past[0]]["status"] == "FAILURE"
    assert f"Launch odds_cycle for {today}" in up.failure(cycles[past[0]]["runId"])
    dagster_run_ids = {run_id for (run_id,) in up.rows("SELECT dagster_run_id FROM scrape_runs")}
    assert cycles[today]["runId"] in dagster_run_ids
    assert cycles[past[0]]["runId"] not in dagster_run_ids, "for a past day nobody was asked"

    (rebuild,) = up.backfill_assets([["odds", "history"]], past, runs=1)
    assert rebuild["status"] == "FAILURE"
    assert "there is none yet" in up.failure(rebuild["runId"])

    assert up.materialize([["odds", "current"]])["status"] == "SUCCESS"

    both = up.materialize([["odds", "current"], ["odds", "history"]], today)
    assert both["status"] == "FAILURE"
    assert "without odds/changes of the same run" in up.failure(both["runId"])


def test_a_child_that_dies_is_reported_and_stops_the_rest(up: Up):
    """Last of the module: it ends what the others use."""
    family = psutil.Process(up.process.pid).children(recursive=True)
    (daemon,) = [child for child in family if "dagster._daemon" in child.cmdline()[2:3]]
    daemon.kill()
    assert up.process.wait(60) == 1
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
