"""Attack: names that are SQL, Markdown, HTML, format strings and terminal commands, in every text of the answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest

from odds_pipeline.api.service import open_service
from odds_pipeline.bookmakers.base import ScrapeFailure
from odds_pipeline.bookmakers.http import open_http
from odds_pipeline.bookmakers.registry import bookmaker
from odds_pipeline.cli import asking
from odds_pipeline.clock import SystemClock
from odds_pipeline.definitions import build_definitions
from odds_pipeline.settings import BookmakerSettings
from odds_pipeline.simulator.simulator import Simulator
from odds_pipeline_tests.api.asking import serving
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.fuzz_answers import listing
from odds_pipeline_tests.bookmakers.answers import sample
from odds_pipeline_tests.bookmakers.loopback import Loopback, Reply
from odds_pipeline_tests.bookmakers.sites import KICKOFF, quick_settings
from odds_pipeline_tests.cli.asking import answered
from odds_pipeline_tests.dagster_fixtures import Pipeline

HOSTILE = (
    "'; DROP TABLE odds_history; --\"$$%s%(a)s{0.__class__}{{7*7}}<script>alert(1)</script>[x](javascript:alert(1))"
    "![](http://127.0.0.1:1/x)|`b`*c*\u202e\x1b[2J[/red]../../../etc/passwd"
)
#: Fields of the answers that are words of people. All else says what is what.
WORDS = {"name", "displayName", "homeTeamName", "awayTeamName", "desc", "group", "SG", "GN", "GCAT", "message"}
PATHS = re.compile(r"[A-Za-z0-9_.=/-]+")


def hostile(document: Any, field: str = "") -> Any:
    """The document with its words spoilt; teams stay two at the separator."""
    if isinstance(document, dict):
        return {key: hostile(value, key) for key, value in document.items()}
    if isinstance(document, list):
        return [hostile(value, field) for value in document]
    if field == "tabs" or (field in WORDS and isinstance(document, str)):
        return f"{document}{HOSTILE}"
    return f"{document}{HOSTILE}" if field == "DS" else document


@pytest.fixture
def attacked(pipeline: Pipeline, tmp_path: Path) -> Iterator[Pipeline]:
    """The pipeline against bookmakers with such names."""
    for slug in pipeline.settings.bookmakers:
        answer = sample(slug)
        if slug == "sportybet":
            answer["data"] |= {"homeTeamId": "sr:competitor:1", "awayTeamId": "sr:competitor:2"}
        (tmp_path / slug).mkdir()
        (tmp_path / slug / "event.json").write_text(json.dumps(hostile(answer)))
    with Simulator(captures=tmp_path, clock=pipeline.clock) as simulator:
        sections = {slug: BookmakerSettings(url=url, tries=1) for slug, url in simulator.urls.items()}
        settings = pipeline.settings.model_copy(update=sections)
        yield replace(pipeline, settings=settings, definitions=build_definitions(settings, pipeline.clock))


def test_hostile_names_are_only_names_from_the_answer_to_every_place_that_shows_them(
    attacked: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    results = [attacked.cycle(), attacked.job("offer_reports"), attacked.job("storage_profile")]
    assert all(result.success for result in results)
    assert attacked.rows("SELECT status FROM scrape_runs") == [("completed",)]
    rows = attacked.rows(
        "SELECT home_team, away_team, betpawa_market_name FROM market_odds_current JOIN events ON events.id = event_id"
    )
    assert any(HOSTILE in home for home, _, _ in rows)
    assert any(HOSTILE in away for _, away, _ in rows)
    assert any(HOSTILE in market for _, _, market in rows)
    stored = attacked.rows("SELECT bookmaker_slug, count(*) FROM market_odds_history GROUP BY 1 ORDER BY 1")
    assert [slug for slug, count in stored if count > 5] == ["bet9ja", "betpawa", "sportybet"], stored
    assert_markdown_is_inert(results)
    assert_paths_are_plain(attacked)
    assert_commands_print_no_commands(attacked, monkeypatch)
    assert_http_answers_are_data(attacked)


def assert_markdown_is_inert(results: list[dg.ExecuteInProcessResult]) -> None:
    """What the UI renders as Markdown holds nothing of the names but what shows them."""
    entries = [
        value
        for result in results
        for event in [*result.get_asset_materialization_events(), *result.get_asset_check_evaluations()]
        for value in (event.materialization if isinstance(event, dg.DagsterEvent) else event).metadata.values()
    ]
    texts = [value.value or "" for value in entries if isinstance(value, dg.MarkdownMetadataValue)]
    assert texts, "nothing was rendered as Markdown"
    for text in texts:
        for active in ("<script", "](javascript", "](http://127.0.0.1:1"):
            assert active not in text


def assert_paths_are_plain(attacked: Pipeline) -> None:
    """No name becomes a part of a file's."""
    folder = archive_of(attacked.database).folder
    assert folder is not None
    assert attacked.settings.data_dir is not None
    for root in (folder, attacked.settings.data_dir):
        for path in root.rglob("*"):
            assert PATHS.fullmatch(str(path.relative_to(root))), path


def assert_commands_print_no_commands(attacked: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that moves a terminal's cursor or turns its line."""
    monkeypatch.setenv("ODDS_DATABASE_URL", attacked.database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ODDS_ARCHIVE_URL", str(archive_of(attacked.database).folder))
    monkeypatch.setattr(asking, "SystemClock", lambda: attacked.clock)
    ((event_id,),) = attacked.rows("SELECT min(id) FROM events")
    for command in (("events",), ("event", event_id), ("coverage",), ("at", attacked.clock.now().isoformat())):
        said = answered(*command)
        assert "DROP TABLE" in said or command[0] == "coverage", command
        assert not {"\x1b", "\u202e"} & set(said)


def assert_http_answers_are_data(attacked: Pipeline) -> None:
    """JSON that no browser takes for a page, with the names as they are stored."""
    with (
        open_service(attacked.settings, attacked.clock) as service,
        serving(service) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        answer = client.get("/events")
    assert answer.headers["content-type"] == "application/json"
    assert HOSTILE in json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"').replace("\\u001b", "\x1b")


@pytest.mark.parametrize(
    "event_id", ["../../admin", "..", "x?y=1#z", "//elsewhere.invalid/x", "@elsewhere.invalid", "a\\b\r\nx: y"]
)
@pytest.mark.parametrize("slug", ["betpawa", "sportybet", "bet9ja"])
def test_an_event_id_never_chooses_another_host_or_header(slug: str, event_id: str):
    async def ask() -> Loopback:
        async with Loopback(lambda _: Reply(404)) as server:
            settings = quick_settings({slug: server.url}, tries=1)
            asked = bookmaker(slug, settings)
            known = listing(slug, 1, KICKOFF)
            async with open_http(asked, settings, SystemClock()) as http:
                with pytest.raises(ScrapeFailure):
                    await asked.fetch_event(http, type(known)(**{**_fields(known), "external_event_id": event_id}))
        return server

    (request,) = asyncio.run(ask()).requests
    assert request.path.startswith("/api/") or request.path.startswith("/desktop/")
    assert "x" not in request.headers
    assert ".." not in request.path.split("/")


def _fields(known: Any) -> dict[str, Any]:
    return {name: getattr(known, name) for name in known.__struct_fields__}
