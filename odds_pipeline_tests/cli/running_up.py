"""A running ``odds-pipeline up``, asked over its GraphQL as the UI does."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from odds_pipeline.database.embedded import EmbeddedServer

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("ODDS_", "DAGSTER"))}
"""The environment without settings of ours or of Dagster's."""

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


_MATERIALIZATIONS = """
query($path: [String!]!, $days: [String!]) {
  assetOrError(assetKey: {path: $path}) {
    ... on Asset {
      assetMaterializations(partitions: $days) {
        runId partition metadataEntries { label ... on IntMetadataEntry { intValue } }
      }
    }
  }
}
"""


@dataclass
class Up:
    """A running ``up``."""

    process: Popen[str]
    port: int
    data_dir: Path

    def ask(self, query: str, **variables: Any) -> Any:
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/graphql", json={"query": query, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def rows(self, query: Any, *parameters: object) -> list[tuple[Any, ...]]:
        with EmbeddedServer.ensure(self.data_dir) as server, psycopg.connect(server.url()) as connection:
            return connection.execute(query, parameters or None).fetchall()

    def materialize(self, assets: list[list[str]], day: str | None = None) -> Callable[[], dict[str, Any]]:
        """Launch assets as one run, as the UI does; the result waits until the run is over and gives it."""
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
        return lambda: self._over(tags, expected=1)[0]

    def backfill_assets(self, assets: list[list[str]], days: list[str]) -> Callable[[int], list[dict[str, Any]]]:
        """Launch a backfill of assets for days; the result waits until that many runs are over and gives them."""
        return self._backfill({"assetSelection": [{"path": path} for path in assets], "partitionNames": days})

    def backfill_job(self, job: str, days: list[str]) -> Callable[[], dict[str, dict[str, Any]]]:
        """Launch a backfill of a job for days; the result waits until its runs are over and gives them by day."""
        selector = {"partitionSetName": f"{job}_partition_set", "repositorySelector": _REPOSITORY}
        over = self._backfill({"selector": selector, "partitionNames": days})
        # One asset of the job has single-run backfills, so even one day arrives as a range.
        first_day = "dagster/asset_partition_range_start"
        return lambda: {
            next(tag["value"] for tag in run["tags"] if tag["key"] == first_day): run for run in over(len(days))
        }

    def materializations(self, asset: list[str], days: list[str]) -> list[dict[str, Any]]:
        """What Dagster remembers of an asset's days: run, partition, and the whole numbers among the metadata."""
        found = self.ask(_MATERIALIZATIONS, path=asset, days=days)["assetOrError"]
        return [
            {
                "run": each["runId"],
                "day": each["partition"],
                **{entry["label"]: entry["intValue"] for entry in each["metadataEntries"] if "intValue" in entry},
            }
            for each in found.get("assetMaterializations", [])
        ]

    def _backfill(self, params: dict[str, Any]) -> Callable[[int], list[dict[str, Any]]]:
        launched = self.ask(_LAUNCH_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        tags = [{"key": "dagster/backfill", "value": launched["backfillId"]}]
        return lambda runs: self._over(tags, expected=runs)

    def _over(self, tags: list[dict[str, str]], *, expected: int) -> list[dict[str, Any]]:
        def over() -> list[dict[str, Any]]:
            runs = self.ask(_RUNS, tags=tags)["runsOrError"]["results"]
            is_over = len(runs) == expected and all(run["status"] in ("SUCCESS", "FAILURE") for run in runs)
            return runs if is_over else []

        return wait_for(over)

    def failure(self, run_id: str) -> str:
        return str(self.ask(_FAILURES, runId=run_id)["logsForRun"]["events"])


@contextmanager
def running_up(log: Path, environment: dict[str, str]) -> Iterator[Up]:
    """``odds-pipeline up`` with this environment until the end of the block; what it says goes to ``log``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as output:
        process = Popen(
            [sys.executable, "-m", "odds_pipeline.cli", "up", "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=output,
            text=True,
            # A child of a test run may have inherited that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        try:
            wait_for(lambda: "Dagster UI:" in log.read_text() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield Up(process, port, Path(environment["ODDS_DATA_DIR"]))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {_TIMEOUT_S} s")
