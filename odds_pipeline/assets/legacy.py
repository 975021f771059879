"""The import of earlier systems: their odds as days of our history."""

from datetime import date

import dagster as dg

from odds_pipeline.archive.store import Archive
from odds_pipeline.assets.launches import LaunchRefused, launched_partitions
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.models import MarketOddsHistory
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.tables import EarlierSystemMissing
from odds_pipeline.legacy.write import ImportedDay, import_days
from odds_pipeline.metadata import LEGACY_HISTORY, OWNERS, relation_columns, sample
from odds_pipeline.partitions import LEGACY_DAYS
from odds_pipeline.settings import Settings

_SPEC = dg.AssetSpec(
    LEGACY_HISTORY,
    partitions_def=LEGACY_DAYS,
    group_name="legacy",
    kinds={"polars", "postgres"},
    owners=list(OWNERS),
    code_version="1",
    description="""What earlier systems recorded, as history of ours, by UTC day: rows of `market_odds_history`.

- **Grain**: one row per change. **Key**: `market_id`, `captured_at`.
- **Writes**: the changes of the earlier system's tables (`ODDS_LEGACY_DATABASE_URL`, else tables in the odds database),
  up to where our own pipeline knows an event; rows with a known fault have `is_trusted` false, or are left out
  (`ODDS_LEGACY_UNTRUSTED`). A day imported again changes nothing. A range of days is one run.
""",
    metadata={
        "dagster/column_schema": relation_columns(MarketOddsHistory),
        "dagster/relation_identifier": "odds.public.market_odds_history",
        "partition_expr": "captured_at",
    },
)


@dg.multi_asset(name="legacy_history", specs=[_SPEC], backfill_policy=dg.BackfillPolicy.single_run())
def legacy_history(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
    archive: dg.ResourceParam[Archive],
) -> dg.MaterializeResult:
    """Import those of the run's days that the earlier system has odds of, one at least."""
    partitions = launched_partitions(context)
    if partitions is None:
        raise LaunchRefused("legacy/history is imported by days: launch it for one day or a range of days")
    first, last = map(date.fromisoformat, partitions)
    source = LegacySource.from_settings(settings)

    def report(imported: ImportedDay) -> None:
        context.add_asset_metadata(_metadata(imported), LEGACY_HISTORY, imported.day.isoformat())
        context.log.info(f"{imported.day}: {imported.changes:,} changes, {imported.added:,} rows added")

    try:
        source.require_tables()
    except EarlierSystemMissing as missing:
        raise LaunchRefused(str(missing)) from missing
    days = import_days(
        database,
        archive,
        source,
        first,
        last,
        settings=settings,
        now=clock.now(),
        dagster_run_id=context.run.run_id,
        progress=report,
    )
    if not days:
        held = source.days()
        there = f"; there are days from {held[0]} to {held[-1]}" if held else ""
        asked = f"{first}" if first == last else f"{first} to {last}"
        raise LaunchRefused(f"{source.name} holds no odds of {asked}{there}")
    return dg.MaterializeResult(metadata={"source": source.name, "days_with_odds": len(days)})


def _metadata(imported: ImportedDay) -> dict[str, dg.MetadataValue | int | float]:
    """Numbers of one day; ``tables``: what became of the rows of each earlier table."""
    counts = imported.tables.drop("refusals", "distrusts")
    return {
        "rows_read": imported.rows_read,
        "changes": imported.changes,
        "untrusted": imported.untrusted,
        "refused": imported.refused,
        "superseded": imported.superseded,
        "left_out": imported.left_out,
        "rows_added": imported.added,
        "rows_removed": imported.removed,
        "rows_replaced": imported.replaced,
        "has_shrunk": imported.has_shrunk,
        "run_id": imported.run_id,
        "seconds": imported.seconds,
        "tables": sample(counts.iter_rows(named=True)),
    }
