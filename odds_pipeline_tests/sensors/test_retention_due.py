"""The sensor of retention: once a day, again an hour after a failure, with a reason for every skip."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline_tests.dagster_fixtures import Pipeline
from odds_pipeline_tests.database.half_detached import half_detached
from odds_pipeline_tests.sensors.test_sensors import skip_reason


def at(pipeline: Pipeline, day: int, hour: int, minute: int) -> None:
    pipeline.clock.advance(datetime(2026, 1, day, hour, minute, tzinfo=UTC) - pipeline.clock.now())


def test_retention_is_launched_once_a_day_a_while_after_midnight(pipeline: Pipeline):
    assert pipeline.tick("retention_due").run_requests
    assert pipeline.job("retention").success
    told = "the last run began at 2026-01-14 12:00 UTC; the next is due at 2026-01-15 00:15"
    assert told in skip_reason(pipeline.tick("retention_due"))
    at(pipeline, 15, 0, 14)
    assert told in skip_reason(pipeline.tick("retention_due"))
    at(pipeline, 15, 0, 15)
    assert pipeline.tick("retention_due").run_requests


def test_a_run_that_failed_is_tried_again_after_an_hour(pipeline: Pipeline):
    with pipeline.database.connect() as connection:
        connection.execute(
            "INSERT INTO cleanup_runs (started_at, trigger, odds_retention_days, match_retention_days, status, "
            "error_message) VALUES (%s, 'scheduled', 14, 14, 'failed', 'no room')",
            [pipeline.clock.now()],
        )
    assert "no room); the next try is due at 13:00:00 UTC" in skip_reason(pipeline.tick("retention_due"))
    pipeline.advance(timedelta(hours=1))
    assert pipeline.tick("retention_due").run_requests


def test_a_half_detached_day_is_not_left_until_midnight(pipeline: Pipeline):
    assert pipeline.job("retention").success
    day = pipeline.clock.now().date()
    with pipeline.database.connect() as connection:
        ensure_partitions(connection, day, day)
    with half_detached(pipeline.database, day):
        pass
    assert pipeline.tick("retention_due").run_requests
    assert pipeline.job("retention").success
    assert "the next is due at 2026-01-15 00:15" in skip_reason(pipeline.tick("retention_due"))


def test_two_runs_are_never_launched_at_once(pipeline: Pipeline):
    job = pipeline.definitions.resolve_job_def("retention")
    pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert skip_reason(pipeline.tick("retention_due")) == "a run of retention is under way"


def test_what_a_clock_that_was_ahead_has_stamped_stops_no_retention(pipeline: Pipeline):
    assert pipeline.job("retention").success
    pipeline.clock.advance(-timedelta(days=400))
    assert pipeline.tick("retention_due").run_requests
