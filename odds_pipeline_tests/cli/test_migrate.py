"""``odds-pipeline migrate`` against a real database."""

from __future__ import annotations

import psycopg
import pytest
import typer
from typer.testing import CliRunner, Result

from odds_pipeline.cli.migrate import migrate
from odds_pipeline.database import migrate as migrations
from odds_pipeline.database.partitions import list_partitions


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(migrate)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def configured(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database that the settings name."""
    monkeypatch.setenv("ODDS_DATABASE_URL", empty_database)
    return empty_database


def test_an_empty_database_is_made_ready_for_the_first_cycle(configured: str) -> None:
    """B-57; at least seven days of history ahead."""
    result = invoke()
    assert result.exit_code == 0, result.output
    assert f"Schema at revision {migrations.head()}, was empty" in result.output
    migrations.verify(configured)
    with psycopg.connect(configured) as connection:
        assert len(list_partitions(connection)) >= 8
    again = invoke()
    assert again.exit_code == 0
    assert again.output.splitlines()[0] == f"Schema at revision {migrations.head()}"
    assert "(0 made now)" in again.output


def test_down_goes_back_to_the_revision_named(configured: str) -> None:
    invoke()
    result = invoke("--down", "0002")
    assert result.exit_code == 0, result.output
    assert result.output == f"Schema at revision 0002, was {migrations.head()}\n"
    assert migrations.current(configured) == "0002"
    assert invoke("--down", "base").output == "Schema at revision empty, was 0002\n"


def test_a_revision_that_does_not_exist_is_one_clear_line(configured: str) -> None:
    result = invoke("--down", "nonsense")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "nonsense" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_schema_that_was_tampered_with_is_reported(configured: str) -> None:
    """B-51."""
    invoke()
    with psycopg.connect(configured) as connection:
        connection.execute("DROP INDEX ix_events_kickoff")
    result = invoke()
    assert result.exit_code == 1
    assert "ix_events_kickoff" in result.stderr


def test_the_sql_is_printed_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODDS_DATABASE_URL", "postgresql://127.0.0.1:1/odds")
    result = invoke("--sql")
    assert result.exit_code == 0, result.output
    assert "CREATE TABLE odds_history" in result.output
    assert invoke("--sql", "--down", "base").exit_code == 2


def test_a_server_that_does_not_answer_is_one_clear_line_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ODDS_DATABASE_URL", "postgresql://odds:secret@127.0.0.1:1/odds")
    result = invoke()
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "secret" not in result.output + result.stderr
