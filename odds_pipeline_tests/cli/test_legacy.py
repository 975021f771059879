"""``odds-pipeline legacy``: the dry run, the import and the comparison, as a user runs them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner, Result

from odds_pipeline.cli.legacy import legacy
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.legacy.earlier_system import make_earlier_system


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(legacy, list(arguments))


@pytest.fixture
def configured(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database that the settings name, with an earlier system of three days in a schema beside."""
    monkeypatch.setenv("ODDS_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ODDS_ARCHIVE_URL", str(archive_of(database).folder))
    monkeypatch.setenv("ODDS_LEGACY_SCHEMA", "earlier")
    with database.connect() as connection:
        make_earlier_system(connection, schema="earlier", events=2, days=3, interval=timedelta(hours=6))
    return database


def test_the_plan_writes_nothing_and_the_import_does_what_it_said(configured: Database) -> None:
    planned = invoke("plan", "--from", "2026-02-01", "--to", "2026-02-02", "--json")
    assert planned.exit_code == 0, planned.output
    rows = [json.loads(line) for line in planned.stdout.splitlines()]
    assert {row["day"] for row in rows} == {"2026-02-01", "2026-02-02"}
    assert query(configured, "SELECT count(*) FROM imported_days") == [(0,)]
    assert "market_odds" in invoke("plan").stdout
    done = invoke("import", "--from", "2026-02-01", "--to", "2026-02-02")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 2
    stored = query(configured, "SELECT sum(rows_read)::int, sum(changes)::int FROM imported_days")
    assert stored == [(sum(row["rows"] for row in rows), sum(row["changed"] + row["gone"] for row in rows))]
    again = invoke("import", "--from", "2026-02-01", "--to", "2026-02-02")
    assert "0 added, 0 removed, 0 replaced" in again.stdout


def test_untrusted_odds_are_left_out_on_request(configured: Database) -> None:
    assert invoke("import", "--leave-out-untrusted").exit_code == 0
    ((left_out, untrusted),) = query(configured, "SELECT sum(left_out), sum(untrusted) FROM imported_days")
    assert left_out == untrusted > 0
    assert query(configured, "SELECT count(*) FROM untrusted_spans") == [(0,)]


def test_days_without_odds_are_said_to_have_none(configured: Database) -> None:
    result = invoke("import", "--from", "2026-03-01", "--to", "2026-03-02")
    assert result.exit_code == 0
    assert "holds no odds of these days" in result.stdout


def test_no_earlier_system_is_one_line_that_says_where_it_was_looked_for(
    configured: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODDS_LEGACY_SCHEMA", "nowhere")
    for command in ("plan", "import", "compare"):
        result = invoke(command)
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert "no earlier system in" in result.stderr


def test_comparing_lists_what_differs_and_exits_with_1(configured: Database) -> None:
    assert invoke("compare").exit_code == 0, "with nothing of ours there is nothing to compare"
    ((first, external),) = query(
        configured,
        """
        SELECT min(snapshot.captured_at), min(listing.external_event_id)
        FROM earlier.odds_snapshots AS snapshot
        JOIN earlier.event_bookmakers AS listing ON listing.event_id = snapshot.event_id
        """,
    )
    for hours, price in ((0, "9.99"), (12, "9.98")):
        at = first + timedelta(hours=hours)
        commit(configured, Cycle(at, {}, [answer("betpawa", external, at, {("3743", None): {"1": price}})]))
    result = invoke("compare", "--tolerance", "10", "--show", "3")
    assert result.exit_code == 1, result.output
    assert "differences" in result.stdout
    listed = [json.loads(line) for line in invoke("compare", "--json").stdout.splitlines()]
    assert {(row["side"], row["ours"]) for row in listed if row["betpawa_market_id"] == "3743"} >= {
        ("ours", "1 9.990"),
        ("earlier", "1 9.990"),
    }
