"""When reports are due: the decision, what the sensor launches on a real instance, and what it says when it waits."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from odds_pipeline.database.history import midnight
from odds_pipeline.database.runs import open_run, start_run
from odds_pipeline.metadata import COVERAGE, MARGINS, TIME_TO_KICKOFF, UNMAPPED
from odds_pipeline.sensors.reports_due import Report, Standing, wanted_reports, why_not
from odds_pipeline_tests.dagster_fixtures import NOON, Pipeline
from odds_pipeline_tests.sensors.test_sensors import skip_reason

HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
OFFER = (UNMAPPED, COVERAGE)
Requests = Sequence[tuple[str | None, str | None, set[dg.AssetKey]]]


def reason(known: Standing, *, now: datetime, news_at: datetime = NOON) -> str | None:
    return why_not(Report("offer_reports", OFFER, news_at), known, now=now, interval=HOUR)


def test_a_report_that_was_never_made_is_due_at_once():
    assert reason(Standing(), now=NOON) is None


def test_a_report_waits_for_news():
    assert "nothing new since the last report at 12:00:00 UTC" in (reason(Standing(NOON), now=NOON + 9 * HOUR) or "")
    assert reason(Standing(NOON - MINUTE), now=NOON + 9 * HOUR) is None


def test_a_report_waits_for_the_interval():
    made = Standing(NOON - MINUTE, NOON - MINUTE)
    assert reason(made, now=NOON + 58 * MINUTE) == "due at 12:59:00 UTC, 60 min after the last run"
    assert reason(made, now=NOON + 59 * MINUTE) is None


def test_a_run_that_failed_is_not_repeated_before_the_interval():
    """A launch counts whether it reported or not; else it would be launched at each tick."""
    failed = Standing(NOON - 3 * HOUR, NOON)
    assert "due at 13:00:00 UTC" in (reason(failed, now=NOON + MINUTE) or "")
    assert reason(failed, now=NOON + HOUR) is None
    assert "due at 13:00:00 UTC" in (reason(Standing(None, NOON), now=NOON + MINUTE) or "")


def test_a_report_is_never_made_twice_at_once():
    assert reason(Standing(is_under_way=True), now=NOON) == "a run is under way"


def requests(pipeline: Pipeline) -> Requests:
    """What a tick launches: job, day and assets."""
    ticked = pipeline.tick("reports_due").run_requests or []
    assert all(request.run_key is None for request in ticked), "Dagster never launches a run_key twice, failed or not"
    return [(request.job_name, request.partition_key, set(request.asset_selection or ())) for request in ticked]


def kick_off(pipeline: Pipeline, *moments: datetime) -> None:
    """Have all matches kick off at the first moment, but one at each of the others."""
    with pipeline.database.connect() as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM events ORDER BY id")]
        for place, event_id in enumerate(ids):
            at = moments[place] if place < len(moments) else moments[0]
            connection.execute("UPDATE events SET kickoff = %s WHERE id = %s", [at, event_id])


def report(pipeline: Pipeline, requested: Requests) -> None:
    """Run what a tick launched."""
    for job, day, assets in requested:
        assert job is not None
        assert pipeline.cycle(list(assets), job=job, partition=day).success


def test_reports_follow_the_first_cycle(pipeline: Pipeline):
    assert skip_reason(pipeline.tick("reports_due")) == "no cycle has been committed yet"
    pipeline.fill()
    kick_off(pipeline, NOON + 3 * HOUR)
    launched = requests(pipeline)
    assert launched == [
        ("offer_reports", None, {UNMAPPED, COVERAGE}),
        ("day_reports", "2026-01-14", {MARGINS, TIME_TO_KICKOFF}),
    ]
    report(pipeline, launched)
    waiting = skip_reason(pipeline.tick("reports_due"))
    assert "what is on offer: nothing new since the last report" in waiting
    assert "2026-01-14: nothing new since the last report" in waiting


def test_a_day_on_which_nothing_kicks_off_has_its_margins_alone(pipeline: Pipeline):
    pipeline.fill()
    kick_off(pipeline, NOON + timedelta(days=2))
    assert ("day_reports", "2026-01-14", {MARGINS}) in requests(pipeline)


def test_a_cycle_that_is_under_way_is_no_news(pipeline: Pipeline):
    now = pipeline.clock.now()
    start_run(
        pipeline.database,
        open_run(pipeline.database, trigger="scheduled", now=now),
        now=now,
        settings=pipeline.settings,
    )
    assert skip_reason(pipeline.tick("reports_due")) == "no cycle has been committed yet"


def days_wanted(pipeline: Pipeline, at: datetime) -> dict[date | None, datetime]:
    """Day to the news it has, of the reports wanted at a moment."""
    return {each.day: each.news_at for each in wanted_reports(pipeline.database, now=at, grace=GRACE)}


def test_yesterday_is_reported_once_more_when_it_is_over(pipeline: Pipeline):
    """After the grace in which cycles of the day before may still begin; today once it has odds of its own."""
    pipeline.fill()
    today = midnight(NOON.date() + timedelta(days=1))
    ((committed_at,),) = pipeline.rows("SELECT completed_at FROM scrape_runs")
    assert days_wanted(pipeline, NOON) == {None: committed_at, NOON.date(): committed_at}
    assert days_wanted(pipeline, today + GRACE - MINUTE) == {None: committed_at}
    assert days_wanted(pipeline, today + GRACE) == {None: committed_at, NOON.date(): today + GRACE}
    pipeline.clock.moment = today + HOUR
    pipeline.fill()
    assert set(days_wanted(pipeline, today + HOUR)) == {None, NOON.date(), today.date()}


def test_yesterday_waits_for_a_cycle_that_began_in_it(pipeline: Pipeline):
    pipeline.fill()
    began = NOON.replace(hour=23, minute=59)
    run_id = open_run(pipeline.database, trigger="scheduled", now=began)
    start_run(pipeline.database, run_id, now=began, settings=pipeline.settings)
    assert NOON.date() not in days_wanted(pipeline, NOON + timedelta(days=1))


def test_days_without_history_are_not_reported(pipeline: Pipeline):
    """The pipeline stood still for two days: of yesterday nothing was stored."""
    pipeline.fill()
    assert set(days_wanted(pipeline, NOON + timedelta(days=2))) == {None}


@pytest.fixture
def in_real_time(pipeline: Pipeline) -> Pipeline:
    """After a cycle at the time with which Dagster stamps its events, and with a match of today."""
    pipeline.clock.moment = datetime.now(UTC)
    pipeline.fill()
    kick_off(pipeline, pipeline.clock.now())
    return pipeline


def test_a_failed_run_of_a_day_is_not_repeated_at_once(in_real_time: Pipeline):
    """On the real instance: the newest run of the day counts, though it reported nothing."""
    pipeline = in_real_time
    tags = {"dagster/partition": pipeline.clock.now().date().isoformat()}
    job = pipeline.definitions.resolve_job_def("day_reports")
    pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE, tags=tags)
    assert requests(pipeline) == [("offer_reports", None, {UNMAPPED, COVERAGE})]


def test_a_failed_run_is_tried_again_after_the_interval(in_real_time: Pipeline):
    pipeline = in_real_time
    job = pipeline.definitions.resolve_job_def("offer_reports")
    pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE)
    pipeline.clock.moment = pipeline.instance.get_run_records()[0].create_timestamp + HOUR - MINUTE
    assert "offer_reports" not in [name for name, _, _ in requests(pipeline)]
    pipeline.advance(MINUTE)
    assert ("offer_reports", None, {UNMAPPED, COVERAGE}) in requests(pipeline)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_unfinished_runs_are_seen(in_real_time: Pipeline, status: dg.DagsterRunStatus):
    pipeline = in_real_time
    pipeline.instance.create_run_for_job(pipeline.definitions.resolve_job_def("offer_reports"), status=status)
    assert [name for name, _, _ in requests(pipeline)] == ["day_reports"]


def test_news_after_a_report_make_it_due_when_the_interval_is_over(in_real_time: Pipeline):
    pipeline = in_real_time
    report(pipeline, [("offer_reports", None, {UNMAPPED, COVERAGE})])
    pipeline.advance(2 * MINUTE)
    pipeline.fill()
    assert "what is on offer: due at" in skip_after_days(pipeline)
    pipeline.advance(HOUR)
    assert ("offer_reports", None, {UNMAPPED, COVERAGE}) in requests(pipeline)


def skip_after_days(pipeline: Pipeline) -> str:
    """What a tick says when the day has been reported too."""
    job = pipeline.definitions.resolve_job_def("day_reports")
    for day in (pipeline.clock.now().date(), pipeline.clock.now().date() - timedelta(days=1)):
        tags = {"dagster/partition": day.isoformat()}
        pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    return skip_reason(pipeline.tick("reports_due"))
