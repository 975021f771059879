"""``odds-pipeline profile``: ours and any other database, three formats, nothing written, no password shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.charts.drawing import size
from odds_pipeline_tests.cli.asking import answered, ask
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds

SECRET = "sesame-opens-it"


@pytest.fixture
def configured(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with a day of odds, which the settings name."""
    monkeypatch.setenv("ODDS_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ODDS_ARCHIVE_URL", str(archive_of(database).folder))
    DaysOfOdds(database).write(datetime.now(UTC).date(), days=1, cycles=1)
    return database


@pytest.fixture
def other(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database in no shape of ours; the terminal of whoever runs the tests decides nothing."""
    monkeypatch.delenv("COLUMNS", raising=False)
    with Database(empty_database).connect() as connection:
        connection.execute('CREATE SCHEMA "old|er"')
        connection.execute('CREATE TABLE "old|er"."a | `b` <i>" (id int, answer jsonb)')
        connection.execute(
            """INSERT INTO "old|er"."a | `b` <i>" SELECT n, '{"x": 1}' FROM generate_series(1, 500) AS n"""
        )
        connection.execute("CREATE TABLE plain AS SELECT generate_series(1, 1000) AS n")
    return empty_database


def test_ours_is_profiled_and_nothing_is_written(configured: Database):
    text = answered("profile")
    for words in ("Tables of odds", "Tables of dagster", "odds_history", "Recommended strategy", "Strategies"):
        assert words in text
    with configured.connect() as connection:
        for table in ("storage_samples", "storage_alerts"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_database_that_was_never_migrated_has_a_report_too(empty_database: str, monkeypatch: pytest.MonkeyPatch):
    """R25."""
    monkeypatch.setenv("ODDS_DATABASE_URL", empty_database)
    text = answered("profile")
    assert "There is no table." in text
    assert "No alert is open." in text


def test_json_is_one_object_with_everything(configured: Database):
    told = json.loads(answered("profile", "--format", "json"))
    assert [each["name"] for each in told["databases"]] == ["odds", "dagster"]
    assert told["total_bytes"] == sum(
        [each["total_bytes"] for each in told["databases"]] + [each["bytes"] for each in told["archives"]]
    )
    assert len(told["strategies"]) >= 5
    assert told["plan"]["meets_target"] is True
    assert told["alerts"] == []


def test_another_database_is_profiled_whatever_its_tables_are_called(other: str):
    text = answered("profile", "--url", other)
    assert "old|er.a | `b` <i>" in text
    assert "500" in text
    assert "plain" in text
    written = answered("profile", "--url", other, "--format", "markdown")
    assert "old\\|er.a \\| \\`b\\` &lt;i&gt;" in written


def test_only_the_schema_that_is_asked_for_is_told(other: str):
    told = json.loads(answered("profile", "--url", other, "--schema", "public", "--format", "json"))
    assert [each["name"] for each in told["databases"][0]["tables"]] == ["plain"]


def test_a_chart_is_drawn_instead_of_the_report(other: str, tmp_path: Path):
    picture = tmp_path / "sizes.png"
    assert answered("profile", "--url", other, "--chart", picture) == ""
    assert size(picture.read_bytes())[0] > 500
    assert "plain" in answered("profile", "--url", other, "--chart", picture, "--format", "text")


def test_text_for_a_file_is_as_wide_as_columns_says(other: str, monkeypatch: pytest.MonkeyPatch):
    assert max(map(len, answered("profile", "--url", other).splitlines())) > 100
    monkeypatch.setenv("COLUMNS", "100")
    assert max(map(len, answered("profile", "--url", other).splitlines())) <= 100


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"postgresql://somebody:{SECRET}@127.0.0.1:1/earlier", "the database does not answer"),
        (f"mysql://somebody:{SECRET}@127.0.0.1/earlier", "--url has the scheme 'mysql'"),
        (f"postgresql://somebody:{SECRET}@127.0.0.1", "--url names no database"),
    ],
)
def test_what_goes_wrong_is_one_line_without_the_password(url: str, words: str):
    result = ask("profile", "--url", url)
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert SECRET not in result.output


def test_the_password_is_nowhere_in_the_report(other: str):
    with_password = Database(other).url.set(password=SECRET).render_as_string(hide_password=False)
    for style in ("text", "json", "markdown"):
        assert SECRET not in ask("profile", "--url", with_password, "--format", style).output


def test_a_copy_is_told_as_of_the_time_that_is_asked_for(other: str):
    with Database(other).connect() as connection:
        connection.execute("CREATE TABLE seen (captured_at timestamptz)")
        connection.execute(
            "INSERT INTO seen SELECT timestamptz '2026-01-10' + n * interval '1 hour' FROM generate_series(0, 47) AS n"
        )
    dates = (("2026-01-13T00:00Z", 48, 0), ("2026-01-18T00:00Z", 24, 0), ("2026-03-01T00:00Z", 0, 0))
    for at, within, ahead in (*dates, ("2026-01-11T00:00Z", 24, 24)):
        told = json.loads(answered("profile", "--url", other, "--at", at, "--format", "json"))
        (seen,) = [each for each in told["databases"][0]["tables"] if each["name"] == "seen"]
        assert (seen["ages"]["rows_within"]["7"], seen["ages"]["rows_ahead"]) == (within, ahead)
        assert told["measured_at"].startswith(at.removesuffix("Z"))


@pytest.mark.parametrize(("option", "value"), [("--schema", "public"), ("--at", "2026-01-13T00:00Z")])
def test_what_is_only_for_other_databases_is_refused_for_ours(option: str, value: str):
    result = ask("profile", option, value)
    assert result.exit_code == 2
    assert "--schema and --at go with --url" in " ".join(result.stderr.replace("│", " ").split())
