"""The cycle through Dagster: real instance, real PostgreSQL, real HTTP to the simulator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from odds_pipeline.metadata import CHANGES, CURRENT, HISTORY, observations_key
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline_tests.dagster_fixtures import EVENTS, Pipeline, failure_of

SCRAPES = [observations_key(slug) for slug in ("betpawa", "sportybet", "bet9ja")]


def metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    (event,) = [event for event in result.get_asset_materialization_events() if event.asset_key == key]
    return {
        name: list(value.records) if isinstance(value, dg.TableMetadataValue) else value.value
        for name, value in event.materialization.metadata.items()
    }


def checks(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    return {
        (evaluation.asset_key.to_user_string(), evaluation.check_name): evaluation
        for evaluation in result.get_asset_check_evaluations()
    }


def test_a_first_cycle_fills_an_empty_database_and_says_what_it_did(pipeline: Pipeline):
    """B-57, B-32: no manual step before the first cycle; discovery is part of it."""
    result = pipeline.cycle()
    assert result.success
    assert {event.asset_key for event in result.get_asset_materialization_events()} == {
        *SCRAPES,
        CHANGES,
        CURRENT,
        HISTORY,
    }
    ((run_id, status, trigger, scraped),) = pipeline.rows(
        "SELECT id, status, trigger, events_scraped FROM scrape_runs WHERE dagster_run_id = %s", result.run_id
    )
    assert (status, trigger) == ("completed", "manual")
    assert scraped >= EVENTS
    ((stored, available),) = pipeline.rows(
        "SELECT count(*), count(*) FILTER (WHERE unavailable_at IS NULL) FROM current_odds"
    )
    changes, current, history = (metadata(result, key) for key in (CHANGES, CURRENT, HISTORY))
    assert changes["dagster/row_count"] == changes["new"] == stored
    assert changes["scrape_run"] == run_id
    assert (current["dagster/row_count"], current["available"]) == (stored, available)
    assert (history["dagster/partition_row_count"], history["appended"]) == (stored, stored)
    assert sum(metadata(result, key)["dagster/row_count"] for key in SCRAPES) == changes["observations"]
    for key in (*SCRAPES, CHANGES, CURRENT, HISTORY):
        assert len(metadata(result, key)["sample"]) == 5


def test_later_cycles_append_only_what_changed(pipeline: Pipeline):
    """B-02, B-03: changes are found against what was stored, for every bookmaker alike."""
    pipeline.fill()
    pipeline.advance()
    second = pipeline.cycle()
    found = metadata(second, CHANGES)
    assert 0 < found["dagster/row_count"] < 0.2 * found["observations"]
    rows = pipeline.rows(
        "SELECT DISTINCT bookmaker_slug FROM market_odds_history WHERE run_id = %s", found["scrape_run"]
    )
    assert {slug for (slug,) in rows} == {"betpawa", "sportybet", "bet9ja"}
    idle = pipeline.cycle()
    assert idle.success
    assert metadata(idle, CHANGES)["dagster/row_count"] == 0
    assert metadata(idle, HISTORY)["appended"] == 0


def test_nothing_is_left_in_staging_after_a_cycle(pipeline: Pipeline):
    assert pipeline.cycle().success
    assert pipeline.settings.data_dir is not None
    assert list((pipeline.settings.data_dir / "staging").iterdir()) == []


def test_all_checks_of_a_good_cycle_pass_but_those_that_describe_the_world(pipeline: Pipeline):
    pipeline.fill()
    found = checks(pipeline.cycle())
    about_the_world = {"secondary_listings", "staleness", "partitions_ahead"}
    failed = {key for key, evaluation in found.items() if not evaluation.passed}
    assert {name for _, name in failed} <= about_the_world
    assert len(found) == 3 * 5 + 2 + 7


def test_a_bookmaker_that_fails_still_materializes_and_the_others_are_written(pipeline: Pipeline):
    """B-39, B-43: a partial cycle, loudly; an output that was not yielded would skip everything downstream."""
    pipeline.simulator.add_fault(Fault(kind=FaultKind.STATUS, status=503, bookmaker="sportybet", target="discovery"))
    result = pipeline.cycle()
    assert result.success
    dead = metadata(result, observations_key("sportybet"))
    assert (dead["coverage"], dead["dagster/row_count"]) == ("failed", 0)
    coverage = checks(result)["sportybet/observations", "coverage"]
    assert not coverage.passed
    assert coverage.severity is dg.AssetCheckSeverity.ERROR
    assert checks(result)["betpawa/observations", "coverage"].passed
    assert pipeline.rows("SELECT status FROM scrape_runs") == [("partial",)]
    rows = pipeline.rows("SELECT DISTINCT bookmaker_slug FROM market_odds_current")
    assert {slug for (slug,) in rows} == {"betpawa", "bet9ja"}


def test_a_cycle_of_one_bookmaker_says_nothing_about_the_others(pipeline: Pipeline):
    pipeline.fill()
    pipeline.advance()
    result = pipeline.cycle([observations_key("betpawa"), CHANGES, CURRENT, HISTORY])
    assert result.success
    run_id = metadata(result, CHANGES)["scrape_run"]
    rows = pipeline.rows("SELECT DISTINCT bookmaker_slug FROM market_odds_history WHERE run_id = %s", run_id)
    assert {slug for (slug,) in rows} == {"betpawa"}


def test_history_reports_every_day_that_a_cycle_touched(pipeline: Pipeline):
    """A cycle launched for yesterday that runs after midnight writes today's rows."""
    pipeline.clock.moment = datetime(2026, 1, 15, 0, 5, tzinfo=UTC)
    result = pipeline.cycle(partition="2026-01-14")
    assert result.success
    days = {
        event.partition: event.materialization.metadata["appended"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key == HISTORY
    }
    ((appended,),) = pipeline.rows("SELECT count(*) FROM odds_history_changes")
    assert appended
    assert days == {"2026-01-14": 0, "2026-01-15": appended}


@pytest.mark.parametrize("partition", ["2026-01-01", "2026-01-13", None], ids=["past", "yesterday", "none"])
def test_a_cycle_for_another_day_asks_nobody(pipeline: Pipeline, partition: str | None):
    result = pipeline.cycle(partition=partition)
    assert not result.success
    assert "Launch odds_cycle for 2026-01-14" in failure_of(result)
    assert set(pipeline.simulator.state()["requests"].values()) <= {0}
    assert pipeline.rows("SELECT * FROM scrape_runs") == []
    assert not result.get_asset_materialization_events()


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        ([CURRENT, HISTORY], "without odds/changes of the same run"),
        ([CHANGES, CURRENT, HISTORY], "in one run"),
        ([observations_key("betpawa")], "in one run"),
    ],
    ids=["without changes", "nothing scraped", "scrape alone"],
)
def test_half_a_launch_is_refused_in_a_sentence(pipeline: Pipeline, selection: list[dg.AssetKey], says: str):
    result = pipeline.cycle(selection)
    assert not result.success
    assert says in failure_of(result)
    assert not result.get_asset_materialization_events()


def test_current_alone_is_rebuilt_from_history(pipeline: Pipeline):
    pipeline.fill()
    before = pipeline.rows("SELECT market_id, state FROM current_odds ORDER BY market_id")
    with pipeline.database.connect() as connection:
        connection.execute("DELETE FROM current_odds WHERE market_id % 2 = 0")
    result = pipeline.cycle([CURRENT], partition=None)
    assert result.success
    assert metadata(result, CURRENT)["repaired"] == len([market_id for market_id, _ in before if market_id % 2 == 0])
    assert pipeline.rows("SELECT market_id, state FROM current_odds ORDER BY market_id") == before


def test_a_cycle_that_cannot_be_written_is_closed_as_failed(pipeline: Pipeline):
    """The run's row says so at once, without waiting for a sensor."""
    with pipeline.database.connect() as connection:
        connection.execute("ALTER TABLE odds_history RENAME TO elsewhere")
    result = pipeline.cycle()
    assert not result.success
    ((status, error),) = pipeline.rows("SELECT status, error FROM scrape_runs")
    assert status == "failed"
    assert "odds_history" in error
    ((error_type,),) = pipeline.rows("SELECT error_type FROM scrape_errors WHERE bookmaker_id IS NULL")
    assert error_type == "undefined_table"


def test_a_cycle_is_refused_while_another_one_scrapes(pipeline: Pipeline):
    """B-46: cycles never overlap, whoever launches them."""
    with pipeline.database.connect() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [0x6F64_6473_0004])
        result = pipeline.cycle()
        assert not result.success
        assert "another cycle is scraping right now" in failure_of(result)
        assert pipeline.rows("SELECT * FROM scrape_runs") == []
    pipeline.advance(timedelta(seconds=1))
    assert pipeline.cycle().success
