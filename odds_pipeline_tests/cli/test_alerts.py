"""``odds-pipeline alerts``: what is open, all that is kept, and resolving by hand."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from odds_pipeline.cli import app
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage.alerts import open_alerts
from odds_pipeline_tests.storage.growing import DAY, GB, HOUR, NOON, Storage


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["alerts", *arguments])


@pytest.fixture
def storage(database: Database, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """A database that the settings name, with one alert that has ended and one that is open."""
    monkeypatch.setenv("ODDS_DATABASE_URL", database.url.render_as_string(hide_password=False))
    storage = Storage(database, Settings())
    storage.look(NOON, 51 * GB)
    storage.look(NOON + HOUR, 44 * GB)
    storage.look(NOON + DAY, 52 * GB)
    return storage


def test_open_alerts_are_listed_and_one_is_resolved_by_hand(storage: Storage) -> None:
    [alert] = open_alerts(storage.database)
    shown = invoke()
    assert shown.exit_code == 0, shown.output
    assert "size limit" in shown.stdout
    assert "Everything takes 52.0 GB" in shown.stdout
    assert "Everything takes 51.0 GB" not in shown.stdout
    resolved = invoke("resolve", str(alert.id))
    assert resolved.exit_code == 0, resolved.output
    assert "by hand; it is opened again when its condition comes back" in resolved.stdout
    assert invoke().stdout == "No alert is open.\n"
    assert storage.look(NOON + DAY + HOUR, 52 * GB).opened == ()


def test_all_that_are_kept_are_listed_the_newest_first(storage: Storage) -> None:
    told = [json.loads(line) for line in invoke("--all", "--json").stdout.splitlines()]
    assert [(alert["alert_type"], alert["resolved_by"], alert["is_open"]) for alert in told] == [
        ("size_limit", None, True),
        ("size_limit", "itself", False),
    ]
    assert [json.loads(line)["id"] for line in invoke("--json").stdout.splitlines()] == [told[0]["id"]]
    assert "2026-11-20 13:00:00 by itself" in invoke("--all").stdout


def test_resolving_what_is_resolved_or_unknown_says_so(storage: Storage) -> None:
    told = [json.loads(line) for line in invoke("--all", "--json").stdout.splitlines()]
    again = invoke("resolve", str(told[1]["id"]), "--json")
    assert json.loads(again.stdout)["resolved_by"] == "itself"
    assert invoke("resolve", str(told[1]["id"])).stdout == (
        f"Alert {told[1]['id']} (size_limit) was resolved before, at 2026-11-20 13:00:00 UTC by itself; its condition "
        "is gone\n"
    )
    unknown = invoke("resolve", "999")
    assert unknown.exit_code == 1
    assert unknown.stderr == "Error: there is no alert 999; odds-pipeline alerts --all lists those that are kept\n"
