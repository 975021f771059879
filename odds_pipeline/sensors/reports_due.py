"""When a report is due, and the sensor that launches them all: after cycles, not too often, and once a day is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.health import last_commit, last_cycle, reportable
from odds_pipeline.database.history import midnight
from odds_pipeline.jobs import day_reports, offer_reports
from odds_pipeline.metadata import COVERAGE, MARGINS, TIME_TO_KICKOFF, UNMAPPED
from odds_pipeline.sensors.unfinished import UNFINISHED
from odds_pipeline.settings import Settings

_DAY = "dagster/partition"


@dataclass(frozen=True, slots=True)
class Report:
    """What one run is to make. ``day``: None where the reports are of now.

    ``news_at``: since when there has been something to tell that an older report lacks.
    """

    job: str
    assets: tuple[dg.AssetKey, ...]
    news_at: datetime
    day: date | None = None

    @property
    def name(self) -> str:
        return "what is on offer" if self.day is None else f"{self.day}"


@dataclass(frozen=True, slots=True)
class Standing:
    """What Dagster has of a report: the oldest of its assets' newest materializations, and the newest run for it."""

    reported_at: datetime | None = None
    launched_at: datetime | None = None
    is_under_way: bool = False


def why_not(report: Report, known: Standing, *, now: datetime, interval: timedelta) -> str | None:
    """Why a report is not to be launched now; None when it is.

    A run counts from its launch whatever became of it, so that one that fails is not launched over and over.
    """
    if known.is_under_way:
        return "a run is under way"
    if known.reported_at is not None and report.news_at <= known.reported_at:
        return f"nothing new since the last report at {known.reported_at:%H:%M:%S} UTC"
    moments = [moment for moment in (known.reported_at, known.launched_at) if moment is not None]
    if moments and now < max(moments) + interval:
        minutes = interval / timedelta(minutes=1)
        return f"due at {max(moments) + interval:%H:%M:%S} UTC, {minutes:g} min after the last run"
    return None


@dg.sensor(
    jobs=[offer_reports, day_reports],
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches the reports of now and of today after cycles, and yesterday's once more when it is over.",
)
def reports_due(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> Sequence[dg.RunRequest] | dg.SkipReason:
    """At most one run for each of them. No ``run_key``: Dagster would never try a report again that has failed."""
    now = clock.now()
    wanted = wanted_reports(database, now=now, grace=settings.midnight_grace)
    if not wanted:
        return dg.SkipReason("no cycle has been committed yet")
    waiting = [
        (report, why_not(report, _standing(context.instance, report), now=now, interval=settings.report_interval))
        for report in wanted
    ]
    due = [report for report, reason in waiting if reason is None]
    if not due:
        return dg.SkipReason("; ".join(f"{report.name}: {reason}" for report, reason in waiting))
    return [
        dg.RunRequest(
            job_name=report.job,
            asset_selection=list(report.assets),
            partition_key=None if report.day is None else report.day.isoformat(),
        )
        for report in due
    ]


def wanted_reports(database: Database, *, now: datetime, grace: timedelta) -> list[Report]:
    """The reports that a sensor keeps up to date; none before the first cycle is committed.

    A day is reported as far as something is known of it. Yesterday is over ``grace`` after midnight, and when no cycle
    is open that began in it.
    """
    committed_at = last_commit(database)
    if committed_at is None:
        return []
    midnight_of_today = midnight(now.date())
    news_at = {now.date(): committed_at}
    cycle = last_cycle(database, now=now)
    is_open = cycle is not None and cycle.is_open and cycle.started_at < midnight_of_today
    if now >= midnight_of_today + grace and not is_open:
        news_at[now.date() - timedelta(days=1)] = midnight_of_today + grace
    reports = [Report(offer_reports.name, (UNMAPPED, COVERAGE), committed_at)]
    for day, news in news_at.items():
        has_odds, has_matches = reportable(database, midnight(day), midnight(day + timedelta(days=1)))
        assets = ((MARGINS,) if has_odds else ()) + ((TIME_TO_KICKOFF,) if has_odds and has_matches else ())
        if assets:
            reports.append(Report(day_reports.name, assets, news, day))
    return reports


def _standing(instance: dg.DagsterInstance, report: Report) -> Standing:
    tags = {} if report.day is None else {_DAY: report.day.isoformat()}
    of_job = dg.RunsFilter(job_name=report.job, tags=tags)
    newest = instance.get_run_records(of_job, limit=1)
    unfinished = instance.get_run_records(
        dg.RunsFilter(job_name=report.job, tags=tags, statuses=list(UNFINISHED)), limit=1
    )
    moments = [_materialized_at(instance, asset, report.day) for asset in report.assets]
    found = [moment for moment in moments if moment is not None]
    return Standing(
        reported_at=min(found) if len(found) == len(moments) else None,
        launched_at=newest[0].create_timestamp if newest else None,
        is_under_way=bool(unfinished),
    )


def _materialized_at(instance: dg.DagsterInstance, asset: dg.AssetKey, day: date | None) -> datetime | None:
    days = None if day is None else [day.isoformat()]
    records = instance.fetch_materializations(dg.AssetRecordsFilter(asset, asset_partitions=days), limit=1).records
    return datetime.fromtimestamp(records[0].timestamp, UTC) if records else None
