"""The checks of the odds in PostgreSQL, on a database that a cycle has filled."""

from datetime import timedelta

import dagster as dg
import pytest

from odds_pipeline.database.runs import open_run, start_run
from odds_pipeline.metadata import CURRENT, HISTORY
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline_tests.dagster_fixtures import Pipeline

WARN = dg.AssetCheckSeverity.WARN


def check(pipeline: Pipeline, name: str, asset: dg.AssetKey = CURRENT) -> dg.AssetCheckEvaluation:
    """Execute one check alone, as from the UI."""
    job = dg.define_asset_job(
        "one_check", selection=dg.AssetSelection.checks(dg.AssetCheckKey(asset, name)), partitions_def=None
    )
    definitions = dg.Definitions.merge(pipeline.definitions, dg.Definitions(jobs=[job]))
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("one_check").execute_in_process(instance=instance, raise_on_error=False)
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


@pytest.fixture
def filled(pipeline: Pipeline) -> Pipeline:
    pipeline.fill()
    return pipeline


def test_checks_can_be_run_on_an_empty_database(pipeline: Pipeline):
    """B-57"""
    for name in ("schema", "unique", "staleness", "recurring_failures", "secondary_listings"):
        assert check(pipeline, name).passed, name


@pytest.mark.parametrize("asset", [CURRENT, HISTORY], ids=["current", "history"])
def test_a_view_that_lost_a_column_fails_the_schema_check(filled: Pipeline, asset: dg.AssetKey):
    assert check(filled, "schema", asset).passed
    view = f"market_odds_{asset.path[-1]}"
    with filled.database.connect() as connection:
        connection.execute(f"ALTER VIEW {view} RENAME COLUMN line TO hcap".encode())
    found = check(filled, "schema", asset)
    assert not found.passed
    assert found.blocking
    assert "hcap" in str(found.metadata["actual"].value)


def test_two_primary_listings_of_a_match_show_its_markets_twice(filled: Pipeline):
    assert check(filled, "unique").passed
    with filled.database.connect() as connection:
        connection.execute("ALTER TABLE event_bookmakers DROP CONSTRAINT ex_event_bookmakers_one_primary")
        connection.execute(
            """
            UPDATE event_bookmakers SET event_id = (SELECT min(event_id) FROM event_bookmakers), is_primary = true
            WHERE bookmaker_id = (SELECT id FROM bookmakers WHERE slug = 'betpawa')
            """
        )
    found = check(filled, "unique")
    assert not found.passed
    assert found.blocking
    assert found.metadata["twice"].value


def test_listings_whose_answers_fail_again_and_again_are_stale(filled: Pipeline):
    """R12: odds whose scrapes fail are flagged."""
    with filled.database.connect() as connection:
        connection.execute("UPDATE listing_state SET failed_answers = 3")
    found = check(filled, "staleness")
    assert (found.passed, found.severity) == (False, WARN)
    assert found.metadata["stale"].value == found.metadata["listings"].value
    assert filled.rows("SELECT DISTINCT is_stale FROM market_odds_current") == [(True,)]


def test_listings_without_a_recent_answer_are_stale(filled: Pipeline):
    """Judged on the pipeline's clock, which lies months back: a cycle that is fresh on it becomes old on it."""
    assert check(filled, "staleness").passed
    filled.advance(timedelta(days=1))
    now = filled.clock.now()
    run_id = open_run(filled.database, trigger="manual", now=now)
    start_run(filled.database, run_id, now=now, settings=filled.settings)
    found = check(filled, "staleness")
    assert (found.passed, found.severity) == (False, WARN)


def test_a_failure_in_three_cycles_in_a_row_recurs(filled: Pipeline):
    """R12: the same bookmaker and error type, with its count."""
    filled.simulator.add_fault(Fault(kind=FaultKind.STATUS, status=500, bookmaker="bet9ja", target="discovery"))
    for _ in range(2):
        filled.advance()
        filled.fill()
    assert check(filled, "recurring_failures").passed
    filled.advance()
    filled.fill()
    found = check(filled, "recurring_failures")
    assert (found.passed, found.severity) == (False, WARN)
    table = found.metadata["first"]
    assert isinstance(table, dg.TableMetadataValue)
    (row,) = table.records
    assert (row.data["bookmaker"], row.data["error_type"], row.data["cycles"]) == ("bet9ja", "server_error", 3)


def test_a_match_listed_twice_by_one_bookmaker_is_counted(filled: Pipeline):
    with filled.database.connect() as connection:
        connection.execute(
            "UPDATE event_bookmakers SET is_primary = false WHERE id IN (SELECT id FROM event_bookmakers LIMIT 2)"
        )
    ((secondary,),) = filled.rows("SELECT count(*) FROM event_bookmakers WHERE NOT is_primary")
    found = check(filled, "secondary_listings")
    assert (found.passed, found.severity) == (False, WARN)
    assert found.metadata["secondary"].value == secondary >= 2


def test_a_missing_partition_ahead_is_named(pipeline: Pipeline):
    assert pipeline.job("prepare_days").success
    assert check(pipeline, "partitions_ahead", HISTORY).passed
    pipeline.advance(timedelta(days=1))
    found = check(pipeline, "partitions_ahead", HISTORY)
    assert (found.passed, found.severity) == (False, WARN)
    assert found.metadata["missing"].value == "2026-01-22"
