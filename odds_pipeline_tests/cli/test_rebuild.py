"""``odds-pipeline rebuild``: which days can be rebuilt, and rebuilding them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner, Result

from odds_pipeline.cli.rebuild import rebuild
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.reading import history_count, query
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds

TODAY = datetime.now(UTC).date()
FIRST, LAST = TODAY - timedelta(days=3), TODAY - timedelta(days=2)


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(rebuild)
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.fixture
def configured(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with two days of odds, which the settings name."""
    monkeypatch.setenv("ODDS_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ODDS_ARCHIVE_URL", str(archive_of(database).folder))
    DaysOfOdds(database).write(FIRST, days=2, cycles=2)
    return database


def test_days_are_listed_and_rebuilt(configured: Database) -> None:
    before = history_count(configured)
    listed = invoke("--which")
    assert listed.exit_code == 0, listed.output
    lines = {line.split("│")[1].strip(): line for line in listed.stdout.splitlines() if "│" in line}
    assert "yes" in lines[str(FIRST)]
    assert "nothing was ever written into it" in lines[str(TODAY)]
    query(configured, "DELETE FROM odds_history WHERE event_bookmaker_id %% 2 = 0 RETURNING 1")
    done = invoke("--from", str(FIRST), "--to", str(LAST))
    assert done.exit_code == 0, done.output
    assert str(LAST) in done.stdout
    assert history_count(configured) == before


def test_a_single_day_and_a_day_that_has_no_source(configured: Database) -> None:
    assert invoke("--from", str(FIRST)).exit_code == 0
    refused = invoke("--from", str(TODAY))
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"Error: {TODAY} cannot be rebuilt: nothing was ever written into it; {FIRST} to {LAST} can be rebuilt\n"
    )


def test_a_database_without_our_tables_is_one_line_that_says_what_to_do(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODDS_DATABASE_URL", empty_database)
    refused = invoke("--which")
    assert refused.exit_code == 1
    assert refused.stderr.strip().endswith("run odds-pipeline migrate")


def test_the_days_or_the_list_have_to_be_asked_for() -> None:
    assert "give either the days" in invoke().stderr
    assert "give either the days" in invoke("--which", "--from", str(FIRST)).stderr
    assert "lies before" in invoke("--from", str(LAST), "--to", str(FIRST)).stderr
