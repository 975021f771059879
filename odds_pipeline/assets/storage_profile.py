"""The asset of the storage profile: where the bytes are, what they cost, and what to do about it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import dagster as dg

from odds_pipeline.archive.store import Archive
from odds_pipeline.charts.rendering import png
from odds_pipeline.charts.storage import growth_chart, sizes_chart
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.models.housekeeping import StorageSample
from odds_pipeline.metadata import CURRENT, HISTORY, OWNERS, RETENTION, STORAGE_PROFILE, picture, relation_columns
from odds_pipeline.resources import DagsterDatabase
from odds_pipeline.settings import Settings
from odds_pipeline.storage.alerts import Reviewed, review_alerts
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.judging import judge
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.profile import storage_profile
from odds_pipeline.storage.report.advice import plan_sentence, to_do
from odds_pipeline.storage.reporting import report
from odds_pipeline.storage.samples import samples, take_sample
from odds_pipeline.storage.words import in_bytes

_LONGEST_REPORT = 40_000
"""Characters; a report that is hourly must not itself fill Dagster's storage. The command has all of it."""

_SAMPLE_MEANINGS = {
    "id": "Key of the sample",
    "sampled_at": "When the profile was made (UTC), by the pipeline clock",
    "total_bytes": "Bytes of both databases and the archive together",
    "table_sizes": "Bytes by table, with the database before its name, and by kind of archived file",
    "odds_bytes": "Bytes of the odds database",
    "dagster_bytes": "Bytes of Dagster's database",
    "archive_bytes": "Bytes of the archive's files that count",
    "wal_bytes": "Write-ahead log that the server wrote since wal_since",
    "wal_since": "When the server began to count its write-ahead log (UTC)",
}


@dg.asset(
    key=STORAGE_PROFILE,
    deps=[HISTORY, CURRENT, RETENTION],
    group_name="storage",
    kinds={"postgres", "polars", "altair"},
    owners=list(OWNERS),
    code_version="1",
    description="""Where the bytes of both databases and the archive are, what they cost, and what to do about it.

- **Grain**: one row of `storage_samples` per profile. **Key**: `id`.
- **Writes**: a sample, and alerts: opened when a condition is found, resolved by itself when it is gone
  (`odds-pipeline alerts` lists them). Samples stay `ODDS_SAMPLE_RETENTION_DAYS`. The report and the pictures are this
  materialization's metadata.
- **Costs**: sizes from the catalogue, rows and columns from statistics and small samples; no table is read through, and
  nobody waits. Every `ODDS_PROFILE_INTERVAL`, whether cycles run or not.
- **Plotted**: sizes and growth in MB, rows and bytes per row, share of rows saved against whole snapshots (beside first
  sightings), open alerts. Each from when it is known: against snapshots once the first cycle is an hour old, growth
  and days until the disk is full with the second sample an hour later, while something grows.
- **By hand**: `odds-pipeline profile`, of any PostgreSQL; how to read it: `docs/storage.md`.
""",
    metadata={"dagster/column_schema": relation_columns(StorageSample, _SAMPLE_MEANINGS)},
    check_specs=[
        dg.AssetCheckSpec("alerts", asset=STORAGE_PROFILE, description="No alert of storage is open."),
        dg.AssetCheckSpec(
            "size_target",
            asset=STORAGE_PROFILE,
            description="Everything together is within `ODDS_STORAGE_TARGET_GB`.",
        ),
        dg.AssetCheckSpec(
            "disk_fits",
            asset=STORAGE_PROFILE,
            description="Everything together fits the disk of `ODDS_DISK_GB`.",
        ),
    ],
)
def profile(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
    dagster_database: dg.ResourceParam[DagsterDatabase],
    archive: dg.ResourceParam[Archive],
) -> dg.MaterializeResult:
    """Measure, judge, sample, and look which alerts that opens or ends."""
    now = clock.now()
    found = storage_profile(database, dagster=dagster_database.database, archive=archive, settings=settings, now=now)
    judgement = judge(found, settings)
    take_sample(database, found)
    reviewed = review_alerts(database, found, judgement, settings=settings, now=now)
    taken = samples(database, since=now - timedelta(days=settings.sample_retention_days))
    growth = growth_chart(taken, target=settings.storage_target_gb * 1e9, disk=settings.disk_gb * 1e9)
    # Metadata of a result stands in two events, the output's and the materialization's; the pictures are large.
    context.add_asset_metadata(
        {
            "report": dg.MetadataValue.md(
                report(found, judgement, reviewed.open, style="markdown", at_most=_LONGEST_REPORT)
            ),
            "sizes": picture(png(sizes_chart(found)), "Sizes of tables and archives"),
            "growth": picture(png(growth), "Sizes of databases and archives at each sample"),
            **_numbers(found, judgement, len(reviewed.open)),
        },
        STORAGE_PROFILE,
    )
    return dg.MaterializeResult(STORAGE_PROFILE, check_results=list(_checks(found, judgement, reviewed)))


def _numbers(found: StorageProfile, judgement: Judgement, open_alerts: int) -> Mapping[str, float | int]:
    """What Dagster plots from profile to profile; what is not known is left out."""
    odds, dagster, growth = found.database("odds"), found.database("dagster"), found.growth
    history = odds.table("odds_history") if odds else None
    against = judgement.projection.against_snapshots
    tables = [table for database in found.databases for table in database.whole_tables]
    wal = next((database.wal for database in found.databases if database.wal is not None), None)
    numbers = {
        "total_mb": _mb(found.total_bytes),
        "odds_mb": _mb(odds.total_bytes if odds else None),
        "dagster_mb": _mb(dagster.total_bytes if dagster else None),
        "archives_mb": _mb(None if "archive" in found.unmeasured else sum(each.bytes for each in found.archives)),
        "growth_mb_a_day": _mb(growth.bytes_a_day if growth else None),
        "days_until_full": judgement.projection.days_until_full,
        "history_changes": history.changes if history else None,
        "history_bytes_per_change": history.bytes_per_change if history else None,
        "rows_a_day": against.rows_a_day if against else None,
        "first_sightings_a_day": against.first_sightings_a_day if against else None,
        "fewer_rows_than_snapshots_percent": 100 * against.fewer_rows_beside_first_sightings if against else None,
        "bloat_mb": _mb(sum(table.bloat_bytes or 0 for table in tables)),
        "wal_mb": _mb(wal.bytes if wal else None),
        "open_alerts": open_alerts,
        "seconds": sum(database.seconds for database in found.databases),
    }
    return {
        name: number if isinstance(number, int) else round(number, 3)
        for name, number in numbers.items()
        if number is not None
    }


def _mb(size: float | None) -> float | None:
    return None if size is None else size / 1e6


def _checks(found: StorageProfile, judgement: Judgement, reviewed: Reviewed) -> Iterator[dg.AssetCheckResult]:
    plan = judgement.plan
    messages = [alert.message for alert in reviewed.open] or ["No alert is open."]
    unknown = [f"Not known of {name}: {why}." for name, why in reviewed.unknown.items()]
    yield _check(
        "alerts",
        not reviewed.open,
        "\n\n".join(messages + unknown),
        open={f"{alert.alert_type} {alert.id}": alert.message for alert in reviewed.open},
        not_known=reviewed.unknown,
    )
    limits = (
        ("size_target", plan.target_bytes, "ODDS_STORAGE_TARGET_GB"),
        ("disk_fits", plan.disk_bytes, "ODDS_DISK_GB"),
    )
    for name, limit, setting in limits:
        size, passed = in_bytes(found.total_bytes), found.total_bytes <= limit
        words = f"Everything takes {size}, {'within' if passed else 'more than'} the {in_bytes(limit)} of {setting}."
        sizes = {"size": size, "limit": in_bytes(limit), "plan": plan_sentence(plan)}
        yield _check(name, passed, words if passed else f"{words} {to_do(plan)}", found=sizes)


def _check(name: str, passed: bool, description: str, **said: Mapping[str, str]) -> dg.AssetCheckResult:
    """``description``: what is wrong and what to do, as Dagster shows it first."""
    return dg.AssetCheckResult(
        asset_key=STORAGE_PROFILE,
        check_name=name,
        passed=passed,
        description=description,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={word: dg.MetadataValue.json(dict(each)) for word, each in said.items()},
    )
