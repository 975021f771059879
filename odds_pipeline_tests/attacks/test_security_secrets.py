"""Attack: secrets in every setting, cycles that work and cycles that fail; nothing that is left behind tells one."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value
from pydantic import SecretStr
from typer.testing import CliRunner

from odds_pipeline.cli import app
from odds_pipeline.data_dir import project_directory
from odds_pipeline.definitions import build_definitions
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archive.stores import S3
from odds_pipeline_tests.attacks.security_secrets import SECRETS, databases, environment, files, found_in, object_store
from odds_pipeline_tests.database.external_server import external_server

NOBODY = "127.0.0.1:1"
#: Real sites are to be asked, of which none is there.
LIVE = {"ODDS_SOURCE": "live"} | {
    f"ODDS_{slug}__{name}": value
    for slug in ("BETPAWA", "SPORTYBET", "BET9JA")
    for name, value in {"URL": "https://site.invalid", "TRIES": "1"}.items()
}
#: Failures of each kind: settings beside the ordinary ones, and a word of what is said.
FAILURES = {
    "wrong password": ("ODDS_DATABASE_URL", "postgresql://owner:{wrong}@127.0.0.1:{port}/odds", "authentication"),
    "refused connection": ("ODDS_DATABASE_URL", f"postgresql://owner:{{database}}@{NOBODY}/odds", "refused"),
    "no URL": ("ODDS_DATABASE_URL", "host=localhost password={database}", "is not a URL"),
    "password as a parameter": (
        "ODDS_DATABASE_URL",
        f"postgresql://owner@{NOBODY}/odds?password={{parameter}}",
        "refused",
    ),
    "account in an address": ("ODDS_BETPAWA__URL", "https://me:{address}@host.invalid", "account in it"),
    "misspelt setting": ("ODDS_REFRESH_TOKN", "{token}", "no such setting"),
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server that asks for passwords."""
    with external_server(SECRETS["database"]) as port:
        yield port


class Terminal:
    """Commands of ``odds-pipeline`` in this process, and everything that they say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Path, settings: dict[str, str]) -> None:
        self._monkeypatch = monkeypatch
        self._settings = {"ODDS_DATA_DIR": str(home), **settings}
        self.said: dict[str, bytes] = {}

    def run(self, what: str, *arguments: str, **changes: str) -> str:
        with self._monkeypatch.context() as patch:
            # It is set by the command, for itself and its children.
            patch.setenv("DAGSTER_HOME", "")
            for name, value in (self._settings | changes).items():
                patch.setenv(name, value)
            result = CliRunner().invoke(app, list(arguments))
        said = f"exit code {result.exit_code}\n{result.output}"
        self.said[f"what the command said: {what}"] = said.encode()
        return said


@pytest.fixture
def terminal(port: int, s3: S3, server_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal with the ordinary settings: the archive is in an object store."""
    return Terminal(monkeypatch, server_directory, environment(port, archive_url=object_store(f"127.0.0.1:{s3.port}")))


def test_no_secret_of_the_settings_is_told_by_anything_that_cycles_leave_behind(
    terminal: Terminal, port: int, server_directory: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    cycle = ("run", "--cycles", "1", "--events", "4")
    assert "exit code 0" in terminal.run("a cycle", *cycle)
    assert "exit code 1" in terminal.run("no archive", *cycle, ODDS_ARCHIVE_URL=object_store(NOBODY))
    assert "failed" in terminal.run("a proxy that refuses", *cycle, **LIVE)
    for what, (setting, value, word) in FAILURES.items():
        said = terminal.run(what, *cycle, **LIVE | {setting: value.format(port=port, **SECRETS)})
        assert "exit code 1" in said
        assert word in said
    for question in ("runs", "profile"):
        assert "exit code 0" in terminal.run(question, question)
    definitions = failing_runs(port, server_directory)
    left = {
        **terminal.said,
        **dict(databases(port)),
        **dict(files(server_directory)),
        "what was logged": caplog.text.encode(),
        "what the code server tells the UI": definitions,
    }
    assert found_in(left) == {}
    assert sum(map(len, left.values())) > 100_000, "there was little to search"
    assert found_in({"a search that finds": f"x{SECRETS['database']}y".encode()}) == {"a search that finds": "database"}


def failing_runs(port: int, home: Path) -> bytes:
    """Runs through Dagster whose database refuses them, kept in Dagster's own; what the UI is told of their code."""
    told = []
    for place in (f"127.0.0.1:{port}", NOBODY):
        settings = Settings(
            database_url=SecretStr(f"postgresql://owner:{SECRETS['wrong']}@{place}/odds"),
            dagster_database_url=SecretStr(f"postgresql://owner:{SECRETS['database']}@127.0.0.1:{port}/dagster"),
            archive_url=SecretStr(object_store(NOBODY)),
            data_dir=home,
        )
        definitions = build_definitions(settings)
        storage = {"postgres_url": f"postgresql+psycopg2://owner:{SECRETS['database']}@127.0.0.1:{port}/dagster"}
        with dg.instance_for_test(overrides={"storage": {"postgres": storage}}) as instance:
            result = definitions.resolve_job_def("retention").execute_in_process(
                instance=instance, raise_on_error=False
            )
            assert not result.success
            assert instance.all_logs(result.run_id)
        told.append(serialize_value(RepositorySnap.from_def(definitions.get_repository_def())))
    return "\n".join(told).encode()


@pytest.mark.soak
def test_no_secret_of_the_settings_is_told_by_the_uis_graphql(terminal: Terminal, port: int, server_directory: Path):
    """Every answer to what the UI asks of runs, events, assets, resources and the instance, over HTTP."""
    cycle = ("run", "--cycles", "1", "--events", "4")
    assert "exit code 0" in terminal.run("a cycle", *cycle)
    assert "exit code 1" in terminal.run("no archive", *cycle, ODDS_ARCHIVE_URL=object_store(NOBODY))
    settings = environment(port, archive_url=object_store(NOBODY)) | {
        "ODDS_DATA_DIR": str(server_directory),
        "DAGSTER_HOME": str(server_directory / "dagster"),
        "NO_PROXY": "*",
    }
    answers = ask_the_ui(settings, server_directory / "ui.log")
    assert found_in({**answers, "log": (server_directory / "ui.log").read_bytes()}) == {}
    assert sum(map(len, answers.values())) > 10_000


_EVENTS = "... on EventConnection { events { __typename ... on MessageEvent { message level stepKey } "
_ERROR = "error { message stack className causes { message stack } } "
QUESTIONS = {
    "instance": "{ instance { id info hasInfo runQueueConfig { maxConcurrentRuns } } version }",
    "workspace": "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename "
    "... on PythonError { message stack } } displayMetadata { key value } } } } }",
    "resources": "query($at: RepositorySelector!) { allTopLevelResourceDetailsOrError(repositorySelector: $at) { "
    "... on ResourceDetailsList { results { name description configuredValues { key value type } "
    "configFields { name defaultValueAsJson } } } } }",
    "runs": "{ runsOrError { ... on Runs { results { runId status runConfigYaml tags { key value } } } } }",
    "assets": "{ assetNodes { assetKey { path } description opNames jobNames "
    "assetMaterializations(limit: 2) { metadataEntries { __typename label ... on TextMetadataEntry { text } "
    "... on JsonMetadataEntry { jsonString } ... on MarkdownMetadataEntry { mdStr } "
    "... on TableMetadataEntry { table { records } } } } } }",
    "sensors": "query($at: RepositorySelector!) { sensorsOrError(repositorySelector: $at) { ... on Sensors { results "
    "{ name description metadata { assetKeys { path } } } } } }",
}
_LOGS = f"query($run: ID!) {{ logsForRun(runId: $run) {{ {_EVENTS} ... on ErrorEvent {{ {_ERROR} }} }} }} }} }}"


def ask_the_ui(settings: dict[str, str], log: Path) -> dict[str, bytes]:
    """A webserver over what the commands left behind, and its answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ODDS_", "DAGSTER"))}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, "-w", str(project_directory() / "workspace.yaml")],
            env=clean | settings,
            cwd=project_directory(),
            stdout=output,
            stderr=output,
        ) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120) as client,
    ):
        try:
            _wait_for(client)
            return _answers(client)
        finally:
            server.terminate()


def _answers(client: httpx.Client) -> dict[str, bytes]:
    at = {"repositoryLocationName": "odds_pipeline", "repositoryName": "__repository__"}
    answers = {}
    for what, query in QUESTIONS.items():
        answers[what] = _answer(client, query, at=at)
    runs = httpx.Response(200, content=answers["runs"]).json()["data"]["runsOrError"]["results"]
    assert {run["status"] for run in runs} == {"SUCCESS", "FAILURE"}
    for run in runs:
        answers[f"events of run {run['runId']}"] = _answer(client, _LOGS, run=run["runId"])
    return answers


def _answer(client: httpx.Client, query: str, **variables: Any) -> bytes:
    declared = {name: value for name, value in variables.items() if f"${name}:" in query}
    answer = client.post("/graphql", json={"query": query, "variables": declared})
    assert "errors" not in answer.json(), answer.text
    return answer.content


def _wait_for(client: httpx.Client) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            if client.get("/server_info").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError("the webserver did not start")
