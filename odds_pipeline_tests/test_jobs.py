"""Jobs beside the cycle: the refresh of one event. The others are tested with the sensors that launch them."""

from datetime import timedelta

import dagster as dg

from odds_pipeline.metadata import CHANGES, CURRENT, HISTORY
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline_tests.dagster_fixtures import Pipeline, failure_of


def refresh(pipeline: Pipeline, event_id: int) -> dg.ExecuteInProcessResult:
    return pipeline.job("refresh_event", run_config={"ops": {"refresh": {"config": {"event_id": event_id}}}})


def event_of_all_bookmakers(pipeline: Pipeline) -> int:
    ((event_id,), *_) = pipeline.rows(
        "SELECT event_id FROM event_bookmakers GROUP BY event_id "
        # Not one of those that a bookmaker lists twice: each listing is asked for.
        "HAVING count(*) = 3 AND count(DISTINCT bookmaker_id) = 3 ORDER BY 1"
    )
    return event_id


def test_a_refresh_writes_one_event_as_a_cycle_would(pipeline: Pipeline):
    """B-44: the same state, the same comparison, the same write; other events are left alone."""
    pipeline.fill()
    event_id = event_of_all_bookmakers(pipeline)
    pipeline.advance()
    result = refresh(pipeline, event_id)
    assert result.success
    ((run_id, status, trigger),) = pipeline.rows(
        "SELECT id, status, trigger FROM scrape_runs WHERE dagster_run_id = %s", result.run_id
    )
    assert (status, trigger) == ("completed", "webhook")
    assert pipeline.rows("SELECT DISTINCT event_id FROM market_odds_history WHERE run_id = %s", run_id) == [(event_id,)]
    assert pipeline.rows("SELECT asked, complete FROM scrape_coverage WHERE run_id = %s", run_id) == [(1, 1)] * 3
    # What the refresh wrote is no change any more when the cycle comes by.
    pipeline.fill()
    ((again,),) = pipeline.rows(
        "SELECT count(*) FROM market_odds_history WHERE run_id > %s AND event_id = %s", run_id, event_id
    )
    assert again == 0


def test_a_refresh_materializes_the_odds_assets(pipeline: Pipeline):
    pipeline.fill()
    pipeline.advance()
    result = refresh(pipeline, event_of_all_bookmakers(pipeline))
    materialized = {(event.asset_key, event.partition) for event in result.get_asset_materialization_events()}
    assert materialized == {(CHANGES, None), (CURRENT, None), (HISTORY, "2026-01-14")}


def test_a_refresh_that_gets_no_answer_makes_nothing_unavailable(pipeline: Pipeline):
    """I3, B-13: neither a failed answer nor the events that were not asked for are an absence."""
    pipeline.fill()
    before = pipeline.rows("SELECT market_id, state FROM current_odds ORDER BY market_id")
    pipeline.advance()
    pipeline.simulator.add_fault(Fault(kind=FaultKind.HTML, target="event"))
    result = refresh(pipeline, event_of_all_bookmakers(pipeline))
    assert result.success
    assert pipeline.rows("SELECT market_id, state FROM current_odds ORDER BY market_id") == before
    assert ("failed",) in pipeline.rows("SELECT status FROM scrape_runs WHERE dagster_run_id = %s", result.run_id)


def test_a_refresh_is_no_cycle_to_the_clock_of_cycles(pipeline: Pipeline):
    pipeline.fill()
    pipeline.advance(timedelta(minutes=4))
    assert refresh(pipeline, event_of_all_bookmakers(pipeline)).success
    pipeline.advance(timedelta(minutes=1))
    assert pipeline.tick("cycle_due").run_requests


def test_an_unknown_event_is_said_to_be_unknown(pipeline: Pipeline):
    result = refresh(pipeline, 4711)
    assert not result.success
    assert "no enabled bookmaker lists event 4711" in failure_of(result)
    assert pipeline.rows("SELECT * FROM scrape_runs") == []
