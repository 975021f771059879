"""``odds-pipeline retention``: the preview, the run, and its exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from odds_pipeline.cli.retention import retention
from odds_pipeline.database.engine import Database
from odds_pipeline.days import retention as retention_module
from odds_pipeline.days.retire import DayKept
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.reading import history_count
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(retention)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def configured(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with a day of odds from twenty days ago, which the settings name."""
    monkeypatch.setenv("ODDS_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ODDS_ARCHIVE_URL", str(archive_of(database).folder))
    DaysOfOdds(database).write(datetime.now(UTC).date() - timedelta(days=20), days=1, cycles=1)
    return database


def test_the_preview_touches_nothing_and_the_run_does_what_it_said(configured: Database) -> None:
    before = history_count(configured)
    foreseen = invoke("--preview", "--json")
    assert foreseen.exit_code == 0, foreseen.output
    assert history_count(configured) == before
    shown = invoke("--preview")
    assert f"1 days, {before:,} rows" in shown.stdout
    done = invoke("--json")
    assert done.exit_code == 0, done.output
    told, did = json.loads(foreseen.stdout), json.loads(done.stdout)
    assert {name: did[name] for name in told if name != "days"} == {name: told[name] for name in told if name != "days"}
    assert told["rows"] == before > 0
    assert history_count(configured) == 0
    assert "0 days, 0 rows" in invoke().stdout


def test_a_day_that_is_kept_is_said_on_standard_error_with_exit_code_1(
    configured: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep(*arguments: Any, **options: Any) -> Any:
        raise DayKept("the file is not what was written")

    monkeypatch.setattr(retention_module, "retire_day", keep)
    result = invoke()
    assert result.exit_code == 1
    assert "the file is not what was written" in result.stderr


def test_an_archive_of_another_database_is_one_clear_line(configured: Database, tmp_path: Path) -> None:
    archive = archive_of(configured).folder
    assert archive is not None
    (archive / "archive.txt").write_text("another\n")
    result = invoke()
    assert result.exit_code == 1
    assert "belongs to another odds database" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
