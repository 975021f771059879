"""The sensors on a real instance: what they launch, and what they say when they launch nothing."""

from datetime import date, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from odds_pipeline.database.archived_files import named_files, stale_states
from odds_pipeline.database.runs import open_run, start_run
from odds_pipeline_tests.dagster_fixtures import NOON, Pipeline


def skip_reason(ticked: SensorExecutionData) -> str:
    assert not ticked.run_requests
    assert ticked.skip_message is not None
    return ticked.skip_message


def start_dagster_run(pipeline: Pipeline, status: dg.DagsterRunStatus, **tags: str) -> str:
    """A run of the cycle that Dagster holds for being in ``status``, as after a kill."""
    job = pipeline.definitions.resolve_job_def("odds_cycle")
    return pipeline.instance.create_run_for_job(job, status=status, tags=tags).run_id


def open_scrape_run(pipeline: Pipeline, dagster_run_id: str) -> int:
    now = pipeline.clock.now()
    run_id = open_run(pipeline.database, trigger="scheduled", now=now, dagster_run_id=dagster_run_id)
    start_run(pipeline.database, run_id, now=now, settings=pipeline.settings)
    return run_id


def test_the_first_cycle_is_launched_at_once_for_today(pipeline: Pipeline):
    requests = pipeline.tick("cycle_due").run_requests or []
    assert [request.partition_key for request in requests] == ["2026-01-14"]
    assert requests[0].run_key is None, "Dagster never launches a run_key twice, failed or not"


def test_the_next_cycle_waits_for_its_interval(pipeline: Pipeline):
    pipeline.fill()
    with pipeline.database.connect() as connection:
        connection.execute("UPDATE events SET kickoff = %s", [NOON + timedelta(days=1)])
    assert "due at 12:05:00 UTC: 300 s after the last start" in skip_reason(pipeline.tick("cycle_due"))
    pipeline.clock.advance(timedelta(minutes=5))
    assert pipeline.tick("cycle_due").run_requests


def test_a_kickoff_nearby_makes_the_next_cycle_due_earlier(pipeline: Pipeline):
    pipeline.fill()
    with pipeline.database.connect() as connection:
        connection.execute("UPDATE events SET kickoff = %s", [NOON + timedelta(minutes=20)])
    assert "due at 12:02:00 UTC" in skip_reason(pipeline.tick("cycle_due"))


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_two_cycles_are_never_launched_at_once(pipeline: Pipeline, status: dg.DagsterRunStatus):
    """B-46: whatever the interval says, a cycle that is queued or under way holds back the next."""
    run_id = start_dagster_run(pipeline, status)
    reason = skip_reason(pipeline.tick("cycle_due"))
    assert f"a cycle is {status.value.lower()}" in reason
    assert run_id[:8] in reason


def test_a_launch_that_died_before_it_opened_a_run_is_not_repeated_at_once(pipeline: Pipeline):
    start_dagster_run(pipeline, dg.DagsterRunStatus.FAILURE, **{"dagster/sensor_name": "cycle_due"})
    attempted_at = pipeline.instance.get_run_records()[0].create_timestamp
    pipeline.clock.moment = attempted_at + timedelta(minutes=4)
    assert f"due at {attempted_at + timedelta(minutes=5):%H:%M:%S}" in skip_reason(pipeline.tick("cycle_due"))
    pipeline.clock.advance(timedelta(minutes=1))
    assert pipeline.tick("cycle_due").run_requests


def test_partitions_are_made_when_a_day_ahead_has_none(pipeline: Pipeline):
    """B-52: the sensor notices, its job makes them, and then there is nothing to do."""
    assert pipeline.tick("unprepared_days").run_requests
    assert pipeline.job("prepare_days").success
    names = pipeline.rows("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'odds_history'::regclass")
    days = {f"odds_history_202601{day}" for day in range(14, 22)}
    assert days <= {name for (name,) in names}
    assert "every day until 2026-01-21 has its partition" in skip_reason(pipeline.tick("unprepared_days"))
    pipeline.clock.advance(timedelta(days=1))
    assert pipeline.tick("unprepared_days").run_requests


def test_the_state_that_a_day_began_with_is_archived_when_the_day_before_is_over(pipeline: Pipeline):
    def states() -> list[date]:
        with pipeline.database.connect() as connection:
            return [file.first_day for file in named_files(connection, "state") if file.stale_from is None]

    pipeline.fill()
    pipeline.clock.moment = NOON.replace(day=15, hour=0, minute=14)
    assert pipeline.job("prepare_days").success
    assert states() == [], "a cycle of the day before may still begin"
    assert "every one until 2026-01-14 its state" in skip_reason(pipeline.tick("unprepared_days"))
    pipeline.clock.advance(timedelta(minutes=1))
    assert pipeline.tick("unprepared_days").run_requests
    assert pipeline.job("prepare_days").success
    assert states() == [date(2026, 1, 15)]
    assert "every one until 2026-01-15 its state" in skip_reason(pipeline.tick("unprepared_days"))

    pipeline.clock.advance(timedelta(days=1))
    pipeline.fill()
    with pipeline.database.connect() as connection:
        stale_states(connection, [date(2026, 1, 14)])
    assert pipeline.tick("unprepared_days").run_requests, "history before that day has changed"
    assert pipeline.job("prepare_days").success
    assert states() == [date(2026, 1, 15), date(2026, 1, 16)]


def test_the_watchdog_gives_up_a_run_that_died(pipeline: Pipeline):
    """B-45: in scrape_runs with a typed error, and in Dagster, so that the next cycle can be launched."""
    dagster_run_id = start_dagster_run(pipeline, dg.DagsterRunStatus.STARTED)
    run_id = open_scrape_run(pipeline, dagster_run_id)
    assert "every open run shows signs of life" in skip_reason(pipeline.tick("dead_runs"))
    # Dagster stamps its runs with real time, and knows no partition of tomorrow.
    created_at = pipeline.instance.get_run_records()[0].create_timestamp
    pipeline.clock.moment = created_at + timedelta(hours=1)
    reason = skip_reason(pipeline.tick("dead_runs"))
    assert f"gave up scrape runs {run_id}" in reason
    assert dagster_run_id[:8] in reason
    assert pipeline.rows("SELECT status FROM scrape_runs") == [("failed",)]
    assert pipeline.rows("SELECT scrape_run_id, error_type FROM scrape_errors") == [(run_id, "dead_run")]
    run = pipeline.instance.get_run_by_id(dagster_run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert "every open run shows signs of life" in skip_reason(pipeline.tick("dead_runs"))
    pipeline.clock.moment = created_at
    assert pipeline.tick("cycle_due").run_requests, "the way is free again"


def test_the_watchdog_leaves_a_long_cycle_that_shows_life_alone(pipeline: Pipeline):
    dagster_run_id = start_dagster_run(pipeline, dg.DagsterRunStatus.STARTED)
    pipeline.clock.moment = pipeline.instance.get_run_records()[0].create_timestamp + timedelta(hours=1)
    open_scrape_run(pipeline, dagster_run_id)
    assert "every open run shows signs of life" in skip_reason(pipeline.tick("dead_runs"))
    run = pipeline.instance.get_run_by_id(dagster_run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.STARTED


def test_the_watchdog_ends_a_run_that_died_before_it_opened_a_scrape_run(pipeline: Pipeline):
    dagster_run_id = start_dagster_run(pipeline, dg.DagsterRunStatus.STARTED)
    pipeline.clock.moment = pipeline.instance.get_run_records()[0].create_timestamp + timedelta(hours=1)
    assert dagster_run_id[:8] in skip_reason(pipeline.tick("dead_runs"))


def failure_tick(pipeline: Pipeline, dagster_run_id: str) -> None:
    """What the daemon does with one failed run."""
    run = pipeline.instance.get_run_by_id(dagster_run_id)
    assert run is not None
    (event,) = pipeline.instance.get_records_for_run(dagster_run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    dagster_event = event.event_log_entry.dagster_event
    assert dagster_event is not None
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failures",
        dagster_event=dagster_event,
        dagster_instance=pipeline.instance,
        dagster_run=run,
        resources=pipeline.resources(),
        repository_def=pipeline.definitions.get_repository_def(),
    ).for_run_failure()
    pipeline.definitions.resolve_sensor_def("run_failures")(context)


def test_a_run_whose_worker_was_killed_is_recorded(pipeline: Pipeline):
    dagster_run_id = start_dagster_run(pipeline, dg.DagsterRunStatus.STARTED)
    run_id = open_scrape_run(pipeline, dagster_run_id)
    run = pipeline.instance.get_run_by_id(dagster_run_id)
    assert run is not None
    pipeline.instance.report_run_failed(run, "the worker is gone")
    failure_tick(pipeline, dagster_run_id)
    assert pipeline.rows("SELECT id, status FROM scrape_runs") == [(run_id, "failed")]
    assert pipeline.rows("SELECT error_type, message FROM scrape_errors") == [("run_failure", "the worker is gone")]


def test_a_run_that_failed_before_it_opened_a_scrape_run_gets_one(pipeline: Pipeline):
    with pipeline.database.connect() as connection:
        connection.execute("ALTER TABLE scrape_runs RENAME COLUMN trigger TO elsewhere")
    result = pipeline.cycle()
    assert not result.success
    with pipeline.database.connect() as connection:
        connection.execute("ALTER TABLE scrape_runs RENAME COLUMN elsewhere TO trigger")
    failure_tick(pipeline, result.run_id)
    ((status, dagster_run_id),) = pipeline.rows("SELECT status, dagster_run_id FROM scrape_runs")
    assert (status, dagster_run_id) == ("failed", result.run_id)
    ((error_type, message),) = pipeline.rows("SELECT error_type, message FROM scrape_errors")
    assert error_type == "undefined_column"
    assert "trigger" in message


def test_a_refused_launch_is_no_failed_cycle(pipeline: Pipeline):
    result = pipeline.cycle(partition="2026-01-02")
    failure_tick(pipeline, result.run_id)
    assert pipeline.rows("SELECT * FROM scrape_runs") == []


def test_a_failure_recorded_by_its_step_is_not_recorded_twice(pipeline: Pipeline):
    with pipeline.database.connect() as connection:
        connection.execute("ALTER TABLE odds_history RENAME TO elsewhere")
    result = pipeline.cycle()
    before = pipeline.rows("SELECT * FROM scrape_errors ORDER BY id")
    failure_tick(pipeline, result.run_id)
    assert pipeline.rows("SELECT * FROM scrape_errors ORDER BY id") == before
