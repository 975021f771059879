"""The sensor of pruning: at its interval, soon again when something was left over, later after a failure."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from odds_pipeline.metadata import DAGSTER_PRUNING
from odds_pipeline_tests.dagster_fixtures import Pipeline
from odds_pipeline_tests.sensors.test_sensors import skip_reason


@pytest.fixture(autouse=True)
def _now_is_dagsters(pipeline: Pipeline) -> None:
    """Dagster's own times are real ones."""
    pipeline.clock.advance(datetime.now(UTC) - pipeline.clock.now())


def pruned(pipeline: Pipeline, *, is_complete: bool = True) -> None:
    materialization = dg.AssetMaterialization(DAGSTER_PRUNING, metadata={"is_complete": is_complete})
    pipeline.instance.report_runless_asset_event(materialization)


def test_the_first_pruning_is_due_at_once_and_the_next_after_the_interval(pipeline: Pipeline):
    assert pipeline.tick("pruning_due").run_requests
    pruned(pipeline)
    assert "the last one was at" in skip_reason(pipeline.tick("pruning_due"))
    pipeline.advance(pipeline.settings.dagster_prune_interval - timedelta(minutes=1))
    assert "the next pruning is due at" in skip_reason(pipeline.tick("pruning_due"))
    pipeline.advance(timedelta(minutes=2))
    assert pipeline.tick("pruning_due").run_requests


def test_what_was_left_over_is_taken_up_soon(pipeline: Pipeline):
    pruned(pipeline, is_complete=False)
    assert "left something over" in skip_reason(pipeline.tick("pruning_due"))
    pipeline.advance(timedelta(minutes=6))
    assert pipeline.tick("pruning_due").run_requests


def test_one_that_was_reported_by_hand_pruned_nothing(pipeline: Pipeline):
    pipeline.instance.report_runless_asset_event(dg.AssetMaterialization(DAGSTER_PRUNING))
    assert "left something over" in skip_reason(pipeline.tick("pruning_due"))
    pipeline.advance(timedelta(minutes=6))
    assert pipeline.tick("pruning_due").run_requests


def test_after_a_failure_an_hour_passes(pipeline: Pipeline):
    job = pipeline.definitions.resolve_job_def("dagster_pruning")
    pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE)
    assert "failed" in skip_reason(pipeline.tick("pruning_due"))
    pipeline.advance(timedelta(minutes=61))
    assert pipeline.tick("pruning_due").run_requests


def test_two_runs_are_never_launched_at_once(pipeline: Pipeline):
    job = pipeline.definitions.resolve_job_def("dagster_pruning")
    pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert skip_reason(pipeline.tick("pruning_due")) == "a pruning is under way"


def test_what_a_clock_that_was_ahead_has_stamped_stops_no_pruning(pipeline: Pipeline):
    pruned(pipeline)
    job = pipeline.definitions.resolve_job_def("dagster_pruning")
    pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE)
    pipeline.clock.advance(-timedelta(days=400))
    assert pipeline.tick("pruning_due").run_requests
