"""The sensor of the storage profile: at its interval, without any cycle, and never twice at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from odds_pipeline.metadata import STORAGE_PROFILE
from odds_pipeline.sensors.profile_due import why_not
from odds_pipeline_tests.dagster_fixtures import NOON, Pipeline
from odds_pipeline_tests.sensors.test_sensors import skip_reason

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def test_the_newest_launch_or_materialization_counts():
    assert why_not([], now=NOON, interval=HOUR) is None
    assert why_not([NOON - HOUR], now=NOON, interval=HOUR) is None
    waiting = why_not([NOON - 2 * HOUR, NOON - MINUTE], now=NOON, interval=HOUR)
    assert waiting == "due at 12:59:00 UTC, 60 min after the last one"


@pytest.fixture
def in_real_time(pipeline: Pipeline) -> Pipeline:
    """At the time with which Dagster stamps its runs and events."""
    pipeline.clock.moment = datetime.now(UTC)
    return pipeline


def test_a_profile_is_due_before_the_first_cycle_and_again_after_the_interval(in_real_time: Pipeline):
    pipeline = in_real_time
    (request,) = pipeline.tick("profile_due").run_requests or []
    assert request.run_key is None, "Dagster never launches a run_key twice, failed or not"
    job = pipeline.definitions.resolve_job_def("storage_profile")
    pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE)
    assert "60 min after the last one" in skip_reason(pipeline.tick("profile_due"))
    pipeline.advance(HOUR + MINUTE)
    assert pipeline.tick("profile_due").run_requests


def test_a_profile_that_was_launched_as_the_asset_alone_counts(in_real_time: Pipeline):
    pipeline = in_real_time
    pipeline.instance.report_runless_asset_event(dg.AssetMaterialization(STORAGE_PROFILE))
    assert "60 min after the last one" in skip_reason(pipeline.tick("profile_due"))


def test_two_profiles_are_never_launched_at_once(pipeline: Pipeline):
    job = pipeline.definitions.resolve_job_def("storage_profile")
    pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert skip_reason(pipeline.tick("profile_due")) == "a profile is under way"


def test_what_a_clock_that_was_ahead_has_stamped_stops_no_profile():
    assert why_not([NOON + timedelta(days=400)], now=NOON, interval=HOUR) is None
    waiting = why_not([NOON + timedelta(days=400), NOON - MINUTE], now=NOON, interval=HOUR)
    assert waiting == "due at 12:59:00 UTC, 60 min after the last one"
