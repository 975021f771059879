"""From a request for one event to its run: the sensor, the job, and what can be read of both afterwards."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from odds_pipeline.analysis.refresh import refresh
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.archive.store import Archive
from odds_pipeline.database.refreshes import request_refresh
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline_tests.dagster_fixtures import Pipeline
from odds_pipeline_tests.sensors.test_sensors import failure_tick, skip_reason


@pytest.fixture
def event_id(pipeline: Pipeline) -> int:
    pipeline.fill()
    ((event_id,), *_) = pipeline.rows(
        "SELECT event_id FROM event_bookmakers GROUP BY event_id HAVING count(DISTINCT bookmaker_id) = 3 ORDER BY 1"
    )
    pipeline.advance()
    return event_id


def ask(pipeline: Pipeline, event_id: int) -> int:
    patience = pipeline.settings.dead_run_after
    return request_refresh(pipeline.database, event_id, now=pipeline.clock.now(), given_up_after=patience)


def seen(pipeline: Pipeline, request_id: int) -> dict[str, Any]:
    source = OddsSource(pipeline.database, Archive.from_settings(pipeline.settings), lambda first, last: [])
    patience = pipeline.settings.dead_run_after
    return refresh(source, request_id, now=pipeline.clock.now(), given_up_after=patience).row(0, named=True)


def launch(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """What the daemon does with the one run that the sensor asks for."""
    (request,) = pipeline.tick("refresh_requested").run_requests or []
    tags = {"dagster/run_key": str(request.run_key), "dagster/sensor_name": "refresh_requested", **request.tags}
    return pipeline.job("refresh_event", run_config=dict(request.run_config), tags=tags)


def test_nothing_is_launched_when_nobody_asked(pipeline: Pipeline):
    assert skip_reason(pipeline.tick("refresh_requested")) == "every refresh that was asked for is launched"


def test_a_request_becomes_one_run_and_tells_of_it(pipeline: Pipeline, event_id: int):
    request_id = ask(pipeline, event_id)
    assert seen(pipeline, request_id)["status"] == "requested"
    result = launch(pipeline)
    assert result.success
    ((run_id,),) = pipeline.rows("SELECT id FROM scrape_runs WHERE dagster_run_id = %s", result.run_id)
    row = seen(pipeline, request_id)
    assert (row["status"], row["run_id"], row["launched_at"]) == ("completed", run_id, pipeline.clock.now())
    assert row["error"] is None
    assert "every refresh" in skip_reason(pipeline.tick("refresh_requested"))
    assert ask(pipeline, event_id) != request_id


def test_a_request_is_asked_for_until_dagster_has_its_run(pipeline: Pipeline, event_id: int):
    """A daemon that dies between the tick and the launch loses nothing, and nothing is launched twice."""
    request_id = ask(pipeline, event_id)
    first, again = [(pipeline.tick("refresh_requested").run_requests or [])[0] for _ in range(2)]
    assert first.run_key == again.run_key == f"refresh-{request_id}"
    assert seen(pipeline, request_id)["status"] == "requested"
    job = pipeline.definitions.resolve_job_def("refresh_event")
    tags = {"dagster/run_key": str(first.run_key)}
    pipeline.instance.create_run_for_job(job, run_config=dict(first.run_config), tags=tags)
    assert "every refresh" in skip_reason(pipeline.tick("refresh_requested"))
    row = seen(pipeline, request_id)
    assert (row["status"], row["launched_at"]) == ("launched", pipeline.clock.now())


def test_a_refresh_that_nobody_answers_says_so(pipeline: Pipeline, event_id: int):
    request_id = ask(pipeline, event_id)
    pipeline.simulator.add_fault(Fault(kind=FaultKind.STATUS, status=404, target="event"))
    launch(pipeline)
    row = seen(pipeline, request_id)
    assert row["status"] == "failed"
    assert row["error"].startswith("no bookmaker gave an answer that could be read: bet9ja ")
    for slug in pipeline.settings.bookmakers:
        assert slug in row["error"]


def test_a_refresh_that_cannot_begin_says_why(pipeline: Pipeline, event_id: int):
    """Its listings went over to another event: the job opens no run, the sensor of failures opens one that says so."""
    request_id = ask(pipeline, event_id)
    with pipeline.database.connect() as connection:
        connection.execute(
            """
            WITH elsewhere AS (
                INSERT INTO events (tournament_id, name, home_team, away_team)
                SELECT tournament_id, name, home_team, away_team FROM events WHERE id = %(id)s RETURNING id
            )
            UPDATE event_bookmakers SET event_id = elsewhere.id FROM elsewhere WHERE event_id = %(id)s
            """,
            {"id": event_id},
        )
    result = launch(pipeline)
    assert not result.success
    failure_tick(pipeline, result.run_id)
    row = seen(pipeline, request_id)
    assert (row["status"], row["error"]) == ("failed", f"no enabled bookmaker lists event {event_id}")
    assert pipeline.rows("SELECT status, error FROM scrape_runs WHERE id = %s", row["run_id"]) == [
        ("failed", row["error"])
    ]
