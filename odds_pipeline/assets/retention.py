"""The asset of retention: days that are over leave PostgreSQL, verified, for the history archive."""

from collections.abc import Mapping

import dagster as dg

from odds_pipeline.archive.history import HISTORY_SCHEMA
from odds_pipeline.archive.store import Archive
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.days.retention import CleanupTrigger, Retained, retain
from odds_pipeline.metadata import COLUMN_MEANINGS, HISTORY, OWNERS, RETENTION, frame_columns, sample
from odds_pipeline.settings import Settings

_SHOWN = 100

_MEANINGS = {**COLUMN_MEANINGS, "is_unavailable": "Whether the market is not offered any more"}


@dg.asset(
    key=RETENTION,
    deps=[HISTORY],
    group_name="odds",
    kinds={"postgres", "parquet"},
    owners=list(OWNERS),
    code_version="1",
    description="""The history archive: every change of the days that are no longer kept in PostgreSQL.

- **Grain**: one row per change. **Key**: `market_id`, `captured_at`.
- **Policy**: `ODDS_RETENTION_DAYS` UTC days before today stay in PostgreSQL (14; 1 to 90), and the observations,
  coverage and states that they can be rebuilt from. Finished events stay `ODDS_MATCH_RETENTION_DAYS` after their
  kick-off and as long as a row of theirs, runs `ODDS_RUN_RETENTION_DAYS` and as long as their rows, errors
  `ODDS_ERROR_RETENTION_DAYS`, storage samples `ODDS_SAMPLE_RETENTION_DAYS`. Archived history is never deleted.
- **Writes**: one file per day, read back and compared with PostgreSQL by count and content hash; only then one
  transaction names it and drops the partition. A day with which anything is amiss stays, and `days_kept` fails. Then
  what is older than the policy is deleted, and days that are over are written anew in the order of their key.
  Each run is a row of `cleanup_runs`.
- **Before**: `odds-pipeline retention --preview` says what would go.
""",
    metadata={"dagster/column_schema": frame_columns(HISTORY_SCHEMA, _MEANINGS)},
    check_specs=[
        dg.AssetCheckSpec(
            "days_kept", asset=RETENTION, description="Every day older than the policy has left PostgreSQL, verified."
        )
    ],
)
def retention(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
    archive: dg.ResourceParam[Archive],
) -> dg.MaterializeResult:
    """Apply the policy of the settings as of now."""
    trigger: CleanupTrigger = "scheduled" if "dagster/sensor_name" in context.run.tags else "manual"
    done = retain(database, archive, settings=settings, now=clock.now(), trigger=trigger)
    for sentence in done.finished_detaches:
        context.log.warning(sentence)
    for day in done.waiting:
        context.log.info(f"{day.day} is not in the order of its key: {day.reason}")
    kept = {day.day.isoformat(): day.reason for day in done.kept}
    return dg.MaterializeResult(
        metadata=_metadata(done, settings),
        check_results=[
            dg.AssetCheckResult(
                asset_key=RETENTION,
                check_name="days_kept",
                passed=not kept,
                metadata={"kept": dg.MetadataValue.json(kept)},
            )
        ],
    )


def _metadata(done: Retained, settings: Settings) -> Mapping[str, dg.MetadataValue | int | float | str]:
    policy = {
        name: getattr(settings, name)
        for name in (
            *("retention_days", "match_retention_days", "run_retention_days"),
            *("error_retention_days", "sample_retention_days"),
        )
    }
    days = [
        {
            "day": day.day.isoformat(),
            "rows": day.rows,
            "bytes in PostgreSQL": day.freed,
            "bytes in the archive": 0 if day.file is None else day.file.bytes,
            "seconds": round(day.seconds, 3),
            "readers waited at most (s)": round(day.blocked_seconds, 3),
            "file": "none: no rows" if day.file is None else day.file.path,
        }
        for day in done.retired
    ]
    return {
        "policy": dg.MetadataValue.json(policy),
        "first_day_kept": done.bounds.first_kept.isoformat(),
        "rows_retired": done.rows,
        "days_retired": len(done.retired),
        "days_kept_against_policy": dg.MetadataValue.json({day.day.isoformat(): day.reason for day in done.kept}),
        "bytes_freed": done.freed,
        "bytes_archived": done.archived_bytes,
        "days": sample(days[:_SHOWN]),
        "deleted": dg.MetadataValue.json(dict(done.deleted)),
        "archive_files_deleted": len(done.outlived.files) + len(done.orphans),
        "archive_bytes_deleted": done.outlived.bytes,
        "bytes_compacted": sum(day.before - day.after for day in done.compacted),
        "days_not_in_order": dg.MetadataValue.json({day.day.isoformat(): day.reason for day in done.waiting}),
        "detaches_finished": len(done.finished_detaches),
        "seconds": done.seconds,
        "cleanup_run": done.cleanup_run_id,
    }
